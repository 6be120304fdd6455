from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from penstock.records.clock import WriterClock, utc_now

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_now_is_in_utc() -> None:
    assert utc_now().utcoffset() == timedelta(0)


def test_a_writers_clock_never_runs_backwards() -> None:
    times = iter([NOON, NOON - timedelta(hours=1), NOON + timedelta(seconds=1), NOON])
    clock = WriterClock(lambda: next(times))
    assert [clock.known_at() for _ in range(4)] == [NOON, NOON, NOON + timedelta(seconds=1), NOON + timedelta(seconds=1)]


def test_threads_that_share_a_clock_see_it_grow() -> None:
    clock = WriterClock()

    def is_sorted(_number: int) -> bool:
        given = [clock.known_at() for _ in range(200)]
        return given == sorted(given)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(is_sorted, range(4)))
