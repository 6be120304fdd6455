"""Why outcomes wait or have expired: what there is of the interactions that they name, looked up when somebody asks. Read-only.

Not written on the reports: with each interaction that comes the reason may be another one. Reasons quote no key's value.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from penstock.ingest.attribution import MICROSECONDS_OF_AN_HOUR
from penstock.ingest.key_touches import distinct_keys, find_touches
from penstock.ingest.settle_outcomes import OutcomeSettling
from penstock.lake.in_memory import open_database
from penstock.lake.lake import Lake
from penstock.records.feedback import FeedbackStatus, TargetKind

UNEXPLAINED = (FeedbackStatus.RECEIVED, FeedbackStatus.PENDING, FeedbackStatus.EXPIRED)
COLUMNS = ("feedback_id", "name", "status", "target_kind", "target_key", "target_id", "occurred_at")
_DEFINED: "list[pa.Field[Any]]" = [
    pa.field("name", pa.string()),
    pa.field("key", pa.string()),
    pa.field("window_h", pa.float64()),
]
_MOST_NAMES = 5

# What is nearest to each report, and by that why it has nothing.
_FOUND = """
CREATE TABLE found AS
WITH nearest AS (
  SELECT feedback_id, any_value(name) AS name, any_value(status) AS status, any_value(target_kind) AS kind,
    any_value(reports.target_key) AS key, any_value(reports.target_id) AS id, any_value(occurred_at) AS occurred_at,
    list(DISTINCT exposure ORDER BY exposure) AS exposures, count(exposure) AS carrying,
    count(*) FILTER (exposure IN (FROM counting)) AS counted,
    max(started_at) FILTER (exposure IN (FROM counting) AND started_at <= occurred_at) AS before,
    min(started_at) FILTER (exposure IN (FROM counting) AND started_at > occurred_at) AS after
  FROM reports LEFT JOIN touches ON reports.target_kind = 'key' AND reports.target_key = touches.target_key
    AND reports.target_id = touches.target_id
  GROUP BY feedback_id
)
SELECT nearest.*, window_h, (epoch_us(occurred_at) - epoch_us(before)) / {hour} AS before_h,
  (epoch_us(after) - epoch_us(occurred_at)) / {hour} AS after_h
