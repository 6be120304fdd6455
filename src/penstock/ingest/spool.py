"""The spool: one SQLite file per edge worker that makes an acknowledgement durable before the lake has the rows.

`put` resolves after the commit is on disk (WAL, synchronous=FULL). Whoever holds the lock file owns the spool; the kernel
lets go of it when the process dies, so that another can adopt what is left.
"""

import fcntl
import logging
import os
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pyarrow as pa
from msgspec import Struct

from penstock.errors import SpoolFullError, StorageError
from penstock.lake.durability import make_folder, replace_durably

_MOST_BODIES_PER_COMMIT = 512
_MOST_BATCH_BYTES = 32 * 1024 * 1024  # a batch is held in memory on its way
_MOST_BYTES_PER_DELETE = 1024 * 1024  # a longer deletion would hold up acknowledgements
_PAGE_BYTES = 16 * 1024  # bodies are long: with SQLite's 4 KiB a write takes half as much CPU time again
# Pages in the write-ahead log before they are copied into the file, 512 MiB: a page that was used again meanwhile is copied once,
# and most are, since bodies stay for seconds. At 128 MiB every third body is written twice, with SQLite's 1000 pages every one.
_LOG_PAGES = 32_768
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (app TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS bodies (
    id INTEGER PRIMARY KEY AUTOINCREMENT, table_name TEXT NOT NULL, rows INTEGER NOT NULL, batch BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
    number INTEGER PRIMARY KEY AUTOINCREMENT, table_name TEXT NOT NULL, first_id INTEGER NOT NULL, last_id INTEGER NOT NULL,
    state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS poison (
    id INTEGER PRIMARY KEY, table_name TEXT NOT NULL, rows INTEGER NOT NULL, batch BLOB NOT NULL, reason TEXT NOT NULL);
"""

logger = logging.getLogger(__name__)


class Body(Struct, frozen=True):
    """What one request brought for one table, as an Arrow IPC stream."""

    id: int
    rows: int
    batch: bytes


class Batch(Struct, frozen=True):
    """Bodies that go to the lake in one commit; its number is the transaction's version there."""

    number: int
    table: str
    first_id: int
    last_id: int


class _Waiting(Struct):
    table: str
    rows: int
    batch: bytes
    done: Future[None]


class Spool:
    """One spool file that this process owns."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Take the lock and open the file, creating it where there is none; StorageError where another process holds it."""
        self.path = path
        self.max_bytes = max_bytes
        self.dropped_rows = 0  # given up to make room, since the start
        self._lock_file = _lock(path)
        try:
            self._connection = self._connect()
        except sqlite3.Error as error:
            os.close(self._lock_file)
            raise _cannot_open(path, error) from error
        try:
            self._connection.executescript(_SCHEMA)
            self.app = self._identify()
            self._size = self._stored_bytes()
        except sqlite3.Error as error:
            self._connection.close()
            os.close(self._lock_file)
            raise _cannot_open(path, error) from error
        self._size_lock = threading.Lock()
        self._write_lock = threading.Lock()  # SQLite's own waits by looking again ever more seldom
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="spool-writer", daemon=True)
        self._closed = False
        self._writer.start()

    @property
    def size_bytes(self) -> int:
        """Bytes of bodies that have not gone to the lake."""
        return self._size

    def put(self, table: str, batch: pa.RecordBatch | pa.Table) -> Future[None]:
        """Have rows written; the future resolves once they are on disk, or raises SpoolFullError."""
        data = to_stream(batch)
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()  # a caller that goes away cannot cancel what is about to be written
        with self._size_lock:
            if self._closed or self._refuses(len(data)):
                done.set_exception(
                    SpoolFullError(f"The spool holds {self._size} of {self.max_bytes} bytes and takes no more; send again later.")
                )
                return done
            self._size += len(data)
            self._queue.put(_Waiting(table, batch.num_rows, data, done))  # under the lock: never behind the end that close() puts
        return done

    def newest(self) -> int:
        """The id of the body that came last."""
        with self._reader() as connection:
            return int(connection.execute("SELECT coalesce(max(id), 0) FROM bodies").fetchone()[0])

    def claim(self, max_rows: int, until: int | None = None) -> Batch | None:
        """The next batch to flush: one claimed and not finished, else the oldest bodies, with others for the same table.

        With `until`, None where only bodies that came after this one wait.
        """
        for batch in self._batches("durable"):
            self._delete(batch)
        unfinished = self._batches("open")
        if unfinished:
            return unfinished[0]
        with self._transaction() as connection:
            first = connection.execute("SELECT table_name, id FROM bodies ORDER BY id LIMIT 1").fetchone()
            if first is None or (until is not None and first[1] > until):
                return None
            return self._claim_from(connection, first[0], max_rows)

    def bodies(self, batch: Batch) -> list[Body]:
        """The bodies of a batch, in order of arrival."""
        query = "SELECT id, rows, batch FROM bodies WHERE table_name = ? AND id BETWEEN ? AND ? ORDER BY id"
        with self._reader() as connection:
            return [Body(*row) for row in connection.execute(query, (batch.table, batch.first_id, batch.last_id))]

    def finish(self, batch: Batch) -> None:
        """Forget a batch that is durable in the lake."""
        with self._transaction() as connection:
            connection.execute("UPDATE batches SET state = 'durable' WHERE number = ?", (batch.number,))
        self._delete(batch)

    def put_aside(self, batch: Batch, body: Body, reason: str) -> None:
        """Move a body that the lake can never take out of the way, with the reason."""
        logger.error("The spool %s put %s rows for %s aside: %s", self.path.name, body.rows, batch.table, reason)
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO poison SELECT id, table_name, rows, batch, ? FROM bodies WHERE id = ?", (reason, body.id)
            )
            deleted = connection.execute("DELETE FROM bodies WHERE id = ?", (body.id,)).rowcount
        with self._size_lock:
            self._size -= len(body.batch) * deleted

    def scrub(self, erasure_id: str, keep: Callable[[str, bytes], bytes | None]) -> None:
        """Leave nothing in the file of what was deleted, nor of what `keep` drops of its bodies; then say so beside it.

        `keep` gives the body as it may stay, or None. A batch being written loses the same rows, or has them in the lake already,
        where they are erased as well.
        """
        for held in ("bodies", "poison"):
            with self._reader() as connection:
                ids = [row[0] for row in connection.execute(f"SELECT id FROM {held} ORDER BY id")]
            for body_id in ids:
                self._scrub_body(held, body_id, keep)
        with self._reader() as connection, self._write_lock:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        replace_durably(scrubbed_path(self.path), erasure_id.encode())

    def _scrub_body(self, held: str, body_id: int, keep: Callable[[str, bytes], bytes | None]) -> None:
        with self._transaction() as connection:
            found = connection.execute(f"SELECT table_name, batch FROM {held} WHERE id = ?", (body_id,)).fetchone()
            if found is None:
                return
            kept = keep(*found)
            if kept == found[1]:
                return
            if kept is None:
                connection.execute(f"DELETE FROM {held} WHERE id = ?", (body_id,))
            else:
                connection.execute(f"UPDATE {held} SET batch = ? WHERE id = ?", (kept, body_id))
        if held == "bodies":
            with self._size_lock:
                self._size -= len(found[1]) - len(kept or b"")

    def waiting_rows(self) -> int:
        """Rows that have not gone to the lake."""
        with self._reader() as connection:
            return int(connection.execute("SELECT coalesce(sum(rows), 0) FROM bodies").fetchone()[0])

    def poisoned_rows(self) -> int:
        """Rows put aside."""
        with self._reader() as connection:
            return int(connection.execute("SELECT coalesce(sum(rows), 0) FROM poison").fetchone()[0])

    def close(self, *, delete_if_empty: bool = False) -> None:
        """Write what was put, let go of the file, and remove it where nothing is left in it."""
        with self._size_lock:
            self._closed = True
        self._queue.put(None)
        self._writer.join()
        is_empty = self.waiting_rows() == 0 and self.poisoned_rows() == 0
        self._connection.close()
        if delete_if_empty and is_empty:
            _lock_path(self.path).unlink(missing_ok=True)  # first: an empty spool without it is adopted, a lock alone stays
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            scrubbed_path(self.path).unlink(missing_ok=True)
        os.close(self._lock_file)

    def _refuses(self, size_bytes: int) -> bool:
        """Whether a body of this size is turned away."""
        return self._size + size_bytes > self.max_bytes

    def _make_room(self, _connection: sqlite3.Connection) -> tuple[int, int]:
        """Called in the transaction that writes bodies: bytes and rows given up for them. A spool never gives up any."""
        return 0, 0

    def _batches(self, state: str) -> list[Batch]:
        query = "SELECT number, table_name, first_id, last_id FROM batches WHERE state = ? ORDER BY number"
        with self._reader() as connection:
            return [Batch(*row) for row in connection.execute(query, (state,))]

    def _claim_from(self, connection: sqlite3.Connection, table: str, max_rows: int) -> Batch:
        ids: list[int] = []
        rows = size = 0
        query = "SELECT id, rows, length(batch) FROM bodies WHERE table_name = ? ORDER BY id"
        for body_id, count, length in connection.execute(query, (table,)):
            if ids and (rows + count > max_rows or size + length > _MOST_BATCH_BYTES):
                break
            ids.append(body_id)
            rows, size = rows + count, size + length
        cursor = connection.execute(
            "INSERT INTO batches (table_name, first_id, last_id, state) VALUES (?, ?, ?, 'open')", (table, ids[0], ids[-1])
        )
        return Batch(int(cursor.lastrowid or 0), table, ids[0], ids[-1])

    def _delete(self, batch: Batch) -> None:
        """Delete a durable batch, a few bodies at a time; one that is cut short is gone on with at the next claim."""
        query = "SELECT id, length(batch) FROM bodies WHERE table_name = ? AND id BETWEEN ? AND ? ORDER BY id"
        with self._reader() as connection:
            left = deque(connection.execute(query, (batch.table, batch.first_id, batch.last_id)))
            where = "WHERE table_name = ? AND id BETWEEN ? AND ?"
            while left:
                last, size = 0, 0
                while left and size < _MOST_BYTES_PER_DELETE:
                    last, length = left.popleft()
                    size += length
                bodies = (batch.table, batch.first_id, last)
                with self._change(connection, "NORMAL"):  # if it is undone, it is done again
                    (freed,) = connection.execute(
                        f"SELECT coalesce(sum(length(batch)), 0) FROM bodies {where}", bodies
                    ).fetchone()
                    connection.execute(f"DELETE FROM bodies {where}", bodies)
                with self._size_lock:
                    self._size -= freed
            with self._change(connection):
                connection.execute("DELETE FROM batches WHERE number = ?", (batch.number,))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=30.0, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # of a new file
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
            connection.execute("PRAGMA secure_delete = OFF")  # what an erasure leaves is rewritten whole, by scrub()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _identify(self) -> str:
        row = self._connection.execute("SELECT app FROM meta").fetchone()
        if row is None:
            row = (f"spool:{uuid4()}",)
            self._connection.execute("INSERT INTO meta VALUES (?)", row)
        return str(row[0])

    def _stored_bytes(self) -> int:
        return int(self._connection.execute("SELECT coalesce(sum(length(batch)), 0) FROM bodies").fetchone()[0])

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """A connection of the caller's own, beside the writer's; reading holds up nobody."""
        try:
            with closing(self._connect()) as connection:
                yield connection
        except sqlite3.Error as error:
            raise StorageError(f"The spool {self.path} cannot be read or written: {error}.") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """The same, to change something."""
        with self._reader() as connection, self._change(connection):
            yield connection

    @contextmanager
    def _change(self, connection: sqlite3.Connection, synchronous: str = "FULL") -> Iterator[None]:
        """A transaction on a caller's connection; acknowledgements wait for its end, so it is short."""
        with self._write_lock:
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("COMMIT")

    def _write(self) -> None:
        while (first := self._queue.get()) is not None:
            group, is_last = self._drain(first)
            self._commit(group)
            if is_last:
                return

    def _drain(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        """Everything that waits already: it shares one commit, and so one fsync."""
        group = [first]
        while len(group) < _MOST_BODIES_PER_COMMIT:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, False
            if item is None:
                return group, True
            group.append(item)
        return group, False

    def _commit(self, group: list[_Waiting]) -> None:
        try:
            with self._write_lock:
                self._connection.execute("BEGIN IMMEDIATE")
                freed, given_up = self._make_room(self._connection)
                self._connection.executemany(
                    "INSERT INTO bodies (table_name, rows, batch) VALUES (?, ?, ?)",
                    [(item.table, item.rows, item.batch) for item in group],
                )
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            with self._size_lock:
                self._size -= sum(len(item.batch) for item in group)
            self._reuse_log()
            failure = SpoolFullError(f"The spool {self.path} cannot be written: {error}. Free the disk; send again later.")
            for item in group:
                item.done.set_exception(failure)
            return
        if freed:
            with self._size_lock:
                self._size -= freed
            self.dropped_rows += given_up
        for item in group:
            item.done.set_result(None)

    def _reuse_log(self) -> None:
        """Copy the log into the file, so that it begins anew: on a full disk it cannot grow to where that is due."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def to_stream(batch: pa.RecordBatch | pa.Table) -> bytes:
    """Rows as a body holds them: an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write(batch)
    return sink.getvalue().to_pybytes()


SpoolType = TypeVar("SpoolType", bound=Spool)


def create_spool(folder: Path, max_bytes: int) -> Spool:
    """A new, empty spool in this folder."""
    return create_as(Spool, folder, max_bytes)


def create_as(kind: type[SpoolType], folder: Path, max_bytes: int) -> SpoolType:
    """A new, empty spool of this kind."""
    _make_folder(folder)
    return kind(folder / f"{uuid4()}.db", max_bytes)


def adopt_spools(folder: Path, max_bytes: int, warn: Callable[[str], None] = logger.warning) -> list[Spool]:
    """Every spool in the folder that no live process holds."""
    return adopt_as(Spool, folder, max_bytes, warn)


def adopt_as(
    kind: type[SpoolType], folder: Path, max_bytes: int, warn: Callable[[str], None] = logger.warning
) -> list[SpoolType]:
    """The same, as spools of this kind."""
    _make_folder(folder)
    adopted: list[SpoolType] = []
    for path in sorted(folder.glob("*.db")):
        if _is_held(path):
            continue
        try:
            adopted.append(kind(path, max_bytes))
        except StorageError as error:
            warn(str(error))
    return adopted


def _make_folder(folder: Path) -> None:
    try:
        make_folder(folder)
    except OSError as error:
        raise StorageError(f"The spool folder {folder} cannot be made: {error.strerror}.") from error


def _cannot_open(path: Path, error: sqlite3.Error) -> StorageError:
    return StorageError(f"The spool {path} cannot be opened: {error}. Move it aside, or free the disk.")


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")


def _lock(path: Path) -> int:
    try:
        handle = os.open(_lock_path(path), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageError(f"The spool {path} cannot be opened: {error.strerror}.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise StorageError(f"The spool {path} is held by another process.") from error
    return handle


def scrubbed_path(path: Path) -> Path:
    """Where a spool names the newest erasure of which nothing is left in it."""
    return path.with_suffix(".scrubbed")


def _is_held(path: Path) -> bool:
    """Whether a live process has the lock; the look itself lets go of it at once."""
    try:
        handle = os.open(_lock_path(path), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return not path.exists()
