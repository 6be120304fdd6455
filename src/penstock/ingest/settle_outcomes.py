"""Settle outcomes that have a definition: all reports of a key are decided together, and anew whenever one of them or an
interaction that carries the key arrives or is amended. What is decided as it stands already is not written again.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from penstock.ingest.attribution import OutcomeDefinition, attribute, outcome_definitions
from penstock.ingest.feedback_targets import expired_reason
from penstock.ingest.key_touches import days_of, distinct_keys, find_touches
from penstock.ingest.plain_reports import REPORTS, as_reports, next_revision
from penstock.lake.in_memory import open_database
from penstock.lake.lake import Lake
from penstock.lake.selection import ids_of
from penstock.records.feedback import Feedback, FeedbackStatus, TargetKind
from penstock.records.ids import digest
from penstock.settings import Settings

DECLARED = "outcomes:declared"  # counts how often other outcomes were defined than before
KEYS = pa.schema([("target_key", pa.string()), ("target_id", pa.string())])


class OutcomeSettling(Struct, frozen=True, kw_only=True):
    """What outcomes are attributed by."""

    definitions: Sequence[OutcomeDefinition] = ()
    exposures: Sequence[str] = ("served",)  # whose interactions an outcome may be about

    @property
    def mark(self) -> str:
        """The transaction that says when outcomes of these names were defined, and no others."""
        return f"{DECLARED}:{digest(*sorted(one.name for one in self.definitions))}"

    def is_defined(self, report: Feedback) -> bool:
        """Whether a report is attributed, and not merely matched."""
        return report.target_kind == TargetKind.KEY and any(
            report.name == one.name and report.target_key in one.settings.keys for one in self.definitions
        )

    def defined(self, reports: pa.Table) -> Any:
        """The same of many reports, as a mask."""
        chosen = pa.chunked_array([pa.repeat(pa.scalar(False), reports.num_rows)])
        for one in self.definitions:
            chosen = pc.or_(chosen, _are_of(one, reports))
        return chosen

    def with_values(self, reports: pa.Table) -> pa.Table:
        """The same reports, with the value of their definition where they have none of their own."""
        for one in self.definitions:
            if one.settings.value is not None:
                at = reports.schema.get_field_index("value")
                lacking = pc.and_(_are_of(one, reports), pc.is_null(reports.column(at)))
                values = pc.if_else(lacking, pa.scalar(one.settings.value, pa.float64()), reports.column(at))
                reports = reports.set_column(at, reports.schema.field(at), values)
        return reports


def _are_of(definition: OutcomeDefinition, reports: pa.Table) -> Any:
    by_key = pc.equal(reports.column("target_kind"), pa.scalar(str(TargetKind.KEY)))
    named = pc.equal(reports.column("name"), pa.scalar(definition.name))
    keyed = pc.is_in(reports.column("target_key"), pa.array(definition.settings.keys, pa.string()))
    return pc.and_(pc.and_(named, keyed), by_key)


def outcome_settling(settings: Settings) -> OutcomeSettling:
    """What the settings say of outcomes."""
    return OutcomeSettling(definitions=outcome_definitions(settings.outcomes), exposures=settings.traffic.exposures)


def settle_outcomes(
    lake: Lake,
    settling: OutcomeSettling,
    arrived: pa.Table,
    amended: Sequence[Feedback],
    moved: pa.Table,
    now: datetime,
    expiry: timedelta,
) -> pa.Table:
    """The next revisions of all reports of outcomes that change.

    `arrived` are reports that have come, and `amended` those that came again or whose time may be up, as they are to be seen;
    `moved` the interactions that are new or amended, with their keys.
    """
    overlay = as_reports(lake.to_rows("feedback", amended))
    touched_keys = pa.concat_tables([_keys_of(lake, moved, settling), _left_keys(lake, amended)])
    given = pa.concat_tables([arrived.select(["name", *KEYS.names]), overlay.select(["name", *KEYS.names])])
    settled = [REPORTS.empty_table()]
    for one in settling.definitions:
        own = given.filter(pc.equal(given.column("name"), pa.scalar(one.name)))
        touched = pa.concat_tables([own.select(KEYS.names), _only(touched_keys, one)])
        is_settled = _is_in_force(lake, one.mark, one.counter) and _is_in_force(lake, settling.mark, DECLARED)
        reports = _reports(lake, one, distinct_keys(touched) if is_settled else None)
        changed = overlay.filter(pc.equal(overlay.column("name"), pa.scalar(one.name)))
        settled.append(_settle(lake, one, _overlaid(reports, changed), settling.exposures, now, expiry))
    return pa.concat_tables(settled)


def _keys_of(lake: Lake, moved: pa.Table, settling: OutcomeSettling) -> pa.Table:
    """The keys of interactions that are new or amended, and those that amended ones used to carry."""
    names = sorted({key for one in settling.definitions for key in one.settings.keys})
    if moved.num_rows == 0 or not names:
        return KEYS.empty_table()
    amended = moved.filter(pc.greater(moved.column("revision"), pa.scalar(0)))
    maps = [moved.select(["keys"])]
    if amended.num_rows:
        before = lake.rows_with("interactions", "interaction_id", amended.select(["interaction_id"]))
        maps.append(before.select("keys").to_pyarrow())
    engine = open_database()
    engine.register("maps", pa.concat_tables([part.cast(maps[0].schema) for part in maps]))
    engine.register("names", pa.table({"key": pa.array(names, pa.string())}))
    found: pa.Table = engine.sql(
        "SELECT DISTINCT entry.key AS target_key, entry.value AS target_id FROM "
        "(SELECT unnest(map_entries(keys)) AS entry FROM maps) WHERE entry.key IN (SELECT key FROM names)"
    ).to_arrow_table()
    return found.cast(KEYS)


def _left_keys(lake: Lake, amended: Sequence[Feedback]) -> pa.Table:
    """The keys that reports used to name which came again: other reports may count there now."""
    again = [row.feedback_id for row in amended if row.status == FeedbackStatus.RECEIVED and row.revision > 0]
    if not again:
        return KEYS.empty_table()
    revisions = lake.rows_with("feedback", "feedback_id", pa.table({"feedback_id": again}))
    keyed = revisions.filter(revisions.target_kind == TargetKind.KEY.value)
    found: pa.Table = keyed.select(*KEYS.names).distinct().to_pyarrow()
    return found.cast(KEYS)


def _only(keys: pa.Table, definition: OutcomeDefinition) -> pa.Table:
    return keys.filter(pc.is_in(keys.column("target_key"), pa.array(definition.settings.keys, pa.string())))


def _reports(lake: Lake, definition: OutcomeDefinition, keys: pa.Table | None) -> pa.Table:
    """All reports of an outcome that have not expired, of these keys or of all, as they stand."""
    rows = lake.revisions("feedback") if keys is None else lake.rows_with("feedback", "target_id", keys.select(["target_id"]))
    named = rows.filter(
        rows.name == definition.name,
        rows.target_kind == TargetKind.KEY.value,
        rows.target_key.isin(definition.settings.keys),
    )
    current = lake.current("feedback", ids=ids_of(named, "feedback_id"))
    current = current.filter(current.status != FeedbackStatus.EXPIRED.value).drop("date")
    if keys is not None:
        current = current.semi_join(ibis.memtable(keys), ["target_key", "target_id"])
    return as_reports(current.to_pyarrow())


def _overlaid(reports: pa.Table, changed: pa.Table) -> pa.Table:
    """The reports as they are to be seen: those that came again with other content with that content."""
    if changed.num_rows == 0:
        return reports
    unchanged = reports.filter(pc.invert(pc.is_in(reports.column("feedback_id"), changed.column("feedback_id").combine_chunks())))
    return pa.concat_tables([unchanged, changed])


def _settle(
    lake: Lake, definition: OutcomeDefinition, reports: pa.Table, exposures: Sequence[str], now: datetime, expiry: timedelta
) -> pa.Table:
    """The next revisions of those reports of one outcome that change."""
    if reports.num_rows == 0:
        return reports
    touches = find_touches(lake, distinct_keys(reports), _days(definition, reports))
    touches = touches.filter(pc.is_in(touches.column("exposure"), pa.array(exposures, pa.string())))
    engine = open_database()
    engine.register("decided", attribute(definition, reports, touches))
    engine.register("standing", reports.select(["feedback_id", "status", *_DECIDED, "known_at", "value", "reason"]))
    after = engine.sql(_AFTER, params={"overdue": now - expiry, "value": definition.settings.value}).to_arrow_table()
    rows = reports.filter(pc.is_in(reports.column("feedback_id"), after.column("feedback_id").combine_chunks()))
    rows = rows.sort_by("feedback_id")
    reasons = _reasons(rows, after.column("status"), expiry)
    changes = {name: after.column(name) for name in ("status", *_DECIDED, "value")}
    return next_revision(rows, {**changes, "reason": reasons}, now)


_DECIDED = ("interaction_id", "session_id", "attribution")
# What each report is after this, where that is something else than before.
_AFTER = """
WITH after AS (
  SELECT feedback_id,
    CASE WHEN decided.status IS NOT NULL THEN decided.status
      WHEN standing.status = 'pending' AND standing.known_at <= $overdue THEN 'expired' ELSE 'pending' END AS status,
    decided.interaction_id, decided.session_id, decided.attribution, coalesce(standing.value, $value::DOUBLE) AS value
  FROM standing LEFT JOIN decided USING (feedback_id)
)
SELECT after.* FROM after JOIN standing USING (feedback_id)
WHERE after.status != standing.status OR after.interaction_id IS DISTINCT FROM standing.interaction_id
  OR after.session_id IS DISTINCT FROM standing.session_id OR after.attribution IS DISTINCT FROM standing.attribution
  OR after.value IS DISTINCT FROM standing.value
