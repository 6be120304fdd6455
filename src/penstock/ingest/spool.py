"""The spool: what makes an acknowledgement durable before the lake has the rows; each edge worker has one.

Its bodies lie in files that are only appended to (`body_log.py`), with one fdatasync for all that wait; `put` resolves after it.
A SQLite file (WAL, synchronous=FULL) holds what became of them: the batches that go to the lake, and what was put aside. Whoever
holds the lock file owns the spool; the kernel lets go of it when the process dies, so that another can adopt what is left.
"""

import fcntl
import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pyarrow as pa
from msgspec import Struct

from penstock.errors import SpoolFullError, StorageError
from penstock.ingest.body_log import BodyLog
from penstock.ingest.segment import Damage
from penstock.lake.durability import make_folder, replace_durably

_MOST_BODIES_PER_COMMIT = 512
_MOST_BATCH_BYTES = 32 * 1024 * 1024  # a batch is held in memory on its way
_IDS_PER_OPENING = 1 << 40
_LOG_PAGES = 64  # of the write-ahead log before it begins anew, so that it need not grow on a disk that is full
_CHANGED_ON_DISK = "its checksum is another than when it was written: the disk has changed it"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (app TEXT NOT NULL, openings INTEGER NOT NULL);
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
    batch: pa.Buffer
    done: Future[None]


