"""Signal: one fact about an interaction or a session, from feedback or worked out from behaviour."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field


class SignalKind(StrEnum):
    """Said in so many words, shown by behaviour, or found out later."""

    EXPLICIT = "explicit"
    IMPLICIT = "implicit"
    OUTCOME = "outcome"


class Signal(Struct, frozen=True, kw_only=True):
    """One row of `signals`; names and value ranges are fixed in the design (section 4)."""

    signal_id: str
    target_kind: str  # interaction or session
    target_id: str
    interaction_id: str | None
    session_id: str | None
    name: str
    kind: str  # a SignalKind
    value: float | None
    text: str | None = None
    occurred_at: datetime
    known_at: datetime
    revision: int = 0
    source: str
    definition: str  # name@version
    feedback_id: str | None = None
    evidence: dict[str, str] = field(default_factory=dict)
