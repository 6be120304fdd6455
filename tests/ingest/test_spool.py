"""The spool keeps what it acknowledged, refuses what it cannot keep, and is taken over when its process dies."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from penstock.errors import SpoolFullError, StorageError
from penstock.ingest.spool import Batch, Spool, adopt_spools, create_spool
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
    """What the next process would find: the files are copied, since this one holds them."""
    with tempfile.TemporaryDirectory() as folder:
        for file in path.parent.glob(f"{path.stem}*"):
            shutil.copy(file, folder)
        spool = Spool(Path(folder) / path.name, PLENTY)
        rows = spool.waiting_rows()
        spool.close()
    return rows


def segments(spool: Spool) -> list[Path]:
    """The files of its bodies, oldest first."""
    return sorted(spool.path.parent.glob(f"{spool.path.stem}-*.segment"))


def reopen(spool: Spool) -> Spool:
    """The same spool as the next process finds it."""
    spool.close()
    return Spool(spool.path, PLENTY)


def prompts(spool: Spool) -> list[str]:
    """The texts of everything that waits, in the order in which it is flushed."""
    found: list[str] = []
    while (batch := spool.claim(1)) is not None:
        for body in spool.bodies(batch):
            found += pa.ipc.open_stream(body.batch).read_all().column("prompt_text").to_pylist()
        spool.finish(batch)
    return found


def poison(spool: Spool) -> list[tuple[int, str]]:
    """Rows and reason of what was put aside."""
    with closing(sqlite3.connect(spool.path)) as connection:
        return connection.execute("SELECT rows, reason FROM poison ORDER BY id").fetchall()


def test_put_resolves_only_when_the_rows_are_on_the_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = fresh_spool(home)
    may_go_on = threading.Event()
    real = os.fdatasync
    monkeypatch.setattr("os.fdatasync", lambda file: (may_go_on.wait(30), real(file))[1])
    waiting = spool.put("spans", span_rows(range(2)))
    with pytest.raises(TimeoutError):
        waiting.result(timeout=0.2)
    assert spool.waiting_rows() == 0
    may_go_on.set()
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


def test_what_is_in_the_lake_is_not_flushed_again_while_its_file_is_still_there(home: Path) -> None:
    spool = fresh_spool(home)
    spool.put("spans", span_rows([0])).result()
    batch = spool.claim(10)
    spool.put("spans", span_rows([1])).result()
    assert batch is not None
    spool.finish(batch)
    (file,) = segments(spool)
    reopened = reopen(spool)
    assert segments(reopened) == [file]
    assert prompts(reopened) == ["question 1"]
    assert segments(reopened) == []
    reopened.close(delete_if_empty=True)


def test_what_became_of_a_batch_is_forgotten_only_with_its_file_and_no_id_comes_again(home: Path) -> None:
    spool = fresh_spool(home)
    ids = []
    for number in range(6):
        spool.put("spans", span_rows([number])).result()
        batch = spool.claim(10)
        assert batch is not None
        ids.append(batch.first_id)
        spool.finish(batch)
        if number % 2:
            spool = reopen(spool)
    assert sorted(set(ids)) == ids
    with closing(sqlite3.connect(spool.path)) as connection:
        assert connection.execute("SELECT count(*) FROM batches").fetchone()[0] < 3
    spool.close(delete_if_empty=True)


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """One body fills a file."""
    monkeypatch.setattr("penstock.ingest.body_log._SEGMENT_BYTES", 1)


@pytest.mark.usefixtures("short_segments")
def test_a_file_goes_as_soon_as_nothing_in_it_waits(home: Path) -> None:
    spool = fresh_spool(home)
    for table in ("spans", "feedback", "spans", "spans"):
        spool.put(table, span_rows([1])).result()
    first, second, third, fourth = segments(spool)
    batch = spool.claim(2)
    assert batch is not None and batch.table == "spans"
    spool.finish(batch)
    assert segments(spool) == [second, fourth]
    spool = reopen(spool)
    assert spool.waiting_rows() == 2
    assert {first, third}.isdisjoint(segments(spool))
    spool.close()


def test_what_was_torn_at_the_end_was_never_acknowledged_and_is_cut_off(home: Path) -> None:
    spool = fresh_spool(home)
    for number in range(3):
        spool.put("spans", span_rows([number])).result()
    spool.close()
    (file,) = segments(spool)
    content = file.read_bytes()
    for torn in (content[:-1], content[:-20] + bytes(20), content + bytes(5000), content + b"PnSb" * 100):
        file.write_bytes(torn)
        spool = Spool(spool.path, PLENTY)
        kept = 3 if torn.startswith(content) else 2
        assert spool.waiting_rows() == kept and poison(spool) == []
        spool.put("spans", span_rows([9])).result()
        spool = reopen(spool)
        assert spool.waiting_rows() == kept + 1
        spool.close()
        for other in segments(spool)[1:]:
            other.unlink()


def test_a_body_that_the_disk_has_changed_is_put_aside_and_the_others_flow(home: Path) -> None:
    spool = fresh_spool(home)
    for number in range(3):
        spool.put("spans", span_rows([number])).result()
    (file,) = segments(spool)
    content = bytearray(file.read_bytes())
    content[content.index(b"question 1")] ^= 1
    spool.close()
    file.write_bytes(content)
    spool = Spool(spool.path, PLENTY)
    assert prompts(spool) == ["question 0", "question 2"]
    ((rows, reason),) = poison(spool)
    assert rows == 1 and "checksum" in reason
    spool.close()


def test_bytes_that_are_no_record_are_kept_aside_once_and_the_records_around_them_flow(home: Path) -> None:
    spool = fresh_spool(home)
    for number in range(3):
        spool.put("spans", span_rows([number])).result()
    spool.close()
    (file,) = segments(spool)
    content = bytearray(file.read_bytes())
    header = content.index(b"PnSb", 10)
    content[header + 20] ^= 1
    file.write_bytes(content)
    for _ in range(2):
        spool = Spool(spool.path, PLENTY)
        ((rows, reason),) = poison(spool)
        assert rows == 0 and f"at {header} of {file.name}" in reason
        spool.close()
    spool = Spool(spool.path, PLENTY)
    assert prompts(spool) == ["question 0", "question 2"]
    with closing(sqlite3.connect(spool.path)) as connection:
        assert b"question 1" in connection.execute("SELECT batch FROM poison").fetchone()[0]
    spool.close(delete_if_empty=True)
    assert spool.path.exists()


def test_what_a_client_has_sent_never_passes_for_a_record(home: Path) -> None:
    spool, other = fresh_spool(home), fresh_spool(home)
    other.put("spans", span_rows([1])).result()
    other.close()
    (record,) = segments(other)
    text = record.read_bytes()
    spool.put("spans", pa.table({"prompt_text": pa.array([text], pa.binary())})).result()
    spool.put("spans", span_rows([2])).result()
    spool.close()
    (file,) = segments(spool)
    content = bytearray(file.read_bytes())
    content[4] ^= 1
    file.write_bytes(content)
    spool = Spool(spool.path, PLENTY)
    assert spool.waiting_rows() == 1
    spool.close()


def test_a_write_that_fails_is_told_leaves_nothing_and_the_next_one_is_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = fresh_spool(home)
    spool.put("spans", span_rows([0])).result()

    def fail(_file: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("os.fdatasync", fail)
        with pytest.raises(SpoolFullError, match="Input/output error"):
            spool.put("spans", span_rows([1])).result()
    spool.put("spans", span_rows([2])).result()
    spool = reopen(spool)
    assert prompts(spool) == ["question 0", "question 2"]
    spool.close()


def test_an_older_file_is_told_and_left(home: Path) -> None:
    spool = fresh_spool(home)
    spool.close()
    with closing(sqlite3.connect(spool.path)) as connection:
        connection.execute("CREATE TABLE bodies (id INTEGER)")
    warnings: list[str] = []
    assert adopt_spools(home / "spool", PLENTY, warnings.append) == []
    assert "an older version" in warnings[0]


def test_a_scrubbed_spool_keeps_its_order_and_takes_more_meanwhile(home: Path) -> None:
    spool = fresh_spool(home)
    for number in range(3):
        spool.put("spans", span_rows([number])).result()

    def keep(_table: str, batch: bytes) -> bytes | None:
        if b"question 0" in batch:
            spool.put("spans", span_rows([3])).result(timeout=30)
        return None if b"question 1" in batch else batch

    spool.scrub("erasure", keep)
    assert spool.size_bytes == sum(len(body.batch) for body in spool.bodies(Batch(0, "spans", 0, 1 << 60)))
    assert not any(b"question 1" in file.read_bytes() for file in (home / "spool").iterdir())
    spool = reopen(spool)
    assert prompts(spool) == ["question 0", "question 2", "question 3"]
    spool.close()


def test_a_batch_is_no_larger_than_memory_should_hold(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = fresh_spool(home)
    for number in range(4):
        spool.put("spans", span_rows([number])).result()
    monkeypatch.setattr("penstock.ingest.spool._MOST_BATCH_BYTES", spool.size_bytes // 2)
    batch = spool.claim(10_000)
    assert batch is not None
    assert len(spool.bodies(batch)) == 2
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
