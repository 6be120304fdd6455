"""The files of a spool: the database `<uuid>.db`, its lock `<uuid>.lock`, and what SQLite lays beside them.

A new database gets its final name only when it is complete, and the lock is taken before, so that no other process can
see half a spool or take one that is just being made.
"""

import fcntl
import os
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path

from penstock.errors import ConflictError

_BUSY_TIMEOUT_S = 30.0
_SCHEMA = """
CREATE TABLE identity (value TEXT NOT NULL);
CREATE TABLE schemas (id INTEGER PRIMARY KEY, content BLOB NOT NULL UNIQUE);
CREATE TABLE bodies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    table_name TEXT NOT NULL,
    schema_id INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    content BLOB NOT NULL
);
CREATE INDEX bodies_by_table ON bodies (table_name, id, rows, size_bytes);
CREATE TABLE batches (
    table_name TEXT NOT NULL,
    number INTEGER NOT NULL,
    first_id INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'durable')),
    PRIMARY KEY (table_name, number)
);
CREATE TABLE progress (table_name TEXT PRIMARY KEY, number INTEGER NOT NULL, last_id INTEGER NOT NULL);
CREATE TABLE poison (
    id INTEGER PRIMARY KEY,
    table_name TEXT NOT NULL,
    schema_id INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    content BLOB NOT NULL,
    reason TEXT NOT NULL
);
"""


class FileLock:
    """The lock beside a spool; held until it is released or the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_suffix(".lock")
        self._descriptor: int | None = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have deleted the spool meanwhile, and this may be the lock of nothing.
            is_current = self._path.exists() and os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            is_current = False
        if not is_current:
            self.release()
            raise ConflictError(f"The spool {path} belongs to another live process; a spool has one owner.")

    def release(self) -> None:
        """Let it go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def connect(path: Path) -> sqlite3.Connection:
    """A connection on which every commit is fsynced; transactions are begun by hand."""
    # Connections are made in the thread that uses them, but the last reference may be dropped in another one.
    connection = sqlite3.connect(
        f"file:{path}?mode=rw",
        uri=True,
        timeout=_BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        factory=_Connection,
    )
    connection.execute("PRAGMA synchronous = FULL")
    return connection


class _Connection(sqlite3.Connection):
    """A connection that a `with` block closes; sqlite3's own only commits."""

    def __exit__(self, *exception: object) -> None:  # type: ignore[override]  # the base returns False, which is the same
        self.close()


def new_spool_path(folder: Path) -> Path:
    """Make an empty spool and give its path."""
    name = uuid.uuid4().hex
    path, draft = folder / f"{name}.db", folder / f"{name}.draft"
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.executescript("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + _SCHEMA)
        connection.execute("INSERT INTO identity VALUES (?)", (name,))
    finally:
        connection.close()
    draft.rename(path)
    _synchronise(folder)
    return path


def free_spools(folder: Path) -> Iterator[tuple[Path, FileLock]]:
    """The spools that no live process holds, each with its lock now held by this one."""
    for path in sorted(folder.glob("*.db")):
        try:
            lock = FileLock(path)
        except ConflictError:
            continue
        if path.exists():
            yield path, lock
        else:
            path.with_suffix(".lock").unlink(missing_ok=True)
            lock.release()


def remove_spool(path: Path) -> None:
    """Delete a spool's files, the lock last; it must be held."""
    for suffix in (".db", ".db-wal", ".db-shm", ".lock"):
        path.with_suffix(suffix).unlink(missing_ok=True)
    _synchronise(path.parent)


def _synchronise(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
