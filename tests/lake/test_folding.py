"""Rule 6 of the lake: superseded revisions are dropped where nobody may ask for them any more, and nowhere else."""

from datetime import UTC, datetime, timedelta

import pytest

from penstock.errors import BadInputError
from penstock.lake.lake import Lake
from penstock.lake.tables import reader
from penstock.records.clock import utc_now
from penstock.settings import LakeSettings
from tests.lake.rows import NOON, make_signal, shown

LATER = timedelta(days=31)


def _rows(lake: Lake) -> int:
    return int(lake.revisions("signals").count().to_pyarrow().as_py())


def _fold(lake: Lake, now: datetime) -> int:
    return next(done for done in lake.maintain(now) if done.table == "signals").folded


def _amended(lake: Lake) -> None:
    lake.append("signals", [make_signal(number) for number in range(4)])
    lake.append("signals", [make_signal(number, 1, known_h=1, value=0.5) for number in range(2)])


def test_superseded_revisions_go_once_the_history_is_over(lake: Lake) -> None:
    _amended(lake)
    before = lake.current("signals").order_by("signal_id").to_pyarrow()
    assert _fold(lake, utc_now() + LATER) == 2
    assert _rows(lake) == 4
    assert lake.current("signals").order_by("signal_id").to_pyarrow().equals(before)


def test_within_the_history_everything_stays(lake: Lake) -> None:
    _amended(lake)
    assert _fold(lake, utc_now()) == 0
    assert _fold(lake, utc_now() + timedelta(days=29)) == 0
    assert _rows(lake) == 6


def test_a_row_superseded_within_the_history_stays_though_its_file_is_old(lake: Lake) -> None:
    now = utc_now()
    just_now = (now + LATER - NOON) / timedelta(hours=1) - 24
    lake.append("signals", [make_signal(0), make_signal(0, 1, known_h=1), make_signal(0, 2, known_h=just_now)])
    assert _fold(lake, now + LATER) == 1
    assert _rows(lake) == 2
    assert shown(lake, lake.current("signals", NOON + timedelta(hours=just_now - 1))) == [("s_0", 1)]


def test_a_history_of_zero_days_keeps_all(lake: Lake) -> None:
    keeping = Lake(lake.root, LakeSettings(history_days=0))
    _amended(keeping)
    assert _fold(keeping, utc_now() + 100 * LATER) == 0


def test_what_was_known_before_the_fold_is_refused_and_not_answered_wrongly(lake: Lake) -> None:
    _amended(lake)
    now = utc_now() + LATER
    _fold(lake, now)
    with pytest.raises(BadInputError, match="folded"):
        lake.current("signals", NOON)
    with pytest.raises(BadInputError, match="folded"):
        lake.revisions("signals", NOON)
    assert len(shown(lake, lake.current("signals", now - timedelta(days=29)))) == 4


def test_a_row_written_twice_is_kept_once(lake: Lake) -> None:
    for _ in range(2):
        lake.append("signals", [make_signal(0)])
    assert _fold(lake, utc_now() + LATER) == 1
    assert shown(lake) == [("s_0", 0)]


def test_a_reader_takes_nothing_folded_for_new_and_misses_nothing(lake: Lake) -> None:
    lake.append("signals", [make_signal(9)])
    seen = lake.version("signals")
    _amended(lake)
    lake.append("labels", [], transactions={reader("signals", "test"): seen})
    _fold(lake, utc_now() + LATER)
    new = lake.changes("signals", seen)
    assert sorted(new.rows.column("signal_id").to_pylist()) == ["s_0", "s_0", "s_1", "s_1", "s_2", "s_3"]
    assert lake.changes("signals", new.version).rows.num_rows == 0


def test_a_partition_is_looked_at_once_when_its_time_has_come(lake: Lake) -> None:
    _amended(lake)
    now = utc_now() + LATER
    _fold(lake, now)
    version = lake.version("signals")
    assert _fold(lake, now + timedelta(hours=1)) == 0
    assert lake.version("signals") == version


def test_a_few_superseded_rows_among_many_are_not_worth_writing_the_partition_again(lake: Lake) -> None:
    lake.append("signals", [make_signal(number) for number in range(100)])
    lake.append("signals", [make_signal(0, 1, known_h=1)])
    assert _fold(lake, utc_now() + LATER) == 0
    assert _rows(lake) == 101


def test_only_the_partition_that_holds_them_is_written_again(lake: Lake) -> None:
    _amended(lake)
    lake.append("signals", [make_signal(7, day=3)])
    other = [file for file in lake._open("signals").snapshot().files if "2026-03-04" in file]
    _fold(lake, datetime.now(UTC) + LATER)
    assert [file for file in lake._open("signals").snapshot().files if "2026-03-04" in file] == other
