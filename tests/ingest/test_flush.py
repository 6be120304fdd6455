"""What a spool acknowledged reaches the lake once: through refusals, damage, and processes killed at any moment."""

import random
import select
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from penstock.errors import StorageError
from penstock.ingest.flush import Flusher, FlushThread
from penstock.ingest.spool import Spool, adopt_spools
from penstock.lake.lake import Lake
from penstock.settings import LakeSettings
from tests.ingest.spooled import PLENTY, fresh_spool, keys, span_rows, stored_keys

_WRITE_AND_FLUSH = """
import itertools, sys
from pathlib import Path
from penstock.settings import LakeSettings
from penstock.ingest.flush import Flusher, FlushThread
from penstock.ingest.spool import adopt_spools, create_spool
from penstock.lake.lake import Lake
from tests.ingest.spooled import span_rows
home, first = Path(sys.argv[1]), int(sys.argv[2])
adopted = adopt_spools(home / "spool", 100_000_000)
spool = create_spool(home / "spool", 100_000_000)
def build():
    return Flusher(Lake(home / "lake", LakeSettings()), spool, 40, adopted)
FlushThread(build, 0.01, home / "spool", 100_000_000).start()
for number in itertools.count(first, 10):
    spool.put("spans", span_rows(range(number, number + 10))).result()
    print(number, flush=True)
"""
_ROUND = 1_000_000


def put(spool: Spool, numbers: range) -> None:
    """Acknowledge these spans."""
    spool.put("spans", span_rows(numbers)).result()


