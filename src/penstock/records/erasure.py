"""Erasure: a request to forget users, and what was found of them; it names nobody."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class ErasureState(StrEnum):
    """How far an erasure has come; one that was cut short is done by asking again for the same users."""

    RUNNING = "running"
    DONE = "done"


ERASURE_TRANSITIONS: dict[ErasureState, frozenset[ErasureState]] = {
    ErasureState.RUNNING: frozenset({ErasureState.DONE}),
    ErasureState.DONE: frozenset(),
}


class Erasure(Struct, frozen=True, kw_only=True):
    """One row of the registry's `erasures`."""

    erasure_id: str
    users: int  # how many were asked for
    state: str = ErasureState.RUNNING
    requested_at: datetime
    finished_at: datetime | None = None
    report: str | None = None  # JSON: rows by table, and the datasets, suites and checkpoints that had seen a user
