"""SQL that a person types: one view per table with its current rows, statements that read, and no other file within reach.

Both halves are needed: DuckDB's own lock allows no path but the views' files, and could still overwrite those.
"""

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from penstock.errors import BadInputError
from penstock.lake.in_memory import open_database
from penstock.lake.place import Place
from penstock.lake.snapshot import Snapshot, current_sql, literal

_READING = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}


class LockedConnection:
    """Views on the snapshots of the lake at this place that it was given, and tables of the Arrow rows it was given."""

    def __init__(self, root: Place, snapshots: Sequence[Snapshot], extra: Mapping[str, pa.Table]) -> None:
        self._connection = open_database()
        root.prepare(self._connection)
        for name, rows in extra.items():
            self._connection.register("arriving", rows)
            self._connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM arriving')
            self._connection.unregister("arriving")
        for snapshot in snapshots:
            self._connection.execute(f'CREATE VIEW "{snapshot.table.name}" AS {current_sql(snapshot)}')
        paths = ", ".join(literal(path) for snapshot in snapshots for path in (snapshot.empty_file, *snapshot.files))
        self._connection.execute(f"SET allowed_paths = [{paths}]")
        self._connection.execute("SET enable_external_access = false; SET lock_configuration = true")

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """The result of one statement that reads; BadInputError for any other, duckdb.Error for one that fails."""
        statements = self._connection.extract_statements(query)
        if len(statements) != 1 or statements[0].type not in _READING:
            raise BadInputError("Give one statement that reads: SELECT, FROM, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN.")
        return self._connection.sql(query)

    def select(self, query: str) -> pa.Table:
        """Its rows; BadInputError for whatever cannot be run."""
        try:
            rows: pa.Table = self.sql(query).to_arrow_table()
        except duckdb.Error as error:
            raise BadInputError(f"The query cannot be run: {error}") from error
        return rows

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()
