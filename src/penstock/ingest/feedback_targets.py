"""Which interaction a report is about: pure decisions over the names by which interactions may be called.

Request ids, response ids and business keys are aliases, many to many. One match is a match; none means waiting; several are
recorded as ambiguous, with the reason, and never fanned out. A trace is its one interaction; where it has several and they are a
session of their own, it is that session.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from msgspec import Struct, field

from penstock.records.feedback import Feedback, FeedbackStatus, TargetKind
from penstock.records.ids import interaction_id

_NAMED_IN_REASON = 5
_BELOW = "the only interaction below that span"


class Name(NamedTuple):
    """One way to name an interaction."""

    kind: str  # a TargetKind
    key: str  # of a business key
    value: str


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

    def __init__(self, named: Iterable[Named], below: Mapping[Name, Iterable[str]] | None = None) -> None:
        self._rows: dict[str, Named] = {}
        for row in named:
            other = self._rows.get(row.interaction_id)
            if other is None or row.revision > other.revision:
                self._rows[row.interaction_id] = row
        self._by_name: dict[Name, set[str]] = defaultdict(set)
        for row in self._rows.values():
            counts = self.canonical(row.interaction_id)
            for name in _names(row):
                self._by_name[name].add(counts)
        self._below = {name: {self.canonical(one) for one in found} for name, found in (below or {}).items()}

    def canonical(self, identifier: str) -> str:
        """The interaction that counts for this one: itself, unless it was merged."""
        seen = {identifier}
        while (row := self._rows.get(identifier)) is not None and row.merged_into and row.merged_into not in seen:
            identifier = row.merged_into
            seen.add(identifier)
        return identifier

    def find(self, feedback: Feedback) -> set[str]:
        """The interactions that this report's target names: by the first of its names that is known."""
        return next((found for name in target_names(feedback) if (found := self._by_name.get(name))), set())

    def find_below(self, feedback: Feedback) -> set[str]:
        """The interactions below the span that this report's target names, where that is none itself."""
        return next((found for name in target_names(feedback) if (found := self._below.get(name))), set())

    def session_of(self, identifier: str) -> str | None:
        """The session of an interaction."""
        row = self._rows.get(identifier)
        return row.session_id if row else None


def target_names(feedback: Feedback) -> list[Name]:
    """The target as comparable names; a span is known by the id of the interaction that it is, or by itself without its trace."""
    if feedback.target_kind == TargetKind.SPAN:
        trace_id, _, span_id = feedback.target_id.lower().partition(":")
        if trace_id:
            return [Name(TargetKind.SPAN, "", interaction_id(trace_id, span_id))]
        return [Name(TargetKind.SPAN, "", f":{span_id}")]
    if feedback.target_kind == TargetKind.RUN:
        given = feedback.target_id
        kinds = (TargetKind.REQUEST, TargetKind.RESPONSE, TargetKind.TRACE)
        return [Name(kind, "", given.replace("-", "") if kind == TargetKind.TRACE else given) for kind in kinds]
    return [Name(feedback.target_kind, feedback.target_key or "", feedback.target_id)]


def _names(row: Named) -> Iterable[Name]:
    yield Name(TargetKind.SPAN, "", row.interaction_id)
    yield Name(TargetKind.SPAN, "", f":{row.span_id}")
    yield Name(TargetKind.TRACE, "", row.trace_id)
    if row.request_id:
        yield Name(TargetKind.REQUEST, "", row.request_id)
    if row.response_id:
        yield Name(TargetKind.RESPONSE, "", row.response_id)
    if row.session_id:
        yield Name(TargetKind.SESSION, "", row.session_id)
    for key, value in row.keys.items():
        yield Name(TargetKind.KEY, key, value)


def resolve(feedback: Feedback, directory: Directory, now: datetime, expiry: timedelta) -> Feedback | None:
    """The report's next revision, or None where nothing about it has changed."""
    direct = directory.find(feedback)
    found = sorted(direct or directory.find_below(feedback))
    if found:
        after = _decide(feedback, found, directory, now, reason=None if direct else _BELOW)
        return after if _outcome(after) != _outcome(feedback) else None
    if feedback.status in (FeedbackStatus.MATCHED, FeedbackStatus.AMBIGUOUS):
        return None
    if feedback.status == FeedbackStatus.PENDING and now - feedback.known_at >= expiry:
        reason = expired_reason(feedback.target_kind, feedback.target_key, feedback.target_id, expiry)
        return _next(feedback, now, status=FeedbackStatus.EXPIRED, reason=reason)
    return None if feedback.status == FeedbackStatus.PENDING else _next(feedback, now, status=FeedbackStatus.PENDING)


def _decide(feedback: Feedback, found: list[str], directory: Directory, now: datetime, reason: str | None) -> Feedback:
    """What a report is about that names these interactions."""
    if feedback.target_kind == TargetKind.SESSION:
        return _next(feedback, now, status=FeedbackStatus.MATCHED, session_id=feedback.target_id)
    if len(found) == 1:
        session = directory.session_of(found[0])
        return _next(feedback, now, status=FeedbackStatus.MATCHED, interaction_id=found[0], session_id=session, reason=reason)
    if session := _own_session(feedback, found, directory):
        return _next(feedback, now, status=FeedbackStatus.MATCHED, session_id=session)
    names = ambiguity(feedback.target_kind, feedback.target_key, feedback.target_id, found)
    return _next(feedback, now, status=FeedbackStatus.AMBIGUOUS, reason=names)


def _outcome(feedback: Feedback) -> tuple[str, str | None, str | None, str | None]:
    return feedback.status, feedback.interaction_id, feedback.session_id, feedback.reason


def _own_session(feedback: Feedback, found: Iterable[str], directory: Directory) -> str | None:
    """The session that the whole of a trace is, where no other session claims any of it."""
    sessions = {directory.session_of(identifier) for identifier in found}
    traces = {name.value for name in target_names(feedback) if name.kind == TargetKind.TRACE}
    return next(iter(sessions)) if len(sessions) == 1 and sessions <= traces else None


def follow_merge(feedback: Feedback, directory: Directory, now: datetime) -> Feedback | None:
    """The next revision of a matched report whose interaction was merged into another since."""
    if feedback.interaction_id is None:
        return None
    counts = directory.canonical(feedback.interaction_id)
    if counts == feedback.interaction_id:
        return None
    session = directory.session_of(counts) or feedback.session_id
    return _next(feedback, now, status=feedback.status, interaction_id=counts, session_id=session)


def ambiguity(kind: str, key: str | None, target: str, found: Sequence[str]) -> str:
    """Why a report is ambiguous whose target names these interactions, given in order."""
    named = ", ".join(found[:_NAMED_IN_REASON]) + (", ..." if len(found) > _NAMED_IN_REASON else "")
    return f"{_described(kind, key, target)} names {len(found)} interactions: {named}"


def expired_reason(kind: str, key: str | None, target: str, expiry: timedelta) -> str:
    """Why a report has expired."""
    return f"{_described(kind, key, target)} named nothing for {expiry.total_seconds() / 3600:g} h"


def _described(kind: str, key: str | None, target: str) -> str:
    return f"The {kind}{f' {key}' if key else ''} {target!r}"


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
