"""The spool keeps what it acknowledged, refuses what it cannot keep, and is taken over when its process dies."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.errors import SpoolFullError, StorageError
from penstock.ingest.spool import Spool, adopt_spools, create_spool
from tests.ingest.spooled import PLENTY, fresh_spool, span_rows

_HOLD = """
import sys, time
from pathlib import Path
from penstock.ingest.spool import create_spool
from tests.ingest.spooled import span_rows
spool = create_spool(Path(sys.argv[1]), 100_000_000)
spool.put("spans", span_rows(range(3))).result()
print("stored", flush=True)
time.sleep(60)
"""


def committed_rows(path: Path) -> int:
    """What another process finds in the file."""
    with sqlite3.connect(path) as connection:
        count = int(connection.execute("SELECT coalesce(sum(rows), 0) FROM bodies").fetchone()[0])
    connection.close()
    return count


def test_put_resolves_only_when_the_rows_are_committed(home: Path) -> None:
    spool = fresh_spool(home)
    blocker = sqlite3.connect(spool.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    waiting = spool.put("spans", span_rows(range(2)))
    with pytest.raises(TimeoutError):
        waiting.result(timeout=0.2)
    assert committed_rows(spool.path) == 0
    blocker.execute("COMMIT")
    blocker.close()
    waiting.result(timeout=30)
    assert committed_rows(spool.path) == 2
    spool.close()


def test_many_puts_share_few_commits_and_all_resolve(home: Path) -> None:
    spool = fresh_spool(home)
    for future in [spool.put("spans", span_rows([number])) for number in range(50)]:
        future.result(timeout=30)
    assert spool.waiting_rows() == 50
    spool.close()


def test_a_put_that_its_caller_gave_up_does_not_stop_the_others(home: Path) -> None:
    spool = fresh_spool(home)
    for number in range(20):
        spool.put("spans", span_rows([number])).cancel()
    spool.put("spans", span_rows([20])).result(timeout=30)
    assert spool.waiting_rows() == 21
    spool.close()


def test_a_full_spool_refuses_and_takes_again_once_it_was_emptied(home: Path) -> None:
    spool = fresh_spool(home, max_bytes=60_000)
    stored = 0
    with pytest.raises(SpoolFullError, match="takes no more"):
        for number in range(1000):
            spool.put("spans", span_rows([number])).result()
            stored += 1
    assert spool.waiting_rows() == stored > 0
    batch = spool.claim(10_000)
    assert batch is not None
    spool.finish(batch)
    assert spool.size_bytes == 0
    spool.put("spans", span_rows([0])).result()
    spool.close()


def test_a_closed_spool_refuses(home: Path) -> None:
    spool = fresh_spool(home)
    spool.close()
    with pytest.raises(SpoolFullError):
        spool.put("spans", span_rows([0])).result(timeout=30)


def test_a_claimed_batch_is_the_next_one_until_it_is_finished_and_keeps_its_number(home: Path) -> None:
    spool = fresh_spool(home)
    spool.put("spans", span_rows(range(4))).result()
    first = spool.claim(10)
    spool.put("spans", span_rows(range(4, 6))).result()
    assert first is not None
    assert spool.claim(10) == first
    assert [body.rows for body in spool.bodies(first)] == [4]
    spool.close()
    reopened = Spool(spool.path, PLENTY)
    assert reopened.app == spool.app
    assert reopened.claim(10) == first
    reopened.finish(first)
    second = reopened.claim(10)
    assert second is not None
    assert second.number > first.number
    assert [body.rows for body in reopened.bodies(second)] == [2]
    reopened.close()


def test_a_batch_holds_bodies_of_one_table_and_no_more_rows_than_asked_for(home: Path) -> None:
    spool = fresh_spool(home)
    for table in ("spans", "feedback", "spans", "spans"):
        spool.put(table, span_rows(range(4))).result()
    batch = spool.claim(8)
    assert batch is not None
    assert batch.table == "spans"
    assert [body.rows for body in spool.bodies(batch)] == [4, 4]
    spool.finish(batch)
    assert spool.waiting_rows() == 8
    spool.close()


def test_a_body_put_aside_keeps_its_reason_and_no_longer_counts(home: Path) -> None:
    spool = fresh_spool(home)
    spool.put("spans", span_rows(range(3))).result()
    batch = spool.claim(10)
    assert batch is not None
    spool.put_aside(batch, spool.bodies(batch)[0], "does not fit")
    spool.finish(batch)
    assert (spool.waiting_rows(), spool.poisoned_rows(), spool.size_bytes) == (0, 3, 0)
    spool.close(delete_if_empty=True)
    assert spool.path.exists()
    connection = sqlite3.connect(spool.path)
    assert connection.execute("SELECT reason FROM poison").fetchall() == [("does not fit",)]
    connection.close()


def test_a_spool_that_a_process_holds_is_neither_opened_nor_adopted(home: Path) -> None:
    spool = fresh_spool(home)
    with pytest.raises(StorageError, match="held by another process"):
        Spool(spool.path, PLENTY)
    assert adopt_spools(home / "spool", PLENTY) == []
    spool.close()


def test_the_spool_of_a_killed_process_is_adopted_with_what_it_acknowledged(home: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _HOLD, str(home / "spool")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"stored\n"
    assert adopt_spools(home / "spool", PLENTY) == []
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (adopted,) = adopt_spools(home / "spool", PLENTY)
    assert adopted.waiting_rows() == 3
    assert adopt_spools(home / "spool", PLENTY) == []
    adopted.close()


def test_a_file_that_is_no_spool_is_warned_of_and_left(home: Path) -> None:
    (home / "spool").mkdir()
    (home / "spool" / "broken.db").write_bytes(b"this was a database once" * 100)
    warnings: list[str] = []
    assert adopt_spools(home / "spool", PLENTY, warnings.append) == []
    assert "broken.db" in warnings[0]


def test_an_empty_spool_leaves_no_files(home: Path) -> None:
    spool = fresh_spool(home)
    spool.close(delete_if_empty=True)
    assert list((home / "spool").iterdir()) == []


def test_a_deletion_that_was_cut_short_is_gone_on_with_and_its_rows_are_not_flushed_again(home: Path) -> None:
    spool = fresh_spool(home)
    for number in range(3):
        spool.put("spans", span_rows([number])).result()
    batch = spool.claim(10)
    assert batch is not None
    connection = sqlite3.connect(spool.path, isolation_level=None)
    connection.execute("UPDATE batches SET state = 'durable'")
    connection.execute("DELETE FROM bodies WHERE id = ?", (batch.first_id,))
    connection.close()
    spool.close()
    reopened = Spool(spool.path, PLENTY)
    assert reopened.claim(10) is None
    assert (reopened.waiting_rows(), reopened.size_bytes) == (0, 0)
    reopened.close(delete_if_empty=True)


def test_a_batch_is_no_larger_than_memory_should_hold(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = fresh_spool(home)
    for number in range(4):
        spool.put("spans", span_rows([number])).result()
    monkeypatch.setattr("penstock.ingest.spool._MOST_BATCH_BYTES", spool.size_bytes // 2)
    batch = spool.claim(10_000)
    assert batch is not None
    assert len(spool.bodies(batch)) == 2
    spool.close()


def test_reading_a_batch_holds_up_no_put(home: Path) -> None:
    spool = fresh_spool(home)
    spool.put("spans", span_rows([0])).result()
    batch = spool.claim(10)
    assert batch is not None
    with spool._reader() as reading:
        cursor = reading.execute("SELECT batch FROM bodies")
        assert cursor.fetchone() is not None
        spool.put("spans", span_rows([1])).result(timeout=30)
    assert spool.waiting_rows() == 2
    spool.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB, which only root can mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full_refuses_and_loses_nothing_and_takes_more_once_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 1_000_000)
    spool = create_spool(small_disk / "spool", PLENTY)
    kept = 0
    with pytest.raises((SpoolFullError, StorageError)):
        for number in range(10_000):
            spool.put("spans", span_rows(range(number * 100, number * 100 + 100))).result(timeout=30)
            kept += 100
    assert kept > 0
    assert committed_rows(spool.path) == kept
    ballast.unlink()
    spool.put("spans", span_rows(range(3))).result(timeout=30)
    assert committed_rows(spool.path) == kept + 3
    spool.close()
