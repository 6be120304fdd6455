"""Settle feedback: every new report is matched with its target, waits for it, or is recorded as ambiguous or expired.

Outcomes by key that have a definition are attributed (settle_outcomes.py), other plain reports by key are matched a column at a
time (plain_reports.py), and all else a row at a time.

A report is looked at when it arrives, and again only when an interaction arrives that its target may name, or its time is up; one
on a trace, or on a span above the model's calls, also when its trace gains an interaction. Both watermarks go into the commit
that holds the outcome. One writer at a time.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from penstock.ingest.feedback_amendment import amend, fold_repeats
from penstock.ingest.feedback_targets import Directory, Named, follow_merge, resolve
from penstock.ingest.look_up_targets import look_up_targets, with_successors
from penstock.ingest.plain_reports import REPORTS, as_reports, settle_plain, split_plain
from penstock.ingest.settle_outcomes import OutcomeSettling, marks, settle_outcomes
from penstock.ingest.waiting_reports import reports_to_look_at
from penstock.lake.arrow_schema import from_arrow
from penstock.lake.changes import Changes
from penstock.lake.lake import Lake
from penstock.lake.selection import among, ids_of
from penstock.lake.tables import reader
from penstock.lake.watermarks import Horizon, advancing
from penstock.records.clock import WriterClock
from penstock.records.feedback import Feedback, FeedbackStatus, TargetKind

FEEDBACK_WATERMARK = reader("feedback", "settle_feedback")
INTERACTIONS_WATERMARK = reader("interactions", "settle_feedback")
MAX_ROWS = 20_000
BY_COLUMN = 50  # so many times as many rows are taken where they are settled a column at a time
COMMIT_ROWS = 100_000  # whoever reads feedback takes whole commits
NO_OUTCOMES = OutcomeSettling()


class SettledFeedback(Struct, frozen=True, kw_only=True):
    """How many reports came to each end in this run."""

    matched: int = 0
    attributed: int = 0
    superseded: int = 0
    pending: int = 0
    ambiguous: int = 0
    expired: int = 0


def settle_feedback(
    lake: Lake, clock: WriterClock, expiry_h: float, max_rows: int = MAX_ROWS, *, outcomes: OutcomeSettling = NO_OUTCOMES
) -> SettledFeedback:
    """Settle what was new when this began and what waits; reports expire `expiry_h` hours after they came."""
    expiry = timedelta(hours=expiry_h)
    total: Counter[str] = Counter()
    horizon = Horizon(lake, "feedback", [FEEDBACK_WATERMARK, INTERACTIONS_WATERMARK])
    while (outcome := _settle_chunk(lake, clock, expiry, max_rows, outcomes)) is not None:
        total.update(outcome)
        if horizon.is_reached():
            break
    return SettledFeedback(**total)


def _settle_chunk(
    lake: Lake, clock: WriterClock, expiry: timedelta, max_rows: int, outcomes: OutcomeSettling
) -> Counter[str] | None:
    reports = _arrived(lake, max_rows)
    seen = lake.transaction_version("feedback", INTERACTIONS_WATERMARK)
    moved = lake.changes("interactions", seen, list(Named.__struct_fields__), max_rows)
    plain, others = split_plain(lake, outcomes.with_values(reports.rows))
    now = clock.known_at()
    waiting = _waiting(lake, moved.rows, now - expiry)
    # A report that was amended while it waited is the amended one.
    considered = {row.feedback_id: row for row in (*waiting, *_new_reports(lake, others))}
    defined = {key: row for key, row in considered.items() if outcomes.is_defined(row)}
    undefined = [row for key, row in considered.items() if key not in defined]
    directory = look_up_targets(lake, undefined)
    outcome = [after for before in undefined if (after := resolve(before, directory, now, expiry)) is not None]
    outcome += _moved_with_their_targets(lake, moved.rows, now, set(considered), outcomes)
    attributed = outcomes.defined(plain)
    settled = [
        as_reports(lake.to_rows("feedback", outcome)),
        settle_plain(lake, plain.filter(pc.invert(attributed)), now),
        settle_outcomes(lake, outcomes, plain.filter(attributed), list(defined.values()), moved.rows, now, expiry),
    ]
    rows = pa.concat_tables(settled)
    fresh = marks(lake, outcomes)
    is_all = reports.version == lake.version("feedback")
    if is_all and not rows.num_rows and not moved.rows.num_rows and not reports.rows.num_rows and not fresh:
        return None  # our own commits alone are no news: advancing past them would make another
    watermarks = {FEEDBACK_WATERMARK: reports.version, INTERACTIONS_WATERMARK: moved.version, **fresh}
    _append(lake, rows, advancing(lake, "feedback", watermarks))
    return Counter(map(str, rows.column("status").to_pylist()))


def _arrived(lake: Lake, max_rows: int) -> Changes:
    """The next reports as they arrived: as many as can be settled by column, unless too many have to go by row."""
    seen, most = lake.transaction_version("feedback", FEEDBACK_WATERMARK), max_rows * BY_COLUMN
    glance = lake.changes("feedback", seen, ["status", "target_kind"], most)
    received = glance.rows.filter(_is_received(glance.rows))
    by_row = received.filter(pc.not_equal(received.column("target_kind"), pa.scalar(str(TargetKind.KEY))))
    if by_row.num_rows > max_rows:
        return _received(lake.changes("feedback", seen, None, max_rows))
    if received.num_rows == 0:
        return Changes(rows=REPORTS.empty_table(), version=glance.version)
    return _received(lake.changes("feedback", seen, None, most))


def _received(changes: Changes) -> Changes:
    return Changes(rows=as_reports(changes.rows.filter(_is_received(changes.rows))), version=changes.version)


def _is_received(rows: pa.Table) -> Any:
    return pc.equal(rows.column("status"), pa.scalar(str(FeedbackStatus.RECEIVED)))


def _append(lake: Lake, rows: pa.Table, transactions: Mapping[str, int]) -> None:
    """Append what was settled, with the watermarks in the last commit; one that is cut short settles the rest again."""
    ordered = rows.sort_by("occurred_at") if rows.num_rows > COMMIT_ROWS else rows
    last = max(0, (rows.num_rows - 1) // COMMIT_ROWS)
    for part in range(last):
        lake.append("feedback", ordered.slice(part * COMMIT_ROWS, COMMIT_ROWS))
    lake.append("feedback", ordered.slice(last * COMMIT_ROWS), transactions=transactions)


def _new_reports(lake: Lake, rows: pa.Table) -> list[Feedback]:
    """Reports as they arrived, each once; those that were settled before only where they say something else now."""
    arrived = fold_repeats(row for row in from_arrow(Feedback, rows) if row.status == FeedbackStatus.RECEIVED)
    if not arrived:
        return []
    settled = among(lake.revisions("feedback"), "feedback_id", arrived)
    known = ids_of(settled.filter(settled.revision > 0), "feedback_id")
    if known.num_rows == 0:
        return sorted(arrived.values(), key=lambda row: row.feedback_id)
    before: list[Feedback] = lake.to_records("feedback", lake.current("feedback", ids=known))
    amended = {row.feedback_id: amend(row, arrived[row.feedback_id]) for row in before}
    return [row for key in sorted(arrived) if (row := amended.get(key, arrived[key])) is not None]


def _waiting(lake: Lake, moved: pa.Table, expired_before: datetime) -> list[Feedback]:
    """Reports that a newly arrived interaction may answer or answer otherwise, and waiting ones whose time is up.

    Only these are read, however many wait.
    """
    candidates = reports_to_look_at(lake, moved, expired_before)
    if candidates.num_rows == 0:
        return []
    current = lake.current("feedback", ids=candidates)
    is_open = current.status.isin((FeedbackStatus.PENDING, FeedbackStatus.MATCHED, FeedbackStatus.AMBIGUOUS))
    rows: list[Feedback] = lake.to_records("feedback", current.filter(is_open))
    directory, traces = Directory(from_arrow(Named, moved)), {str(trace) for trace in moved.column("trace_id").to_pylist()}
    return [row for row in rows if _is_to_be_looked_at(row, directory, traces, expired_before)]


def _is_to_be_looked_at(row: Feedback, directory: Directory, traces: set[str], expired_before: datetime) -> bool:
    is_pending = row.status == FeedbackStatus.PENDING
    if is_pending and (row.known_at <= expired_before or directory.find(row)):
        return True
    if row.status == FeedbackStatus.AMBIGUOUS and directory.find(row):
        return True
    return _trace_of(row) in traces and (is_pending or row.target_kind != TargetKind.SPAN or row.reason is not None)


def _trace_of(report: Feedback) -> str | None:
    """The trace that a report's target names or lies in."""
    if report.target_kind not in (TargetKind.TRACE, TargetKind.RUN, TargetKind.SPAN):
        return None
    return report.target_id.lower().partition(":")[0].replace("-", "")


def _moved_with_their_targets(
    lake: Lake, moved: pa.Table, now: datetime, considered: set[str], outcomes: OutcomeSettling
) -> list[Feedback]:
    """Matched reports whose interaction turned out to be the same call as another's."""
    merged_rows = moved.filter(pc.is_valid(moved.column("merged_into")))
    merged = {str(row) for row in merged_rows.column("interaction_id").to_pylist()}
    if not merged:
        return []
    candidates = ids_of(among(lake.revisions("feedback"), "interaction_id", merged), "feedback_id")
    if candidates.num_rows == 0:
        return []
    current: list[Feedback] = lake.to_records("feedback", lake.current("feedback", ids=candidates))
    directory = Directory(with_successors(lake, merged))
    rest = (row for row in current if row.feedback_id not in considered and not outcomes.is_defined(row))
    followed = (follow_merge(row, directory, now) for row in rest)
    return [row for row in followed if row is not None]
