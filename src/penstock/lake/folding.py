"""Folding: superseded revisions, and rows written twice, are dropped once nobody may ask for them any more.

A row goes when a higher one of the same id was known before the time back to which "as known at" must be answered: from then on
it can never count again. A partition is looked at once its files are that old, so that no row is written more than once for it.
"""

from datetime import UTC, datetime, timedelta

import duckdb

from penstock.errors import BadInputError
from penstock.lake.arrow_schema import arrow_schema
from penstock.lake.open_table import OpenTable
from penstock.lake.partitions import partitions_due
from penstock.lake.place import Place
from penstock.lake.rewriting import count_rows, find_rows, rewrite_files
from penstock.lake.snapshot import Snapshot, instant, of_days, quote, source_sql
from penstock.lake.storage_failure import storage_failures
from penstock.lake.tables import Table

LEAST_SHARE = 0.05  # of a partition's rows must go; less is not worth writing it again


def fold_mark(table: Table) -> str:
    """The transaction that keeps when a table was last folded, in seconds since 1970."""
    return f"fold:{table.name}"


def horizon_mark(table: Table) -> str:
    """The transaction that keeps since when a table can be read as it was known, in seconds since 1970."""
    return f"folded:{table.name}"


def fold_table(opened: OpenTable, history_days: float, now: datetime, connection: duckdb.DuckDBPyConnection) -> int:
    """Fold every partition that is due; how many rows went."""
    mark = fold_mark(opened.table)
    history = timedelta(days=history_days)
    due = partitions_due(opened.latest(), history, opened.transaction_version(mark) or 0, now)
    if not due:
        return 0
    snapshot = opened.snapshot()
    gone = sum(_fold_partition(opened.root, of_days(snapshot, (day, day)), now - history, connection) for day in due)
    nothing = arrow_schema(opened.table).empty_table()
    before = int((now - history).timestamp())
    if gone and before > (opened.transaction_version(horizon_mark(opened.table)) or 0):
        opened.append(nothing, {horizon_mark(opened.table): before})
    opened.append(nothing, {mark: int(now.timestamp())})
    return gone


def require_answerable(opened: OpenTable, at: datetime) -> None:
    """Raise BadInputError where the table was folded since: what was known at so early a time is not all there."""
    horizon = opened.transaction_version(horizon_mark(opened.table))
    if horizon is not None and at.tzinfo is not None and at.timestamp() < horizon:
        since = datetime.fromtimestamp(horizon, UTC).isoformat()
        raise BadInputError(
            f"{opened.table.name} can be read as it was known at {since} or later, and {at.isoformat()} is before: superseded "
            "rows of that time were folded. A frozen dataset has its own rows; a longer lake.history_days keeps more from now on."
        )


def _fold_partition(root: Place, partition: Snapshot, before: datetime, connection: duckdb.DuckDBPyConnection) -> int:
    with storage_failures(f"fold {partition.table.name}", root / partition.table.name):
        superseded = find_rows(connection, partition, _superseded_sql(partition.table, source_sql(partition), before))
        gone = sum(map(len, superseded.values()))
        if not gone or gone < LEAST_SHARE * count_rows(connection, partition):
            return 0
        rewrite_files(root, partition.table, partition.files, superseded)
    return gone


def _superseded_sql(table: Table, source: str, before: datetime) -> str:
    """The places of rows that a higher row, known by then, keeps from ever counting again; a window over repeated ids alone."""
    identity = ", ".join(quote(name) for name in table.identity)
    order = ", ".join([*(["revision"] if table.has_revisions else []), "known_at", "file_index", "file_row_number"])
    keys = f"SELECT {identity}, {order} FROM {source}"
    return (
        f"WITH keys AS ({keys}), repeated AS (SELECT {identity} FROM keys GROUP BY ALL HAVING count(*) > 1), "
        f"ranked AS (SELECT file_index, file_row_number, min(known_at) OVER (PARTITION BY {identity} ORDER BY {order} "
        f"ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS superseded_at FROM keys SEMI JOIN repeated USING ({identity})) "
        f"SELECT file_index, file_row_number FROM ranked WHERE superseded_at <= {instant(before)}"
    )