ORDER BY feedback_id
"""


def _days(definition: OutcomeDefinition, reports: pa.Table) -> tuple[date, date]:
    """On which the interactions of these reports may have begun."""
    first, last = days_of(reports.column("occurred_at"))
    within = timedelta(hours=definition.settings.window_h) + timedelta(days=1)
    return (first - within if (first - date.min) > within else date.min), last


def _reasons(rows: pa.Table, status: "pa.ChunkedArray[Any]", expiry: timedelta) -> "pa.Array[Any]":
    columns = (rows.column(name).to_pylist() for name in KEYS.names)
    found = zip(status.to_pylist(), *columns, strict=True)
    said = (
        expired_reason(TargetKind.KEY, key, target, expiry) if after == FeedbackStatus.EXPIRED else None
        for after, key, target in found
    )
    return pa.array(said, pa.string())


def marks(lake: Lake, settling: OutcomeSettling) -> Mapping[str, int]:
    """The marks of definitions by which reports are attributed from now on, to be committed with what they give.

    A definition that is changed, or taken out, and put back as it was is as good as new: others have counted meanwhile.
    """
    if not settling.definitions and lake.transaction_version("feedback", DECLARED) is None:
        return {}
    found: dict[str, int] = {}
    for mark, counter in ((settling.mark, DECLARED), *((one.mark, one.counter) for one in settling.definitions)):
        if not _is_in_force(lake, mark, counter):
            found[mark] = found[counter] = (lake.transaction_version("feedback", counter) or 0) + 1
    return found


def _is_in_force(lake: Lake, mark: str, counter: str) -> bool:
    number = lake.transaction_version("feedback", mark)
    return number is not None and number == lake.transaction_version("feedback", counter)
