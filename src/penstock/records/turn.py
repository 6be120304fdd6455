"""Turn: one turn of the wheel, from new signals to a released, refused or rolled-back checkpoint."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class TurnState(StrEnum):
    """Where a turn stands; the last four are final."""

    RUNNING = "running"
    RELEASED = "released"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"


TURN_TRANSITIONS: dict[TurnState, frozenset[TurnState]] = {
    TurnState.RUNNING: frozenset({TurnState.RELEASED, TurnState.REFUSED, TurnState.ROLLED_BACK, TurnState.FAILED}),
    TurnState.RELEASED: frozenset(),
    TurnState.REFUSED: frozenset(),
    TurnState.ROLLED_BACK: frozenset(),
    TurnState.FAILED: frozenset(),
}


class Turn(Struct, frozen=True, kw_only=True):
    """One row of the registry's `turns`; ids are filled in as the turn reaches them."""

    turn_id: str
    number: int
    route: str
    state: str  # a TurnState
    step: str  # what it is doing, or did last
    config: str  # JSON of the TurnPlan it was started with
    dataset_version_id: str | None = None
    training_run_id: str | None = None
    checkpoint_id: str | None = None
    release_id: str | None = None
    reason: str | None = None
    started_at: datetime
    ended_at: datetime | None = None