def crash_before_durable(lake: Lake, home: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Commit a batch of five spans to the lake, but die before the spool hears of it; the version of the commit."""
    spool = fresh_spool(home)
    put(spool, range(5))
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "finish", lambda *_: (_ for _ in ()).throw(StorageError("the power went")))
        with pytest.raises(StorageError):
            Flusher(lake, spool, 100).run_once()
    spool.close()
    return lake.version("spans")


def flush_again(home: Path) -> Lake:
    """What the next process does: it adopts the spool and flushes it into a lake that it opens itself."""
    lake = Lake(home / "lake", LakeSettings())
    spool = fresh_spool(home)
    put(spool, range(5, 8))
    Flusher(lake, spool, 100, adopt_spools(home / "spool", PLENTY)).run_once()
    spool.close()
    return lake


def test_what_comes_during_a_flush_shares_the_next_commit(lake: Lake, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = fresh_spool(home)
    put(spool, range(5))
    append, more = Lake.append, iter([range(5, 6), range(6, 9)])

    def receive_and_append(*arguments: object, **named: object) -> object:
        put(spool, next(more))
        return append(*arguments, **named)  # type: ignore[arg-type]  # as it was called

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "append", receive_and_append)
        flusher = Flusher(lake, spool, 100)
        assert (flusher.run_once(), spool.waiting_rows()) == (5, 1)
        assert (flusher.run_once(), spool.waiting_rows()) == (1, 3)
    assert (flusher.run_once(), spool.waiting_rows()) == (3, 0)
    assert lake.version("spans") == 3
    spool.close()


def test_what_was_put_is_in_the_lake_after_a_flush_and_no_longer_in_the_spool(lake: Lake, home: Path) -> None:
    spool = fresh_spool(home)
    put(spool, range(5))
    put(spool, range(5, 9))
    flusher = Flusher(lake, spool, 100)
    assert flusher.run_once() == 9
    assert stored_keys(lake) == keys(range(9))
    assert (spool.waiting_rows(), flusher.flushed_rows, flusher.run_once()) == (0, 9, 0)
    spool.close()


def test_a_batch_committed_before_a_crash_is_not_written_again(lake: Lake, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crash_before_durable(lake, home, monkeypatch)
    assert stored_keys(flush_again(home)) == keys(range(8))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_torn_last_log_entry_loses_nothing_and_doubles_nothing(
    lake: Lake, home: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    version = crash_before_durable(lake, home, monkeypatch)
    entry = home / "lake" / "spans" / "_delta_log" / f"{version:020}.json"
    whole = entry.read_bytes()
    entry.write_bytes(whole[: int(len(whole) * share)])
    assert stored_keys(flush_again(home)) == keys(range(8))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_torn_last_data_file_loses_nothing_and_doubles_nothing(
    lake: Lake, home: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    crash_before_durable(lake, home, monkeypatch)
    (data,) = (home / "lake" / "spans").rglob("*/*.parquet")
    whole = data.read_bytes()
    data.write_bytes(whole[: int(len(whole) * share)])
    assert stored_keys(flush_again(home)) == keys(range(8))


def test_a_commit_that_failed_to_become_durable_is_made_so_before_the_spool_forgets_it(
    lake: Lake, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = fresh_spool(home)
    put(spool, range(3))
    flusher = Flusher(lake, spool, 100)
    append, made_durable = lake.append, []
    with monkeypatch.context() as patch:

        def append_and_fail(*arguments: object, **named: object) -> None:
            append(*arguments, **named)  # type: ignore[arg-type]  # passes on what it was given
            raise StorageError("fsync failed")

        patch.setattr(lake, "append", append_and_fail)
        with pytest.raises(StorageError):
            flusher.run_once()
    make_durable = lake.make_durable
    monkeypatch.setattr(lake, "make_durable", lambda *given: (made_durable.append(given), make_durable(*given)))
    flusher.run_once()
    assert made_durable == [("spans", lake.version("spans"))]
    assert stored_keys(lake) == keys(range(3))
    spool.close()


def test_bodies_that_can_never_be_stored_are_put_aside_while_the_others_flow(lake: Lake, home: Path) -> None:
    spool = fresh_spool(home)
    put(spool, range(2))
    spool.put("spans", pa.table({"no_such_column": [1, 2, 3]})).result()
    spool.put("spans", span_rows(range(2, 4)).drop_columns(["trace_id"])).result()
    put(spool, range(4, 6))
    for waiting in (b"no arrow at all", spool.bodies(spool.claim(100))[0].batch[:-40]):  # type: ignore[arg-type]  # it has one
        spool._log.append([("spans", 7, waiting)])
    put(spool, range(6, 8))
    Flusher(lake, spool, 100).run_once()
    assert stored_keys(lake) == keys([0, 1, 4, 5, 6, 7])
    assert spool.poisoned_rows() == 3 + 2 + 7 + 7
    with closing(sqlite3.connect(spool.path)) as connection:
        reasons = [reason for (reason,) in connection.execute("SELECT reason FROM poison ORDER BY id")]
    assert "no_such_column" in reasons[0]
    assert "not readable as Arrow" in reasons[2]
    spool.close()


def test_while_the_lake_cannot_be_written_the_spool_accepts_and_later_everything_flows(home: Path) -> None:
    spool = fresh_spool(home)
    root = home / "lake"
    root.write_text("a file where the folder should be")
    thread = FlushThread(lambda: build(root, spool), 0.02, home / "spool", PLENTY)
    thread.start()
    put(spool, range(3))
    wait_until(lambda: thread.failure is not None)
    put(spool, range(3, 6))
    root.unlink()
    wait_until(lambda: thread.failure is None and spool.waiting_rows() == 0)
    thread.stop(30)
    assert stored_keys(Lake(root, LakeSettings())) == keys(range(6))
    spool.close()


def build(root: Path, spool: Spool) -> Flusher:
    lake = Lake(root, LakeSettings())
    lake.create()
    return Flusher(lake, spool, 100)


def wait_until(condition: object) -> None:
    """Wait for something that another thread brings about; the test's own time limit ends it."""
    while not condition():  # type: ignore[operator]  # a function of no arguments
        time.sleep(0.02)


def test_stopping_flushes_what_is_left(lake: Lake, home: Path) -> None:
    spool = fresh_spool(home)
    thread = FlushThread(lambda: Flusher(lake, spool, 100), 3600.0, home / "spool", PLENTY)
    thread.start()
    wait_until(lambda: thread._thread.is_alive())
    put(spool, range(3))
    thread.stop(60)
    assert spool.waiting_rows() == 0
    assert stored_keys(lake) == keys(range(3))
    spool.close()


def test_a_damaged_adopted_spool_does_not_hold_up_the_others(lake: Lake, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home / "spool"
    own = fresh_spool(home)
    others = [fresh_spool(home) for _ in range(2)]
    for index, spool in enumerate(others):
        put(spool, range(index, index + 1))
        spool.close()
    adopted = adopt_spools(folder, PLENTY)

    def damaged(*_: object) -> None:
        raise StorageError("damaged")

    monkeypatch.setattr(adopted[0], "claim", damaged)
    flusher = Flusher(lake, own, 100, adopted)
    with pytest.raises(StorageError, match="damaged"):
        flusher.run_once()
    assert len(stored_keys(lake)) == 1
    flusher.close()
    own.close()


def kill_again_and_again(home: Path, kills: int, seed: int) -> None:
    """Kill a process that writes and flushes, each time at another moment; then flush the rest and compare with what it told."""
    chance = random.Random(seed)
    acknowledged: set[int] = set()
    for number in range(kills):
        command = [sys.executable, "-c", _WRITE_AND_FLUSH, str(home), str(number * _ROUND)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            select.select([process.stdout], [], [], 60)
            time.sleep(chance.random() * 0.4)
            process.kill()
            lines = process.stdout.read().splitlines(keepends=True)
        assert lines
        for line in lines:
            if line.endswith(b"\n"):
                acknowledged.update(range(int(line), int(line) + 10))
    lake = Lake(home / "lake", LakeSettings())
    spool = fresh_spool(home)
    Flusher(lake, spool, 1000, adopt_spools(home / "spool", PLENTY)).run_once()
    spool.close(delete_if_empty=True)
    stored = stored_keys(lake)
    assert len(stored) == len(set(stored))
    assert set(keys(acknowledged)) <= set(stored)
    current = lake.current("spans").select("span_key").to_pyarrow()["span_key"].to_pylist()
    assert sorted(current) == stored
    assert list((home / "spool").iterdir()) == []


def test_killed_at_any_moment_nothing_acknowledged_is_lost_or_doubled(lake: Lake, home: Path) -> None:
    assert lake.version("spans") == 0
    kill_again_and_again(home, kills=6, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_two_hundred_times_nothing_acknowledged_is_lost_or_doubled(lake: Lake, home: Path) -> None:
    assert lake.version("spans") == 0
    kill_again_and_again(home, kills=200, seed=2)
