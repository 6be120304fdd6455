"""Feedback: one report from outside, with its target as the sender named it, and what became of it."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field

OUTCOME_PREFIX = "outcome."  # of the names of reports on what became of it later


class TargetKind(StrEnum):
    """The ways in which the outside can name what it reports on."""

    REQUEST = "request"
    RESPONSE = "response"
    SPAN = "span"
    TRACE = "trace"
    RUN = "run"  # an id that a client made up: a request's, a response's or, as a UUID, a trace's
    SESSION = "session"
    KEY = "key"


class FeedbackStatus(StrEnum):
    """What has become of a report; `expired` is the end, the others may change as rows arrive."""

    RECEIVED = "received"
    PENDING = "pending"  # no such target yet
    MATCHED = "matched"
    AMBIGUOUS = "ambiguous"  # the target names several interactions: recorded, never fanned out
    ATTRIBUTED = "attributed"  # an outcome that its definition gave to an interaction, or to several with weights
    SUPERSEDED = "superseded"  # a later report of the same outcome and key counts instead
    EXPIRED = "expired"


# A report that counts, for the interaction or the session that it names.
SETTLED = (FeedbackStatus.MATCHED, FeedbackStatus.ATTRIBUTED)


class Feedback(Struct, frozen=True, kw_only=True):
    """One row of `feedback`; revision 0 is what arrived, later ones what settling found."""

    feedback_id: str
    target_kind: str  # a TargetKind
    target_id: str  # request, response, trace, run or session id; "trace:span", or ":span"; the value of a business key
    target_key: str | None = None  # the name of the business key
    name: str
    value: float | None = None
    text: str | None = None
    occurred_at: datetime
    known_at: datetime
    revision: int = 0
    source: str
    idempotency_key: str
    metadata: dict[str, str] = field(default_factory=dict)
    redactions: dict[str, int] = field(default_factory=dict)
    status: str = FeedbackStatus.RECEIVED
    interaction_id: str | None = None  # where it matched one
    session_id: str | None = None  # where it matched a session
    attribution: dict[str, float] | None = None  # where it was given to several interactions: their weights, which sum to 1
    reason: str | None = None  # why it is ambiguous or expired, or by what it matched where not by its name
