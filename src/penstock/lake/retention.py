"""Retention: days older than a table keeps are dropped, but for the rows that a label, a draw or a dataset still leads back to.

What is labelled, queued or in a dataset outlives its time until it is erased; labels and the rows of datasets have no end at all.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import duckdb

from penstock.lake.arrow_schema import arrow_schema
from penstock.lake.open_table import OpenTable
from penstock.lake.partitions import partitions, partitions_due
from penstock.lake.rewriting import find_rows, rewrite_files
from penstock.lake.snapshot import Snapshot, of_days, source_sql
from penstock.lake.storage_failure import storage_failures
from penstock.settings import RetentionSettings

Source = Callable[[str], str]  # the name of a table -> all its rows, to select from

# table -> which of its rows are held by what is labelled, queued or in a dataset
_HELD: Mapping[str, str] = {
    "interactions": "interaction_id IN (SELECT id FROM held)",
    "spans": "trace_id IN (SELECT trace_id FROM held_calls)",
    "signals": "interaction_id IN (SELECT id FROM held) OR session_id IN (SELECT session_id FROM held_calls)",
    "feedback": "feedback_id IN (SELECT feedback_id FROM held_reports)",
    "evaluation_items": "false",
}


def retention_mark(table: str) -> str:
    """The transaction that keeps when a table's old days were last looked at, in seconds since 1970."""
    return f"retention:{table}"


def kept_days(settings: RetentionSettings) -> dict[str, float]:
    """Days by table, of those tables that do not keep for good."""
    return {table: days for table in _HELD if (days := float(getattr(settings, f"{table}_days"))) > 0}


def expire_table(opened: OpenTable, days: float, now: datetime, source: Source, connection: duckdb.DuckDBPyConnection) -> int:
    """Drop the rows of days that are over by more than so many days; how many rows went."""
    mark, age = retention_mark(opened.table.name), timedelta(days=days)
    last = opened.transaction_version(mark) or 0
    handle = opened.latest()
    last_day = (now - age).date()
    looked_up_to = (datetime.fromtimestamp(last, now.tzinfo) - age).date() if last else None
    arrived_since = set(partitions_due(handle, timedelta(0), last, now))
    old = [day for day in partitions(handle) if day < last_day]
    due = [day for day in old if looked_up_to is None or day >= looked_up_to or day in arrived_since]
    if not due:
        return 0
    snapshot = opened.snapshot()
    with storage_failures(f"drop old rows of {opened.table.name}", opened.path):
        _collect_held(connection, source)
        gone = sum(_expire_partition(opened, of_days(snapshot, (day, day)), connection) for day in due)
    opened.append(arrow_schema(opened.table).empty_table(), {mark: int(now.timestamp())})
    return gone


def _collect_held(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """What others lead back to, as small temporary tables of ids."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE held AS SELECT DISTINCT id FROM ("
        f"SELECT interaction_id AS id FROM {source('labels')} UNION ALL "
        f"SELECT other_interaction_id FROM {source('labels')} UNION ALL "
        f"SELECT interaction_id FROM {source('draws')} WHERE taken UNION ALL "
        f"SELECT unnest(interaction_ids) FROM {source('dataset_rows')}) WHERE id IS NOT NULL"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE held_calls AS SELECT DISTINCT trace_id, session_id FROM {source('interactions')} "
        "WHERE interaction_id IN (SELECT id FROM held)"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE held_reports AS SELECT DISTINCT feedback_id FROM ("
        f"SELECT feedback_id, interaction_id AS id FROM {source('feedback')} UNION ALL "
        f"SELECT feedback_id, unnest(map_keys(attribution)) FROM {source('feedback')}) WHERE id IN (SELECT id FROM held)"
    )


def _expire_partition(opened: OpenTable, partition: Snapshot, connection: duckdb.DuckDBPyConnection) -> int:
    expired = find_rows(
        connection,
        partition,
        f"SELECT file_index, file_row_number FROM {source_sql(partition)} WHERE ({_HELD[opened.table.name]}) IS NOT TRUE",
    )
    if expired:
        rewrite_files(opened.root, opened.table, sorted(expired), expired)
    return sum(map(len, expired.values()))
