"""Interaction: one model request and its response, settled from its span, its events and its ancestors."""

from datetime import datetime
from enum import StrEnum

from msgspec import field

from penstock.records.inference import Inference


class Exposure(StrEnum):
    """Whose traffic it was; every rate defaults to `served`, so that our own never counts as the users'."""

    SERVED = "served"
    SHADOW = "shadow"
    REPLAY = "replay"
    SIMULATED = "simulated"
    RED_TEAM = "red-team"
    JUDGE = "judge"


class Interaction(Inference, frozen=True, kw_only=True):
    """One row of `interactions`; a late arrival that adds something appends the next revision."""

    interaction_id: str
    trace_id: str
    span_id: str
    turn_index: int | None = None  # 0 for the first of its session, in order of start
    application: str | None = None
    started_at: datetime
    ended_at: datetime
    known_at: datetime
    revision: int = 0
    dialect: str
    redactions: dict[str, int] = field(default_factory=dict)
    merged_into: str | None = None  # another interaction that is the same call, seen nearer to the model
