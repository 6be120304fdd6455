"""A lake that is away for a while: the edge accepts until its spool is full, says so, and everything is there afterwards."""

import itertools
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.edge.live_server import wait_for
from tests.faults.load import chat_body, span_name
from tests.faults.processes import Edge, Service, killed_at_the_end
from tests.faults.stored import bring_home, open_lake, require_exactly_once, span_ids

pytestmark = pytest.mark.timeout(300)

_SPOOL_BYTES = 400_000
_HEADERS = {"content-type": "application/x-protobuf"}


@contextmanager
def gone(lake: Path) -> Iterator[None]:
    away = lake.with_name("lake-away")
    lake.rename(away)
    yield
    away.rename(lake)


@contextmanager
def a_file_in_its_place(lake: Path) -> Iterator[None]:
    with gone(lake):
        lake.write_text("not a lake")
        yield
        lake.unlink()


@contextmanager
def read_only(lake: Path) -> Iterator[None]:
    for arguments in (["--bind", str(lake), str(lake)], ["-o", "remount,bind,ro", str(lake)]):
        mounted = subprocess.run(["mount", *arguments], capture_output=True, check=False)
        if mounted.returncode != 0:
            pytest.skip(f"nothing can be mounted read-only here: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(lake)], check=True)


Away = Callable[[Path], object]


def fill_the_spool(edge: Edge, ids: Iterator[int]) -> set[str]:
    """Send until the edge refuses; what it acknowledged. It may refuse only where the body would not fit."""
    acknowledged: set[str] = set()
    with httpx.Client(headers=_HEADERS, timeout=30) as client:
        while True:
            numbers = list(itertools.islice(ids, 20))
            answer = client.post(f"{edge.url}/v1/traces", content=chat_body(numbers))
            if answer.status_code != 200:
                assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
                assert int(str(edge.ingest_status()["spool_bytes"])) > _SPOOL_BYTES * 0.9
                return acknowledged
            acknowledged.update(span_name(number) for number in numbers)


def lose_the_lake(home: Path, away: Away, seconds: float) -> None:
    edge, worker = Edge(home, {"PENSTOCK_EDGE_SPOOL_MAX_BYTES": str(_SPOOL_BYTES)}), Service("worker", home, {})
    ids = itertools.count(1)
    with killed_at_the_end(edge, worker):
        edge.start_ready()
        worker.start()
        open_lake(home)
        before = {span_name(number) for number in itertools.islice(ids, 5)}
        sent = httpx.post(f"{edge.url}/v1/traces", content=chat_body([int(name, 16) for name in before]), headers=_HEADERS)
        assert sent.status_code == 200
        wait_for(lambda: before <= set(span_ids(open_lake(home), "interactions")), 60)
        with away(home / "lake"):  # type: ignore[attr-defined]
            acknowledged = before | fill_the_spool(edge, ids)
            wait_for(lambda: edge.ingest_status()["lake_error"], 60)
            time.sleep(seconds)
            assert edge.is_running() and worker.is_running()
            assert httpx.get(f"{edge.url}/healthz", timeout=30).status_code == 200
        # Pauses between tries have grown to half a minute at the most.
        wait_for(lambda: edge.ingest_status()["spool_bytes"] == 0, 80)
        assert edge.ingest_status()["lake_error"] is None
        lake = open_lake(home)
        wait_for(lambda: acknowledged <= set(span_ids(lake, "interactions")), 60)
        edge.stop()
        worker.stop()
    require_exactly_once(bring_home(home), acknowledged, acknowledged)


def test_a_lake_that_is_away_costs_nothing(home: Path) -> None:
    lose_the_lake(home, gone, 1.0)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("away", [gone, a_file_in_its_place, read_only])
def test_a_lake_that_is_away_for_minutes_costs_nothing(home: Path, away: Away) -> None:
    lose_the_lake(home, away, 150.0)
