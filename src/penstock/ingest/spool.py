"""The spool: what an edge worker has accepted and the lake does not hold yet, in one SQLite file on the local disk.

A put is done when it has been fsynced. Puts that come together share one commit, made by the one thread that writes.
A spool belongs to the process that holds the lock beside it; the kernel gives the lock back when that process dies.
"""

import contextlib
import logging
import queue
import sqlite3
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Self

import pyarrow as pa
from msgspec import Struct

from penstock.errors import SpoolFullError, StorageError
from penstock.ingest.spool_file import FileLock, connect, free_spools, new_spool_path, remove_spool

logger = logging.getLogger(__name__)

_MOST_IN_ONE_COMMIT = 500
_CLOSE_TIMEOUT_S = 30.0


class SpoolDepth(Struct, frozen=True, kw_only=True):
    """How much a spool holds."""

    rows: int
    size_bytes: int
    poison: int  # what the lake would not take, kept aside


class _Put(Struct):
    table: str
    schema: pa.Schema
    content: pa.Buffer
    rows: int
    future: "Future[None]"


class Spool:
    """One open spool file, locked for this process."""

    def __init__(self, path: Path, max_bytes: int, *, lock: FileLock | None = None) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self._lock = lock or FileLock(path)
        try:
            with connect(path) as connection:
                self.app = str(connection.execute("SELECT value FROM identity").fetchone()[0])
                self._bytes, self._rows = connection.execute("SELECT total(size_bytes), total(rows) FROM bodies").fetchone()
        except sqlite3.Error as error:
            self._lock.release()
            raise StorageError(f"The spool {path} cannot be opened: {error}. Free disk space, or move the file aside.") from error
        self._pending_bytes = 0
        self._counting = threading.Lock()
        self._queue: queue.SimpleQueue[_Put | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._is_closed = False

    @classmethod
    def create(cls, folder: Path, max_bytes: int) -> Self:
        """A new spool in this folder."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return cls(new_spool_path(folder), max_bytes)
        except (OSError, sqlite3.Error) as error:
            raise StorageError(f"No spool can be made in {folder}: {error}. Nothing can be accepted without one.") from error

    @classmethod
    def adopt(cls, folder: Path, max_bytes: int = 0) -> list[Self]:
        """Every spool in this folder that no live process holds, locked for this one; what cannot be opened is logged and left."""
        adopted: list[Self] = []
        for path, lock in free_spools(folder):
            try:
                adopted.append(cls(path, max_bytes, lock=lock))
            except StorageError as error:
                logger.error("A spool cannot be adopted: %s", error)
        return adopted

    def put(self, table: str, batch: pa.RecordBatch) -> "Future[None]":
        """Store rows of a table; the future is resolved once they are on the disk. Raises SpoolFullError."""
        content = batch.serialize()
        put = _Put(table=table, schema=batch.schema, content=content, rows=batch.num_rows, future=Future())
        with self._counting:
            if self._is_closed:
                raise StorageError("The spool is closed: this worker is stopping. Send it again.")
            if self._bytes + self._pending_bytes + content.size > self.max_bytes:
                raise SpoolFullError(
                    f"The spool holds {int(self._bytes)} bytes and may hold {self.max_bytes} (edge.spool_max_bytes); "
                    "it empties as soon as the lake can be written again."
                )
            self._pending_bytes += content.size
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_forever, name=f"spool-{self.app[:8]}", daemon=True)
                self._writer.start()
            self._queue.put(put)
        return put.future

    def depth(self) -> SpoolDepth:
        """How much lies in it now."""
        with connect(self.path) as connection:
            rows, size = connection.execute("SELECT total(rows), total(size_bytes) FROM bodies").fetchone()
            poison = connection.execute("SELECT count(*) FROM poison").fetchone()[0]
        return SpoolDepth(rows=int(rows), size_bytes=int(size), poison=poison)

    def forget(self, rows: int, size_bytes: int) -> None:
        """Count bodies that have been deleted; their room is free again."""
        with self._counting:
            self._rows -= rows
            self._bytes -= size_bytes

    @property
    def held(self) -> tuple[int, int]:
        """Rows and bytes on the disk, by count."""
        return int(self._rows), int(self._bytes)

    def close(self) -> None:
        """Write what is queued, then let the file go; it stays for whoever adopts it."""
        with self._counting:
            self._is_closed = True
            writer = self._writer
        if writer is not None:
            self._queue.put(None)
            writer.join(_CLOSE_TIMEOUT_S)
        self._lock.release()

    def remove(self) -> bool:
        """Close and delete the file if nothing is left in it, not even poison; tells whether it did."""
        with connect(self.path) as connection:
            left = connection.execute(
                "SELECT (SELECT count(*) FROM bodies) + (SELECT count(*) FROM batches) + (SELECT count(*) FROM poison)"
            ).fetchone()[0]
        if left == 0:
            remove_spool(self.path)
        self.close()
        return bool(left == 0)

    def _write_forever(self) -> None:
        connection: sqlite3.Connection | None = None
        schemas: dict[tuple[str, pa.Schema], int] = {}
        while True:
            puts, is_last = self._take()
            if puts:
                try:
                    connection = connection or connect(self.path)
                    _write(connection, puts, schemas)
                except sqlite3.Error as error:
                    schemas.clear()
                    self._refuse(puts, error)
                    connection = _close(connection)
                except Exception as error:  # noqa: BLE001 - the thread must live: each put gets its answer, whatever went wrong
                    logger.exception("The spool could not write")
                    schemas.clear()
                    self._refuse(puts, error)
                    connection = _close(connection)
                else:
                    self._acknowledge(puts)
            if is_last:
                _close(connection)
                return

    def _take(self) -> tuple[list[_Put], bool]:
        """Wait for a put, then take all that wait with it."""
        puts: list[_Put] = []
        put = self._queue.get()
        while put is not None:
            puts.append(put)
            if len(puts) == _MOST_IN_ONE_COMMIT:
                return puts, False
            try:
                put = self._queue.get_nowait()
            except queue.Empty:
                return puts, False
        return puts, True

    def _acknowledge(self, puts: list[_Put]) -> None:
        size = sum(put.content.size for put in puts)
        with self._counting:
            self._pending_bytes -= size
            self._bytes += size
            self._rows += sum(put.rows for put in puts)
        for put in puts:
            _resolve(put.future, None)

    def _refuse(self, puts: list[_Put], error: Exception) -> None:
        with self._counting:
            self._pending_bytes -= sum(put.content.size for put in puts)
        is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        kind = SpoolFullError if is_full else StorageError
        advice = "Free some disk space." if is_full else "Look at the disk that the home directory lies on."
        for put in puts:
            _resolve(put.future, kind(f"The spool {self.path.name} could not be written: {error}. {advice}"))


def _write(connection: sqlite3.Connection, puts: list[_Put], schemas: dict[tuple[str, pa.Schema], int]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    rows = [
        (put.table, _schema_id(connection, put, schemas), memoryview(put.content), put.rows, put.content.size) for put in puts
    ]
    connection.executemany("INSERT INTO bodies (table_name, schema_id, content, rows, size_bytes) VALUES (?, ?, ?, ?, ?)", rows)
    connection.execute("COMMIT")


def _schema_id(connection: sqlite3.Connection, put: _Put, schemas: dict[tuple[str, pa.Schema], int]) -> int:
    """Schemas are stored once and not with each body: they are larger than most of them."""
    key = (put.table, put.schema)
    if key not in schemas:
        content = put.schema.serialize().to_pybytes()
        found = connection.execute("SELECT id FROM schemas WHERE content = ?", (content,)).fetchone()
        inserted = found or (connection.execute("INSERT INTO schemas (content) VALUES (?)", (content,)).lastrowid,)
        schemas[key] = int(inserted[0])
    return schemas[key]


def _close(connection: sqlite3.Connection | None) -> None:
    """A connection that failed may be in the middle of a transaction; closing it rolls that back."""
    if connection is not None:
        with contextlib.suppress(sqlite3.Error):
            connection.close()


def _resolve(future: "Future[None]", error: Exception | None) -> None:
    """The waiting request may be gone and its future cancelled; that is no matter."""
    if future.set_running_or_notify_cancel():
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
