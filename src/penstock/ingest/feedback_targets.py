"""Which interaction a report is about: pure decisions over the names by which interactions may be called.

Request ids, response ids and business keys are aliases, many to many. One match is a match; none means waiting; several are
recorded as ambiguous, with the reason, and never fanned out.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct, field

from penstock.records.feedback import Feedback, FeedbackStatus, TargetKind
from penstock.records.ids import interaction_id

_NAMED_IN_REASON = 5


class Named(Struct, frozen=True, kw_only=True):
    """What an interaction can be called, and which one counts in its stead."""

    interaction_id: str
    trace_id: str
    span_id: str
    request_id: str | None
    response_id: str | None
    session_id: str | None
    keys: dict[str, str] = field(default_factory=dict)
    revision: int
    merged_into: str | None


class Directory:
    """Interactions by every name they have; of one that was merged, the one that counts is given."""

    def __init__(self, named: Iterable[Named]) -> None:
        self._rows: dict[str, Named] = {}
        for row in named:
            other = self._rows.get(row.interaction_id)
            if other is None or row.revision > other.revision:
                self._rows[row.interaction_id] = row
        self._by_name: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for row in self._rows.values():
            counts = self.canonical(row.interaction_id)
            for name in _names(row):
                self._by_name[name].add(counts)

    def canonical(self, identifier: str) -> str:
        """The interaction that counts for this one: itself, unless it was merged."""
        seen = {identifier}
        while (row := self._rows.get(identifier)) is not None and row.merged_into and row.merged_into not in seen:
            identifier = row.merged_into
            seen.add(identifier)
        return identifier

    def find(self, feedback: Feedback) -> set[str]:
        """The interactions that this report's target names."""
        return self._by_name.get(target_name(feedback), set())

    def session_of(self, identifier: str) -> str | None:
        """The session of an interaction."""
        row = self._rows.get(identifier)
        return row.session_id if row else None


def target_name(feedback: Feedback) -> tuple[str, str, str]:
    """The target as one comparable name; a span is known by the id of the interaction that it is."""
    if feedback.target_kind == TargetKind.SPAN:
        trace_id, _, span_id = feedback.target_id.partition(":")
        return TargetKind.SPAN, "", interaction_id(trace_id.lower(), span_id.lower())
    return feedback.target_kind, feedback.target_key or "", feedback.target_id


def aliases(row: Named) -> set[str]:
    """What a report may give as its target to name this interaction otherwise than by its span."""
    return {name for kind, _key, name in _names(row) if kind != TargetKind.SPAN}


def _names(row: Named) -> Iterable[tuple[str, str, str]]:
    yield TargetKind.SPAN, "", row.interaction_id
    if row.request_id:
        yield TargetKind.REQUEST, "", row.request_id
    if row.response_id:
        yield TargetKind.RESPONSE, "", row.response_id
    if row.session_id:
        yield TargetKind.SESSION, "", row.session_id
    for key, value in row.keys.items():
        yield TargetKind.KEY, key, value


def resolve(feedback: Feedback, directory: Directory, now: datetime, expiry: timedelta) -> Feedback | None:
    """The report's next revision, or None where nothing about it has changed."""
    found = sorted(directory.find(feedback))
    if found and feedback.target_kind == TargetKind.SESSION:
        return _next(feedback, now, status=FeedbackStatus.MATCHED, session_id=feedback.target_id)
    if len(found) == 1:
        session = directory.session_of(found[0])
        return _next(feedback, now, status=FeedbackStatus.MATCHED, interaction_id=found[0], session_id=session)
    if found:
        named = ", ".join(found[:_NAMED_IN_REASON]) + (", ..." if len(found) > _NAMED_IN_REASON else "")
        return _next(
            feedback, now, status=FeedbackStatus.AMBIGUOUS, reason=f"{_target(feedback)} names {len(found)} interactions: {named}"
        )
    if feedback.status == FeedbackStatus.PENDING and now - feedback.known_at >= expiry:
        hours = expiry.total_seconds() / 3600
        return _next(feedback, now, status=FeedbackStatus.EXPIRED, reason=f"{_target(feedback)} named nothing for {hours:g} h")
    return None if feedback.status == FeedbackStatus.PENDING else _next(feedback, now, status=FeedbackStatus.PENDING)


def follow_merge(feedback: Feedback, directory: Directory, now: datetime) -> Feedback | None:
    """The next revision of a matched report whose interaction was merged into another since."""
    if feedback.interaction_id is None:
        return None
    counts = directory.canonical(feedback.interaction_id)
    if counts == feedback.interaction_id:
        return None
    session = directory.session_of(counts) or feedback.session_id
    return _next(feedback, now, status=feedback.status, interaction_id=counts, session_id=session)


def _target(feedback: Feedback) -> str:
    key = f" {feedback.target_key}" if feedback.target_key else ""
    return f"The {feedback.target_kind}{key} {feedback.target_id!r}"


def _next(
    feedback: Feedback,
    now: datetime,
    *,
    status: str,
    interaction_id: str | None = None,
    session_id: str | None = None,
    reason: str | None = None,
) -> Feedback:
    return msgspec.structs.replace(
        feedback,
        status=status,
        interaction_id=interaction_id,
        session_id=session_id,
        reason=reason,
        revision=feedback.revision + 1,
        known_at=now,
    )
