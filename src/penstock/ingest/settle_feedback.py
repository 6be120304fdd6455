"""Settle feedback: every new report is matched with its target, waits for it, or is recorded as ambiguous or expired.

A report is looked at when it arrives, and again only when an interaction arrives that its target may name, or its time is up.
Both watermarks go into the commit that holds the outcome. One writer at a time.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import ibis.expr.types as ir
import pyarrow as pa
from msgspec import Struct

from penstock.ingest.feedback_targets import Directory, Named, aliases, follow_merge, resolve, target_name
from penstock.lake.arrow_schema import from_arrow
from penstock.lake.lake import Lake
from penstock.lake.selection import among, ids_of, ids_of_any
from penstock.lake.tables import reader
from penstock.lake.watermarks import Horizon, advancing
from penstock.records.clock import WriterClock
from penstock.records.feedback import Feedback, FeedbackStatus, TargetKind

FEEDBACK_WATERMARK = reader("feedback", "settle_feedback")
INTERACTIONS_WATERMARK = reader("interactions", "settle_feedback")
MAX_ROWS = 20_000

_COLUMN_OF = {
    TargetKind.REQUEST: "request_id",
    TargetKind.RESPONSE: "response_id",
    TargetKind.SPAN: "interaction_id",
    TargetKind.SESSION: "session_id",
}


class SettledFeedback(Struct, frozen=True, kw_only=True):
    """How many reports came to each end in this run."""

    matched: int = 0
    pending: int = 0
    ambiguous: int = 0
    expired: int = 0


def settle_feedback(lake: Lake, clock: WriterClock, expiry_h: float, max_rows: int = MAX_ROWS) -> SettledFeedback:
    """Settle what was new when this began and what waits; reports expire `expiry_h` hours after they came."""
    expiry = timedelta(hours=expiry_h)
    total: Counter[str] = Counter()
    horizon = Horizon(lake, "feedback", [FEEDBACK_WATERMARK, INTERACTIONS_WATERMARK])
    while (outcome := _settle_chunk(lake, clock, expiry, max_rows)) is not None:
        total.update(outcome)
        if horizon.is_reached():
            break
    return SettledFeedback(**total)


def _settle_chunk(lake: Lake, clock: WriterClock, expiry: timedelta, max_rows: int) -> Counter[str] | None:
    reports = lake.changes("feedback", lake.transaction_version("feedback", FEEDBACK_WATERMARK), None, max_rows)
    seen = lake.transaction_version("feedback", INTERACTIONS_WATERMARK)
    moved = lake.changes("interactions", seen, list(Named.__struct_fields__), max_rows)
    arrived = _new_reports(lake, reports.rows)
    named = from_arrow(Named, moved.rows)
    now = clock.known_at()
    waiting = _waiting(lake, named, now - expiry)
    considered = [*arrived, *waiting]
    directory = _look_up(lake, considered)
    outcome = [after for before in considered if (after := resolve(before, directory, now, expiry)) is not None]
    outcome += _moved_with_their_targets(lake, named, now, {row.feedback_id for row in considered})
    is_all = reports.version == lake.version("feedback")
    if is_all and not outcome and not named and FeedbackStatus.RECEIVED not in reports.rows.column("status").to_pylist():
        return None  # our own commits alone are no news: advancing past them would make another
    watermarks = {FEEDBACK_WATERMARK: reports.version, INTERACTIONS_WATERMARK: moved.version}
    lake.append("feedback", outcome, transactions=advancing(lake, "feedback", watermarks))
    return Counter(row.status for row in outcome)


def _new_reports(lake: Lake, rows: pa.Table) -> list[Feedback]:
    """Reports as they arrived, each once, without those that were settled before."""
    arrived = {row.feedback_id: row for row in reversed(from_arrow(Feedback, rows)) if row.status == FeedbackStatus.RECEIVED}
    if not arrived:
        return []
    settled = among(lake.revisions("feedback"), "feedback_id", arrived)
    known = set(ids_of(settled.filter(settled.revision > 0), "feedback_id").column(0).to_pylist())
    return sorted((row for key, row in arrived.items() if key not in known), key=lambda row: row.feedback_id)


def _waiting(lake: Lake, named: Iterable[Named], expired_before: datetime) -> list[Feedback]:
    """Waiting reports that a newly arrived interaction may answer, and those whose time is up.

    Only these are read, however many wait.
    """
    named = list(named)
    revisions = lake.revisions("feedback")
    waited = revisions.filter(revisions.status == FeedbackStatus.PENDING)
    on_spans = waited.filter(waited.target_kind == TargetKind.SPAN)  # hexadecimal, and may be given in capitals
    answered = [
        among(waited, "target_id", {alias for row in named for alias in aliases(row)}),
        among(on_spans.mutate(lowered=on_spans.target_id.lower()), "lowered", {f"{row.trace_id}:{row.span_id}" for row in named}),
    ]
    overdue = waited.filter(waited.known_at <= expired_before)
    candidates = ids_of_any([*(answered if named else ()), overdue], "feedback_id")
    if candidates.num_rows == 0:
        return []
    current = lake.current("feedback", ids=candidates)
    waiting: list[Feedback] = lake.to_records("feedback", current.filter(current.status == FeedbackStatus.PENDING))
    directory = Directory(named)
    return [row for row in waiting if directory.find(row) or row.known_at <= expired_before]


def _look_up(lake: Lake, reports: Iterable[Feedback]) -> Directory:
    """A directory of every interaction that these reports may name: candidates by any revision, then what they are called now."""
    wanted: dict[str, set[str]] = defaultdict(set)
    keyed: dict[str, set[str]] = defaultdict(set)
    for report in reports:
        kind, key, value = target_name(report)
        if kind == TargetKind.KEY:
            keyed[key].add(value)
        elif kind in _COLUMN_OF:
            wanted[_COLUMN_OF[TargetKind(kind)]].add(value)
    found = _candidates(lake, wanted, keyed)
    return Directory(_with_successors(lake, found) if found else ())


def _candidates(lake: Lake, wanted: Mapping[str, set[str]], keyed: Mapping[str, set[str]]) -> set[str]:
    revisions = lake.revisions("interactions")
    selections = [among(revisions, column, values) for column, values in wanted.items()]
    for key, values in keyed.items():
        carrying = revisions.mutate(key_value=revisions["keys"].get(key, None))
        selections.append(among(carrying, "key_value", values))
    return {str(value) for value in ids_of_any(selections, "interaction_id").column(0).to_pylist()}


def _with_successors(lake: Lake, identifiers: set[str]) -> list[Named]:
    """These interactions, and those that they were merged into."""
    rows = _named(lake, identifiers)
    further = {row.merged_into for row in rows if row.merged_into} - identifiers
    return rows + (_named(lake, further) if further else [])


def _named(lake: Lake, identifiers: set[str]) -> list[Named]:
    rows: ir.Table = among(lake.revisions("interactions"), "interaction_id", identifiers)
    return from_arrow(Named, rows.select(*Named.__struct_fields__).to_pyarrow())


def _moved_with_their_targets(lake: Lake, named: Iterable[Named], now: datetime, considered: set[str]) -> list[Feedback]:
    """Matched reports whose interaction turned out to be the same call as another's."""
    merged = {row.interaction_id for row in named if row.merged_into}
    if not merged:
        return []
    candidates = ids_of(among(lake.revisions("feedback"), "interaction_id", merged), "feedback_id")
    if candidates.num_rows == 0:
        return []
    current: list[Feedback] = lake.to_records("feedback", lake.current("feedback", ids=candidates))
    directory = Directory(_with_successors(lake, merged))
    followed = (follow_merge(row, directory, now) for row in current if row.feedback_id not in considered)
    return [row for row in followed if row is not None]
