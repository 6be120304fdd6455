"""Reading in a process of its own: asked and by itself, started anew when it dies, and gone with the worker."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec
import psutil
import pytest

from penstock.app import Penstock
from penstock.errors import NotFoundError, PenstockError, StorageError
from penstock.records.clock import utc_now
from penstock.settings import IngestSettings
from penstock.worker.leased_lake import LEASE
from penstock.worker.reading_process import LOCK, ReadingProcess, only_reader
from penstock.worker.refresh import Refresher
from tests.rows import make_feedback, make_span, trace
from tests.waiting import wait_for

SELDOM = IngestSettings(settle_interval_s=3600.0)


def arrive(lake, number):
    """A suggestion and the report that it was accepted."""
    lake.append("spans", [make_span(trace(number), "s", request_id=f"q_{number}", response_text="ab", content_present=True)])
    lake.append("feedback", [make_feedback("acceptance", "request", f"q_{number}", value=1.0)])


def signals_in(lake):
    return lake.current("signals").count().to_pyarrow().as_py()


@pytest.fixture
def stores(empty_lake, registry, settings):
    return Penstock(msgspec.structs.replace(settings, ingest=SELDOM))


@pytest.fixture
def reading(stores):
    with ReadingProcess(partial(Penstock, stores.settings), "one") as reading:
        yield reading


def test_what_was_settled_is_read_when_asked_and_it_is_known_when(empty_lake, stores, reading):
    refresher = Refresher(stores, "one", reading)
    assert not refresher.is_fresh(0.0)
    arrive(empty_lake, 1)
    assert refresher.refresh()
    assert signals_in(empty_lake) == 1
    assert refresher.is_fresh(60.0)


def test_it_reads_by_itself(empty_lake, stores):
    often = msgspec.structs.replace(stores.settings, ingest=IngestSettings(settle_interval_s=0.1))
    with ReadingProcess(partial(Penstock, often), "one") as reading:
        arrive(empty_lake, 1)
        assert Refresher(stores, "one", reading).settle()
        wait_for(lambda: signals_in(empty_lake) == 1)


def test_it_gives_way_to_who_runs_at_the_usual_priority(reading):
    assert reading.read()
    assert psutil.Process(reading.pid).nice() > psutil.Process().nice()


def test_while_another_worker_holds_the_lease_nothing_is_read(registry, reading):
    registry.leases.release(LEASE, "one")
    registry.leases.acquire(LEASE, "another", 60.0, utc_now())
    assert not reading.read()
    registry.leases.release(LEASE, "another")
    assert reading.read()


def test_killed_it_is_started_anew_and_who_waited_is_told(empty_lake, stores, reading):
    assert reading.read()
    killed = reading.pid
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(killed))
    with pytest.raises(StorageError, match="ended meanwhile"):
        reading.read()
    wait_for(lambda: reading.pid != killed)
    arrive(empty_lake, 1)
    assert Refresher(stores, "one", reading).refresh()
    assert signals_in(empty_lake) == 1


def test_what_reading_fails_with_is_told_to_who_asked(empty_lake, reading):
    assert reading.read()
    (empty_lake.root / "signals").rename(empty_lake.root / "away")
    with pytest.raises(NotFoundError, match="There is no table signals"):
        reading.read()
    (empty_lake.root / "away").rename(empty_lake.root / "signals")
    assert reading.read()


def test_a_lake_that_is_away_when_it_starts_is_not_begun_anew(empty_lake, stores):
    (stores.home / "lake").rename(stores.home / "away")
    with ReadingProcess(partial(Penstock, stores.settings), "one") as reading:
        with pytest.raises(PenstockError):
            reading.read()
        assert not (stores.home / "lake").exists()
        (stores.home / "away").rename(stores.home / "lake")
        assert reading.read()


def test_one_process_at_a_time_reads_a_home(empty_lake, stores):
    arrive(empty_lake, 1)
    with ThreadPoolExecutor() as pool:
        with only_reader(stores.settings.home_path):
            reading = ReadingProcess(partial(Penstock, stores.settings), "one")
            assert Refresher(stores, "one", reading).settle()
            asked = pool.submit(reading.read)
            wait_for(lambda: any(file.path.endswith(LOCK) for file in psutil.Process(reading.pid).open_files()))
            assert signals_in(empty_lake) == 0
        with reading:
            assert asked.result(60.0)
    assert signals_in(empty_lake) == 1


def test_it_ends_with_the_worker_however_that_ends(settings, empty_lake):
    command = [sys.executable, "-m", "penstock.cli", "worker", "--home", settings.home]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as worker:
        wait_for(lambda: len(psutil.Process(worker.pid).children()) > 0 and (settings.home_path / "reading.lock").exists())
        children = psutil.Process(worker.pid).children(recursive=True)
        worker.kill()
    assert psutil.wait_procs(children, timeout=60.0)[1] == []
