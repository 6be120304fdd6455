"""The rows of a query on any database that SQLAlchemy speaks to, as a stream, in the order of a watermark where there is one."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from penstock.errors import BadInputError, ConfigurationError, StorageError
from penstock.replay.log_rows import require_columns
from penstock.replay.watermark import TableRow
from penstock.text.quoted_values import without_values

_ROWS_AT_ONCE = 1000


class SqlTable:
    """One query."""

    def __init__(self, sql: str, url: str | sqlalchemy.URL, watermark: str | None, setting: str = "--database") -> None:
        """`setting` is what to name where the URL cannot be used."""
        self.watermark = watermark
        # The query stands within another: its comments may not reach further, its colons are no parameters.
        self._sql = sql.strip().rstrip(";").replace(":", r"\:")
        try:
            parsed = sqlalchemy.make_url(url)
            self._engine: Engine = sqlalchemy.create_engine(parsed, poolclass=NullPool)
        except (ArgumentError, NoSuchModuleError) as error:
            raise ConfigurationError(
                f"{setting} is no SQLAlchemy URL that can be used ({type(error).__name__}); write it like "
                "postgresql+psycopg://user@host/name."
            ) from error
        except ImportError as error:
            raise ConfigurationError(f"{setting} needs a driver that is not installed: pip install {error.name}.") from error
        self._file = _file_of(parsed)
        self.name = f"{parsed.render_as_string(hide_password=True)}"
        self.identity = f"{parsed.render_as_string(hide_password=True)}\n{sql}\n{watermark}"

    def read(self, after: Any, columns: frozenset[str]) -> Generator[TableRow]:
        """The rows; raises BadInputError for a query that fails, StorageError for a database that does."""
        with self._connection() as connection:
            total = int(self._execute(connection, "COUNT(*)", after).scalar_one())
            with self._execute(connection, "*", after) as found:
                header = list(found.keys())
                require_columns("The query", header, columns | ({self.watermark} if self.watermark else set()))
                for number, row in enumerate(found.mappings(), start=1):
                    yield row, number / max(total, number)

    def count_unmarked(self) -> int:
        """Rows whose watermark is null."""
        if self.watermark is None:
            return 0
        with self._connection() as connection:
            statement = f"SELECT COUNT(*) FROM ({self._sql}\n) penstock_rows WHERE {self._column} IS NULL"
            return int(connection.execute(sqlalchemy.text(statement)).scalar_one())

    @property
    def _column(self) -> str:
        return self._engine.dialect.identifier_preparer.quote(self.watermark or "").replace(":", r"\:")

    def _execute(self, connection: Connection, what: str, after: Any) -> Any:
        statement = f"SELECT {what} FROM ({self._sql}\n) penstock_rows"
        if self.watermark is not None:
            statement += f" WHERE {self._column} IS NOT NULL"
            statement += f" AND {self._column} >= :penstock_after" if after is not None else ""
            statement += f" ORDER BY {self._column}" if what == "*" else ""
        return connection.execute(sqlalchemy.text(statement), {"penstock_after": after} if after is not None else {})

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        if self._file is not None and not self._file.is_file():  # SQLite would make an empty one
            raise StorageError(f"{self.name} cannot be read: there is no file {self._file.absolute()}.")
        try:
            with self._engine.connect() as connection:
                yield connection.execution_options(stream_results=True, max_row_buffer=_ROWS_AT_ONCE)
        except DBAPIError as error:
            reason = str(error.orig).strip().splitlines()[0]
            if isinstance(error, DataError):  # it quotes what stands in a row
                reason = without_values(reason)
            # SQLite calls a wrong query an operational error, as it does a locked file.
            if isinstance(error, sqlalchemy.exc.ProgrammingError) or "syntax" in reason or "no such" in reason:
                raise BadInputError(f"The query fails on {self.name}: {reason}.") from error
            raise StorageError(f"{self.name} cannot be read: {reason}. The same command resumes.") from error
        except SQLAlchemyError as error:
            raise StorageError(f"{self.name} cannot be read: {str(error).splitlines()[0]}.") from error


def _file_of(url: sqlalchemy.URL) -> Path | None:
    """The file that a URL of SQLite names; None for one in memory, and for another database."""
    is_file = url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":memory:", "file:"))
    return Path(str(url.database)) if is_file else None