FROM nearest LEFT JOIN definitions ON nearest.name = definitions.name AND nearest.key = definitions.key
"""
_GROUPS = """
SELECT name, kind, key, why, window_h, exposures, min(before_h) AS before_h, min(after_h) AS after_h, count(*) AS reports
FROM (SELECT * REPLACE (CASE WHEN why = 'traffic' THEN exposures END AS exposures) FROM (
  SELECT found.*, CASE
    WHEN kind != 'key' THEN 'unknown'
    WHEN carrying = 0 AND found.key NOT IN (FROM carried) THEN 'name'
    WHEN carrying = 0 AND alike.id IS NOT NULL THEN 'alike'
    WHEN carrying = 0 THEN 'value'
    WHEN window_h IS NOT NULL AND counted = 0 THEN 'traffic'
    WHEN window_h IS NOT NULL AND before_h IS NULL THEN 'after'
    WHEN window_h IS NOT NULL AND before_h > window_h THEN 'before'
    WHEN status = 'expired' THEN 'late'
    ELSE 'unsettled' END AS why
  FROM found LEFT JOIN alike ON found.key = alike.key AND lower(trim(found.id)) = alike.id
)) GROUP BY ALL ORDER BY name, reports DESC, why, key
"""


class Unexplained(Struct, frozen=True, kw_only=True):
    """Reports of one name that wait, or have expired, for one reason."""

    name: str
    reports: int
    reason: str


def explain(lake: Lake, settling: OutcomeSettling, reports: pa.Table) -> list[Unexplained]:
    """Why these reports, in COLUMNS, are about nothing, the most frequent reason of each name first."""
    if reports.num_rows == 0:
        return []
    keyed = reports.filter(pc.equal(reports.column("target_kind"), pa.scalar(str(TargetKind.KEY))))
    engine = open_database()
    engine.register("reports", reports)
    engine.register("touches", find_touches(lake, distinct_keys(keyed)))
    engine.register("counting", pa.table({"exposure": pa.array(settling.exposures, pa.string())}))
    engine.register("definitions", _definitions(settling))
    engine.execute(_FOUND.format(hour=MICROSECONDS_OF_AN_HOUR))
    names = _carried_names(lake)
    engine.register("carried", pa.table({"key": pa.array(names, pa.string())}))
    engine.register("alike", _alike(lake, engine, names))
    groups = engine.sql(_GROUPS).to_arrow_table().to_pylist()
    return [
        Unexplained(name=group["name"], reports=group["reports"], reason=_reason(group, names, settling.exposures))
        for group in groups
    ]


def _definitions(settling: OutcomeSettling) -> pa.Table:
    rows = [
        {"name": one.name, "key": key, "window_h": one.settings.window_h}
        for one in settling.definitions
        for key in one.settings.keys
    ]
    return pa.Table.from_pylist(rows, pa.schema(_DEFINED))


def _carried_names(lake: Lake) -> list[str]:
    """The names of all keys that interactions carry."""
    rows = lake.revisions("interactions")
    found = rows.select(key=rows["keys"].keys().unnest()).distinct().to_pyarrow()
    return sorted(str(name) for name in found.column("key").to_pylist())


def _alike(lake: Lake, engine: duckdb.DuckDBPyConnection, names: Sequence[str]) -> pa.Table:
    """The keys that nothing carries, in small letters and trimmed, where something carries one that is the same so."""
    lacking = engine.sql("SELECT DISTINCT key, lower(trim(id)) AS id FROM found WHERE carrying = 0 AND kind = 'key'")
    wanted: pa.Table = lacking.to_arrow_table()
    rows = lake.revisions("interactions")
    found = [pa.table({"key": pa.array([], pa.string()), "id": pa.array([], pa.string())})]
    for name in sorted({str(key) for key in wanted.column("key").to_pylist()} & set(names)):
        ids = wanted.filter(pc.equal(wanted.column("key"), pa.scalar(name))).select(["id"])
        carried = rows.select(key=ibis.literal(name), id=rows["keys"].get(name, None).strip().lower())
        alike: pa.Table = carried.semi_join(ibis.memtable(ids), "id").distinct().to_pyarrow()
        found.append(alike.cast(found[0].schema))
    return pa.concat_tables(found)


def _reason(group: Mapping[str, Any], names: Sequence[str], exposures: Sequence[str]) -> str:
    key = group["key"]
    match group["why"]:
        case "unknown":
            return f"no interaction is known by that {group['kind']}"
        case "name":
            return f"no interaction carries a key named {key!r}; {_other_names(key, names)}"
        case "alike":
            return f"no interaction carries that {key}, though one that differs from it only in capital letters or blanks"
        case "value":
            return f"no interaction carries that {key}"
        case "traffic":
            return (
                f"only {', '.join(group['exposures'])} traffic carries that {key}; traffic.exposures has {', '.join(exposures)}"
            )
        case "after":
            return f"every interaction with that {key} began after it, the nearest {_hours(group['after_h'])}"
        case "before":
            before = _hours(group["before_h"])
            return f"the nearest interaction with that {key} began {before} before; window_h is {group['window_h']:g}"
        case "late":
            return f"the interaction with that {key} came after it had expired"
    return "it is not settled yet; a worker does so within seconds, `penstock signals run` at once"


def _hours(hours: float) -> str:
    return f"{hours:.1f}".removesuffix(".0") + " h"


def _other_names(key: str, names: Sequence[str]) -> str:
    if not names:
        return "none carries any key (docs/contract.md)"
    small = {_squeezed(name): name for name in names}
    close = difflib.get_close_matches(_squeezed(key), list(small), n=1)
    if close:
        return f"did you mean {small[close[0]]!r}?"
    return f"there is {', '.join(names[:_MOST_NAMES])}{', ...' if len(names) > _MOST_NAMES else ''}"


def _squeezed(name: str) -> str:
    """A name without what is most often written otherwise: TicketID for ticket_id."""
    return "".join(character for character in name.lower() if character.isalnum())
