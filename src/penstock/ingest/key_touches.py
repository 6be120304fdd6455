"""Interactions by business key, a column at a time: which ones carry a key, seen as they are now.

An interaction carries a key when its latest revision does; of one that was merged into another, the other counts. Only ids, keys
and times are read, and of amended rows alone a second time.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from penstock.lake.in_memory import open_database
from penstock.lake.lake import Lake

_FIELDS: "list[pa.Field[Any]]" = [
    pa.field("target_key", pa.string()),
    pa.field("target_id", pa.string()),
    pa.field("interaction_id", pa.string()),
    pa.field("session_id", pa.string()),
    pa.field("started_at", pa.timestamp("us", "UTC")),
    pa.field("exposure", pa.string()),
]
TOUCHES = pa.schema(_FIELDS)
_COLUMNS = ("interaction_id", "session_id", "started_at", "exposure", "merged_into", "revision")
_LONGEST_MERGE = 8  # views of one call within each other


def find_touches(lake: Lake, wanted: pa.Table, dates: tuple[date, date] | None = None) -> pa.Table:
    """The interactions that carry these keys (columns target_key and target_id), once each, in the columns of TOUCHES.

    `dates` are the days on which they may have started.
    """
    keys = sorted(str(key) for key in pc.unique(wanted.column("target_key")).to_pylist())
    found = [_touches_of(lake, key, wanted.filter(pc.equal(wanted.column("target_key"), pa.scalar(key))), dates) for key in keys]
    return pa.concat_tables(found) if found else TOUCHES.empty_table()


def _touches_of(lake: Lake, key: str, wanted: pa.Table, dates: tuple[date, date] | None) -> pa.Table:
    rows = lake.revisions("interactions", dates=dates)
    carrying = rows.select(*_COLUMNS, target_id=rows["keys"].get(key, None))
    hits: pa.Table = _with_one_of(carrying, "target_id", wanted.column("target_id")).to_pyarrow()
    if hits.num_rows == 0:
        return TOUCHES.empty_table()
    amended: pa.Table = _with_one_of(
        carrying.filter(carrying.revision > 0), "interaction_id", hits.column("interaction_id")
    ).to_pyarrow()
    engine = open_database()
    engine.register("hits", hits)
    engine.register("amended", amended)
    engine.register("wanted", wanted)
    engine.execute(
        "CREATE TABLE latest AS SELECT * FROM (FROM hits UNION ALL BY NAME FROM amended) "
        "QUALIFY row_number() OVER (PARTITION BY interaction_id ORDER BY revision DESC) = 1"
        if amended.num_rows or _has_repeats(hits)
        else "CREATE TABLE latest AS FROM hits"
    )
    engine.execute("DELETE FROM latest WHERE target_id IS NULL OR target_id NOT IN (SELECT target_id FROM wanted)")
    _follow_merges(lake, engine)
    engine.register("key", pa.table({"target_key": [key]}))
    found: pa.Table = engine.sql(f"SELECT DISTINCT {', '.join(TOUCHES.names)} FROM latest, key").to_arrow_table()
    return found.cast(TOUCHES)


def _with_one_of(rows: ir.Table, column: str, values: "pa.ChunkedArray[Any]") -> ir.Table:
    distinct = pc.drop_null(pc.unique(values))
    return rows.semi_join(ibis.memtable(pa.table([distinct], names=[column])), column)


def _has_repeats(hits: pa.Table) -> bool:
    return pc.count_distinct(hits.column("interaction_id")).as_py() < hits.num_rows


def _follow_merges(lake: Lake, engine: duckdb.DuckDBPyConnection) -> None:
    """Put in place of a merged interaction the one that counts, which may have started on another day."""
    for _ in range(_LONGEST_MERGE):
        merged = engine.sql("SELECT DISTINCT merged_into FROM latest WHERE merged_into IS NOT NULL").to_arrow_table()
        if merged.num_rows == 0:
            return
        engine.register("counting", _latest(lake, merged))
        engine.execute(
            "CREATE OR REPLACE TABLE latest AS SELECT latest.target_id, counting.* FROM latest JOIN counting "
            "ON latest.merged_into = counting.interaction_id UNION ALL BY NAME "
            "SELECT * FROM latest WHERE merged_into IS NULL"
        )
        engine.unregister("counting")


def _latest(lake: Lake, ids: pa.Table) -> pa.Table:
    rows = lake.rows_with("interactions", "interaction_id", ids).select(*_COLUMNS).to_pyarrow()
    engine = open_database()
    engine.register("rows", rows)
    one_each = "FROM rows QUALIFY row_number() OVER (PARTITION BY interaction_id ORDER BY revision DESC) = 1"
    found: pa.Table = engine.sql(one_each).to_arrow_table()
    return found


def days_of(times: "pa.ChunkedArray[Any]") -> tuple[date, date]:
    """The first and the last day of these times."""
    bounds: Any = pc.min_max(times)
    return bounds["min"].as_py().date(), bounds["max"].as_py().date()


def distinct_keys(reports: pa.Table, names: Sequence[str] = ("target_key", "target_id")) -> pa.Table:
    """The keys that these reports name, once each."""
    return reports.select(list(names)).group_by(list(names)).aggregate([])
