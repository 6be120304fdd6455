"""Settle feedback: every report finds the one interaction or session that it is about, waits for it, or says why it cannot.

What was found is a revision of the report itself. A target that names several interactions is ambiguous, never fanned out; one that
names none waits, and is tried again until it expires.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import ibis
import msgspec
from msgspec import Struct

from penstock.lake.lake import Lake
from penstock.lake.selection import among
from penstock.lake.tables import reader
from penstock.records.clock import WriterClock
from penstock.records.feedback import Feedback, FeedbackStatus, TargetKind
from penstock.records.ids import InteractionId, interaction_id

WATERMARK = reader("feedback", "settle")
MAX_ROWS = 50_000

_OPEN = (FeedbackStatus.RECEIVED.value, FeedbackStatus.PENDING.value)


class SettledFeedback(Struct, frozen=True, kw_only=True):
    """What became of the reports that were looked at."""

    matched: int = 0
    ambiguous: int = 0
    pending: int = 0
    expired: int = 0


class _Match(Struct, frozen=True):
    """An interaction that a target names."""

    interaction_id: str
    session_id: str | None


Target = tuple[str, str, str]  # kind, name of the key or "", id


def settle_feedback(lake: Lake, clock: WriterClock, expiry_h: float, max_rows: int = MAX_ROWS) -> SettledFeedback:
    """Look for the target of every report that is new or still waits."""
    changes = lake.changes("feedback", lake.transaction_version("feedback", WATERMARK), ["feedback_id", "status"], max_rows)
    is_new = FeedbackStatus.RECEIVED.value in changes.rows.column("status").to_pylist()
    feedback = lake.current("feedback")
    reports: list[Feedback] = lake.to_records("feedback", feedback.filter(feedback.status.isin(_OPEN)))
    if not reports and not is_new:
        return SettledFeedback()
    matches = _find_all(lake, reports)
    known_at = clock.known_at()
    settled = [
        msgspec.structs.replace(judged, known_at=known_at, revision=report.revision + 1)
        for report in reports
        if (judged := judge(report, matches.get(_target(report), []), known_at - timedelta(hours=expiry_h))) != report
    ]
    if settled or is_new:
        lake.append("feedback", settled, transactions={WATERMARK: changes.version})
    return _count(settled)


def judge(report: Feedback, matches: Sequence[_Match], expired_before: datetime) -> Feedback:
    """The report with what its target turned out to be; the report itself where nothing is to be said."""
    if report.target_kind == TargetKind.SESSION and matches:
        return msgspec.structs.replace(report, status=str(FeedbackStatus.MATCHED), session_id=matches[0].session_id)
    if len(matches) == 1:
        (found,) = matches
        return msgspec.structs.replace(
            report, status=str(FeedbackStatus.MATCHED), interaction_id=found.interaction_id, session_id=found.session_id
        )
    if len(matches) > 1:
        reason = f"the target names {len(matches)} interactions"
        return msgspec.structs.replace(report, status=str(FeedbackStatus.AMBIGUOUS), reason=reason)
    if report.known_at < expired_before:
        reason = "nothing that the target names arrived in time"
        return msgspec.structs.replace(report, status=str(FeedbackStatus.EXPIRED), reason=reason)
    return msgspec.structs.replace(report, status=str(FeedbackStatus.PENDING))


def _target(report: Feedback) -> Target:
    return (report.target_kind, report.target_key or "", report.target_id)


def _find_all(lake: Lake, reports: Iterable[Feedback]) -> dict[Target, list[_Match]]:
    """Per target the interactions that it names."""
    wanted: dict[tuple[str, str], set[str]] = defaultdict(set)
    for report in reports:
        kind, key, value = _target(report)
        wanted[(kind, key)].add(value)
    found: dict[Target, list[_Match]] = {}
    for (kind, key), values in wanted.items():
        for value, match in _find(lake, kind, key, sorted(values)):
            matches = found.setdefault((kind, key, value), [])
            if match not in matches:
                matches.append(match)
    return found


def _find(lake: Lake, kind: str, key: str, values: Sequence[str]) -> list[tuple[str, _Match]]:
    interactions = lake.current("interactions")
    if kind == TargetKind.SPAN:
        return _find_spans(lake, values)
    if kind == TargetKind.SESSION:
        rows = among(interactions, "session_id", values)
        sessions = rows.select("session_id").distinct().to_pyarrow().column("session_id").to_pylist()
        return [(session, _Match("", session)) for session in sessions]
    if kind == TargetKind.KEY:
        named = interactions.mutate(wanted=interactions["keys"].get(key, ibis.null("string")))
        return _matches(among(named.filter(named.wanted.notnull()), "wanted", values), "wanted")
    column = "request_id" if kind == TargetKind.REQUEST else "response_id"
    return _matches(among(interactions, column, values), column)


def _matches(rows: ibis.Table, column: str) -> list[tuple[str, _Match]]:
    listed = rows.select("interaction_id", "session_id", target=rows[column]).to_pyarrow().to_pylist()
    return [(row["target"], _Match(row["interaction_id"], row["session_id"])) for row in listed]


def _find_spans(lake: Lake, values: Sequence[str]) -> list[tuple[str, _Match]]:
    """A span that the gateway saw as well leads to the gateway's interaction."""
    by_id = {interaction_id(*value.split(":", 1)): value for value in values if ":" in value}
    revisions = among(lake.revisions("interactions"), "interaction_id", sorted(by_id))
    latest: dict[str, dict[str, Any]] = {}
    columns = revisions.select("interaction_id", "revision", "merged_into", "session_id")
    for row in sorted(columns.to_pyarrow().to_pylist(), key=lambda row: row["revision"]):
        latest[row["interaction_id"]] = row
    return [(by_id[InteractionId(name)], _Match(row["merged_into"] or name, row["session_id"])) for name, row in latest.items()]


def _count(settled: Sequence[Feedback]) -> SettledFeedback:
    counts = {status.value: sum(report.status == status for report in settled) for status in FeedbackStatus}
    return SettledFeedback(**{name: counts[name] for name in SettledFeedback.__struct_fields__})
