"""The connection to SQLite or PostgreSQL, and the one transaction that all nouns of a thread join.

A write begins by taking SQLite's write lock (BEGIN IMMEDIATE): a transaction that read first and wrote later would
fail at once where another process wrote in between, however long the busy timeout.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DataError, IntegrityError, NoSuchModuleError

from penstock.errors import BadInputError, ConfigurationError, ConflictError, MissingDependencyError, StorageError

_BUSY_TIMEOUT_MS = 30_000
_WAL_RETRY_MS = 10
_IS_WRITE = "penstock_is_write"


class Database:
    """One engine, and the transaction that the current thread has open on it."""

    def __init__(self, url: str) -> None:
        self.url = _parse_url(url)
        self.engine = _create_engine(self.url)
        self._write_engine = self.engine.execution_options(**{_IS_WRITE: True})
        self._thread = threading.local()

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite rather than PostgreSQL."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction for writing, or the one this thread is in already; it is applied whole or not at all."""
        joined = self._joined()
        if joined is not None:
            yield joined
            return
        self._create_folder()
        with self._translated_errors(), self._write_engine.begin() as connection:
            self._thread.connection = connection
            try:
                yield connection
            finally:
                self._thread.connection = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading, or the one of the transaction this thread is in, so that it sees its own writes."""
        joined = self._joined()
        if joined is not None:
            yield joined
            return
        with self._translated_errors(), self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    def _joined(self) -> Connection | None:
        return getattr(self._thread, "connection", None)

    def _create_folder(self) -> None:
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        where = self.url.render_as_string(hide_password=True)
        try:
            yield
        except IntegrityError as error:
            raise ConflictError(f"The registry at {where} refused a row: {error.orig}.") from error
        except DataError as error:
            raise BadInputError(f"The registry at {where} cannot hold a value: {error.orig}.") from error
        except DatabaseError as error:
            advice = "Check that it can be reached and written, and that its tables are there (`penstock up` creates them)"
            raise StorageError(f"The registry at {where} failed: {error.orig}. {advice}.") from error


def _parse_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(f"registry.url {url!r} is no SQLAlchemy URL, such as postgresql+psycopg://host/name.") from error
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigurationError(
            f"registry.url names {parsed.get_backend_name()}; the registry runs on sqlite or postgresql+psycopg."
        )
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ConfigurationError("registry.url names no file; several processes share the registry, so it needs one.")
    return parsed


def _create_engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return create_engine(url, pool_pre_ping=True)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise MissingDependencyError(
            f"registry.url asks for {url.drivername}, whose driver is not installed; "
            "write postgresql+psycopg:// and run `pip install 'penstock[postgres]'`."
        ) from error


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    _switch_to_wal(connection)


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Let readers read while one writes; the file remembers it, and only the first processes on a new file meet here.

    SQLite does not wait its busy timeout for this lock, so we do.
    """
    for attempts_left in reversed(range(_BUSY_TIMEOUT_MS // _WAL_RETRY_MS)):
        try:
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or not attempts_left:
                raise
            time.sleep(_WAL_RETRY_MS / 1000)


def _begin_sqlite(connection: Connection) -> None:
    is_write = connection.get_execution_options().get(_IS_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")
