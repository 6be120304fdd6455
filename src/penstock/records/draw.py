"""Draw: what was sampled for whom, with which probability, so that every selection can be weighted back."""

from datetime import datetime

from msgspec import Struct


class Draw(Struct, frozen=True, kw_only=True):
    """One row of `draws`; what was looked at and not taken is a row too."""

    draw_id: str
    purpose: str  # what it was sampled for: a dataset version, a label task, a suite
    target_kind: str  # interaction, session or user
    target_id: str
    interaction_id: str | None = None
    probability: float
    taken: bool
    stream: str = "learning"  # estimation or learning
    known_at: datetime
