"""SQL that a person types: a DuckDB connection with one view per table, that can touch no file but those of the views.

The views show current rows. `select()` takes reading statements only; nothing reaches a file that a view does not name.
"""

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from penstock.errors import BadInputError
from penstock.lake.snapshot import Snapshot, current_sql, literal

_READING = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}


def open_locked(snapshots: Sequence[Snapshot], extra: Mapping[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    """A connection with a view per snapshot and per Arrow table, then locked for good."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, rows in extra.items():
        connection.register("arriving", rows)
        connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM arriving')
        connection.unregister("arriving")
    for snapshot in snapshots:
        connection.execute(f'CREATE VIEW "{snapshot.table.name}" AS {current_sql(snapshot)}')
    paths = ", ".join(literal(path) for snapshot in snapshots for path in (snapshot.empty_file, *snapshot.files))
    connection.execute(f"SET allowed_paths = [{paths}]")
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


def select(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """The rows of one reading statement; BadInputError for anything else, and for what DuckDB refuses."""
    try:
        statements = connection.extract_statements(query)
        if len(statements) != 1 or statements[0].type not in _READING:
            raise BadInputError("`penstock sql` takes one statement that reads: SELECT, FROM, DESCRIBE, SUMMARIZE or EXPLAIN.")
        rows: pa.Table = connection.sql(query).to_arrow_table()
        return rows
    except duckdb.Error as error:
        raise BadInputError(f"The query cannot be run: {error}") from error