class Spool:
    """One spool that this process owns."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Take the lock and open the files, creating them where there are none; StorageError where another process holds it."""
        self.path = path
        self.max_bytes = max_bytes
        self.dropped_rows = 0  # given up to make room, since the start
        self._lock_file = _lock(path)
        self._database_lock = threading.Lock()
        try:
            self._connection = self._connect()
        except sqlite3.Error as error:
            os.close(self._lock_file)
            raise _cannot_open(path, error) from error
        try:
            self.app, self._unfinished, self._log = self._open()
        except (sqlite3.Error, OSError) as error:
            self._connection.close()
            os.close(self._lock_file)
            raise _cannot_open(path, error) from error
        self._queued_bytes = 0
        self._size_lock = threading.Lock()
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="spool-writer", daemon=True)
        self._closed = False
        self._writer.start()

    @property
    def size_bytes(self) -> int:
        """Bytes of bodies that have not gone to the lake."""
        return self._log.size_bytes + self._queued_bytes

    def put(self, table: str, batch: pa.RecordBatch | pa.Table) -> Future[None]:
        """Have rows written; the future resolves once they are on disk, or raises SpoolFullError."""
        data = _to_buffer(batch)
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()  # a caller that goes away cannot cancel what is about to be written
        with self._size_lock:
            if self._closed or self._refuses(data.size):
                done.set_exception(
                    SpoolFullError(
                        f"The spool holds {self.size_bytes} of {self.max_bytes} bytes and takes no more; send again later."
                    )
                )
                return done
            self._queued_bytes += data.size
            self._queue.put(_Waiting(table, batch.num_rows, data, done))  # under the lock: never behind the end that close() puts
        return done

    def newest(self) -> int:
        """The id of the body that came last."""
        return self._log.newest_id()

    def claim(self, max_rows: int, until: int | None = None) -> Batch | None:
        """The next batch to flush: one claimed and not finished, else the oldest bodies, with others for the same table.

        With `until`, None where only bodies that came after this one wait.
        """
        if self._unfinished is None:
            bodies = self._log.next_batch(max_rows, _MOST_BATCH_BYTES, until)
            if not bodies:
                return None
            table, first_id, last_id = bodies[0].table, bodies[0].id, bodies[-1].id
            with self._transaction() as connection:
                # What such a batch had is in no file any more, so nobody asks what became of it.
                connection.execute("DELETE FROM batches WHERE state = 'durable' AND last_id < ?", (self._log.oldest_id(),))
                cursor = connection.execute(
                    "INSERT INTO batches (table_name, first_id, last_id, state) VALUES (?, ?, ?, 'open')",
                    (table, first_id, last_id),
                )
            self._unfinished = Batch(int(cursor.lastrowid or 0), table, first_id, last_id)
        return self._unfinished

    def bodies(self, batch: Batch) -> list[Body]:
        """The bodies of a batch, in order of arrival; one that the disk has changed is put aside."""
        bodies = []
        with self._failures():
            found = self._log.read(batch.table, batch.first_id, batch.last_id)
        for record, content, is_intact in found:
            body = Body(record.id, record.rows, content)
            if is_intact:
                bodies.append(body)
            else:
                self.put_aside(batch, body, _CHANGED_ON_DISK)
        return bodies

    def finish(self, batch: Batch) -> None:
        """Forget a batch that is durable in the lake."""
        with self._transaction() as connection:
            connection.execute("UPDATE batches SET state = 'durable' WHERE number = ?", (batch.number,))
        self._unfinished = None
        self._log.forget(batch.table, batch.first_id, batch.last_id)
        with self._failures():
            self._log.drop_spent()

    def put_aside(self, batch: Batch, body: Body, reason: str) -> None:
        """Move a body that the lake can never take out of the way, with the reason."""
        logger.error("The spool %s put %s rows for %s aside: %s", self.path.name, body.rows, batch.table, reason)
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO poison VALUES (?, ?, ?, ?, ?)", (body.id, batch.table, body.rows, body.batch, reason)
            )
        self._log.forget(batch.table, body.id, body.id)  # and for good with its batch

    def scrub(self, erasure_id: str, keep: Callable[[str, bytes], bytes | None]) -> None:
        """Leave nothing in the files of what was forgotten, nor of what `keep` drops of its bodies; then say so beside it.

        `keep` gives the body as it may stay, or None. A batch being written loses the same rows, or has them in the lake already,
        where they are erased as well.
        """
        with self._failures():
            self._log.rewrite(keep)
        with self._transaction() as connection:
            for body_id, table, batch in connection.execute("SELECT id, table_name, batch FROM poison").fetchall():
                kept = keep(table, batch)
                if kept is None:
                    connection.execute("DELETE FROM poison WHERE id = ?", (body_id,))
                elif kept != batch:
                    connection.execute("UPDATE poison SET batch = ? WHERE id = ?", (kept, body_id))
        with self._database() as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        replace_durably(scrubbed_path(self.path), erasure_id.encode())

    def waiting_rows(self) -> int:
        """Rows that have not gone to the lake."""
        return self._log.rows

    def poisoned_rows(self) -> int:
        """Rows put aside."""
        with self._database() as connection:
            return int(connection.execute("SELECT coalesce(sum(rows), 0) FROM poison").fetchone()[0])

    def close(self, *, delete_if_empty: bool = False) -> None:
        """Write what was put, let go of the files, and remove them where nothing is left in them."""
        with self._size_lock:
            self._closed = True
        self._queue.put(None)
        self._writer.join()
        with self._failures():
            self._log.drop_spent(with_newest=True)
        is_empty = self.waiting_rows() == 0 and not self._holds_poison()
        self._connection.close()
        if delete_if_empty and is_empty:
            _lock_path(self.path).unlink(missing_ok=True)  # first: an empty spool without it is adopted, a lock alone stays
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            scrubbed_path(self.path).unlink(missing_ok=True)
        os.close(self._lock_file)

    def _refuses(self, size_bytes: int) -> bool:
        """Whether a body of this size is turned away."""
        return self.size_bytes + size_bytes > self.max_bytes

    def _make_room(self) -> int:
        """Called before bodies are written: the id below which others are given up for them. A spool never gives up any."""
        return 0

    def _open(self) -> tuple[str, Batch | None, BodyLog]:
        """Make or read what is there; whatever the disk had not kept of the last process is kept once this has returned."""
        if self._connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'bodies'").fetchone():
            raise sqlite3.DatabaseError("an older version has written it, which has to flush it")
        self._connection.executescript(_SCHEMA)
        if self._connection.execute("SELECT 1 FROM meta").fetchone() is None:
            self._connection.execute("INSERT INTO meta VALUES (?, 0)", (f"spool:{uuid4()}",))
        query = "UPDATE meta SET openings = openings + 1 RETURNING app, openings"
        ((app, openings),) = self._connection.execute(query).fetchall()
        query = "SELECT number, table_name, first_id, last_id FROM batches WHERE state = ? ORDER BY number"
        done = [Batch(*row) for row in self._connection.execute(query, ("durable",))]
        unfinished = next((Batch(*row) for row in self._connection.execute(query, ("open",))), None)
        log = BodyLog(
            self.path,
            openings * _IDS_PER_OPENING,
            lambda table, body_id: any(one.table == table and one.first_id <= body_id <= one.last_id for one in done),
        )
        for damage in log.damages:
            self._keep_damage(damage, log.content(damage))
        return app, unfinished, log

    def _keep_damage(self, damage: Damage, content: bytes) -> None:
        """Bytes of a file that are no record may have been one; the file goes once the others in it are in the lake."""
        reason = f"{damage.length} bytes at {damage.offset} of {damage.path.name} are no record: the disk has changed them"
        if self._connection.execute("SELECT 1 FROM poison WHERE reason = ?", (reason,)).fetchone() is None:
            logger.error("The spool %s: %s. They are kept aside.", self.path, reason)
            self._connection.execute(
                "INSERT INTO poison SELECT min(coalesce(min(id), 0), 0) - 1, '', 0, ?, ? FROM poison",
                (content, reason),
            )

    def _holds_poison(self) -> bool:
        with self._database() as connection:
            return connection.execute("SELECT 1 FROM poison").fetchone() is not None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=30.0, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"The spool {self.path} cannot be read or written: {error}.") from error

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """The database, for one thread at a time."""
        with self._database_lock, self._failures():
            yield self._connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """The same, to change something."""
        with self._database() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                connection.execute(
                    "PRAGMA wal_checkpoint(PASSIVE)"
                ).fetchall()  # on a full disk it cannot grow to where that is due
                raise

    def _write(self) -> None:
        while (first := self._queue.get()) is not None:
            group, is_last = self._drain(first)
            self._commit(group)
            if is_last:
                return

    def _drain(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        """Everything that waits already: it shares one fdatasync."""
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
        failure: SpoolFullError | None = None
        try:
            self.dropped_rows += self._log.append([(item.table, item.rows, item.batch) for item in group], self._make_room())
        except OSError as error:
            failure = SpoolFullError(
                f"The spool {self.path} cannot be written: {error.strerror}. Free the disk; send again later."
            )
        with self._size_lock:
            self._queued_bytes -= sum(item.batch.size for item in group)
        for item in group:
            if failure is None:
                item.done.set_result(None)
            else:
                item.done.set_exception(failure)


def to_stream(batch: pa.RecordBatch | pa.Table) -> bytes:
    """Rows as a body holds them: an Arrow IPC stream."""
    return _to_buffer(batch).to_pybytes()


def _to_buffer(batch: pa.RecordBatch | pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write(batch)
    return sink.getvalue()


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


def _cannot_open(path: Path, error: Exception) -> StorageError:
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
