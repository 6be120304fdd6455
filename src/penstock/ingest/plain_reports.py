"""Plain reports by business key, settled a column at a time: what `feedback_targets.resolve` decides, for many at once.

Plain is a report that names a key, came once, and was not settled before. All others go row by row; a test holds the two to the
same results.
"""

from datetime import datetime
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from penstock.ingest.feedback_targets import ambiguity
from penstock.ingest.key_touches import distinct_keys, find_touches
from penstock.lake.arrow_schema import arrow_schema
from penstock.lake.in_memory import open_database
from penstock.lake.lake import Lake
from penstock.lake.tables import TABLES
from penstock.records.feedback import FeedbackStatus, TargetKind

# Feedback as columns from anywhere: those of the table, any of which may be empty for all that the type says.
REPORTS = pa.schema([field.with_nullable(True) for field in arrow_schema(TABLES["feedback"]) if field.name != "date"])


def as_reports(rows: pa.Table) -> pa.Table:
    """Rows of feedback, from the lake or made of records, as REPORTS."""
    return rows.select(REPORTS.names).cast(REPORTS)


def split_plain(lake: Lake, arrived: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The plain among reports that arrived, and the others."""
    ids = arrived.column("feedback_id")
    counts: Any = pc.value_counts(ids.combine_chunks())
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), pa.scalar(1)))
    by_key = pc.and_(
        pc.equal(arrived.column("target_kind"), pa.scalar(str(TargetKind.KEY))), pc.is_valid(arrived.column("target_key"))
    )
    is_plain: Any = pc.and_(by_key, pc.invert(pc.is_in(ids, repeated)))
    if pc.any(is_plain).as_py():
        known = _settled_before(lake, arrived.filter(is_plain).column("feedback_id"))
        is_plain = pc.and_(is_plain, pc.invert(pc.is_in(ids, known)))
    return arrived.filter(is_plain), arrived.filter(pc.invert(is_plain))


def _settled_before(lake: Lake, ids: "pa.ChunkedArray[Any]") -> "pa.Array[Any]":
    revisions = lake.revisions("feedback")
    wanted = ibis.memtable(pa.table([ids], names=["feedback_id"]))
    settled = revisions.filter(revisions.revision > 0).select("feedback_id").semi_join(wanted, "feedback_id")
    found: pa.Table = settled.distinct().to_pyarrow()
    return found.column(0).combine_chunks()


def settle_plain(lake: Lake, plain: pa.Table, now: datetime) -> pa.Table:
    """The next revision of each of these reports, in the columns that they came with."""
    if plain.num_rows == 0:
        return plain
    engine = open_database()
    engine.register("touches", find_touches(lake, distinct_keys(plain)))
    engine.register("plain", plain.select(["feedback_id", "target_key", "target_id"]))
    found = engine.sql(
        "WITH named AS (SELECT target_key, target_id, list(interaction_id ORDER BY interaction_id) AS ids, "
        "min(session_id) AS session_id FROM touches GROUP BY ALL) SELECT feedback_id, plain.target_key, plain.target_id, "
        "coalesce(len(ids), 0) AS number, CASE WHEN len(ids) = 1 THEN ids[1] END AS interaction_id, "
        "CASE WHEN len(ids) = 1 THEN session_id END AS session_id, CASE WHEN len(ids) > 1 THEN ids END AS several "
        "FROM plain LEFT JOIN named ON plain.target_key = named.target_key AND plain.target_id = named.target_id "
        "ORDER BY feedback_id"
    ).to_arrow_table()
    number = found.column("number")
    status = pc.choose(
        pc.min_element_wise(number, pa.scalar(2, number.type)),
        *(pa.scalar(str(one)) for one in (FeedbackStatus.PENDING, FeedbackStatus.MATCHED, FeedbackStatus.AMBIGUOUS)),
    )
    ordered = plain.sort_by("feedback_id")
    changes = {
        "status": status,
        "interaction_id": found.column("interaction_id"),
        "session_id": found.column("session_id"),
        "reason": _reasons(found),
    }
    return next_revision(ordered, changes, now)


def _reasons(found: pa.Table) -> "pa.Array[Any]":
    columns = (found.column(name).to_pylist() for name in ("target_key", "target_id", "several"))
    said = (ambiguity(TargetKind.KEY, key, target, ids) if ids else None for key, target, ids in zip(*columns, strict=True))
    return pa.array(said, pa.string())


def next_revision(rows: pa.Table, changes: dict[str, Any], now: datetime) -> pa.Table:
    """Rows of feedback with other columns, a revision later, known now."""
    added = {
        **changes,
        "revision": pc.add(rows.column("revision"), pa.scalar(1, pa.int64())),
        "known_at": pa.repeat(pa.scalar(now, pa.timestamp("us", "UTC")), rows.num_rows),
    }
    for name, values in added.items():
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, rows.schema.field(at), values.cast(rows.schema.field(at).type))
    return rows
