"""Release: a checkpoint's way through canary to live, or back; Route: the one pointer that says which one serves."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class ReleaseState(StrEnum):
    """Where a release stands."""

    PROPOSED = "proposed"
    REFUSED = "refused"  # by the offline gates, or unproven when its time in canary was up
    CANARY = "canary"
    LIVE = "live"
    ROLLED_BACK = "rolled_back"


RELEASE_TRANSITIONS: dict[ReleaseState, frozenset[ReleaseState]] = {
    ReleaseState.PROPOSED: frozenset({ReleaseState.REFUSED, ReleaseState.CANARY, ReleaseState.LIVE}),
    ReleaseState.REFUSED: frozenset(),
    ReleaseState.CANARY: frozenset({ReleaseState.LIVE, ReleaseState.ROLLED_BACK, ReleaseState.REFUSED}),
    ReleaseState.LIVE: frozenset({ReleaseState.ROLLED_BACK}),
    ReleaseState.ROLLED_BACK: frozenset(),
}


class Arm(StrEnum):
    """Which side of a split answered."""

    STABLE = "stable"
    CANDIDATE = "candidate"


class Release(Struct, frozen=True, kw_only=True):
    """One checkpoint's way to production."""

    release_id: str
    route: str
    checkpoint_id: str
    stable_checkpoint_id: str
    state: str  # a ReleaseState
    candidate_share: float
    salt: str  # makes the sticky split of this release independent of every other
    turn_id: str | None
    p_value: float | None = None  # always valid; the running minimum
    created_at: datetime
    canary_at: datetime | None = None
    decided_at: datetime | None = None
    applied_at: datetime | None = None  # when every live edge had confirmed the flip
    reason: str | None = None


class ReleaseEvent(Struct, frozen=True, kw_only=True):
    """One thing that happened to a release, with the evidence for it."""

    release_id: str
    at: datetime
    state: str
    evidence: str  # JSON
    sequence: int = 0


class Route(Struct, frozen=True, kw_only=True):
    """The model name that applications ask for, and what answers; `generation` grows with every change."""

    route: str
    generation: int
    stable_checkpoint_id: str
    candidate_checkpoint_id: str | None = None
    candidate_share: float = 0.0
    release_id: str | None = None
    salt: str = ""
    changed_at: datetime
