"""TrainingRun and Checkpoint: one execution of a recipe, and the releasable artifact that it made."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class TrainingRunState(StrEnum):
    """Where a run stands."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRAINING_RUN_TRANSITIONS: dict[TrainingRunState, frozenset[TrainingRunState]] = {
    TrainingRunState.PENDING: frozenset({TrainingRunState.RUNNING, TrainingRunState.CANCELLED}),
    TrainingRunState.RUNNING: frozenset(
        {TrainingRunState.RUNNING, TrainingRunState.SUCCEEDED, TrainingRunState.FAILED, TrainingRunState.CANCELLED}
    ),
    TrainingRunState.SUCCEEDED: frozenset(),
    TrainingRunState.FAILED: frozenset({TrainingRunState.RUNNING}),
    TrainingRunState.CANCELLED: frozenset(),
}


class TrainingRun(Struct, frozen=True, kw_only=True):
    """One execution of a recipe on one DatasetVersion from one parent Checkpoint."""

    training_run_id: str
    recipe: str
    dataset_version_id: str
    parent_checkpoint_id: str | None
    state: str  # a TrainingRunState
    config: str  # JSON, as the recipe read it
    config_hash: str
    code_revision: str
    seed: int
    checkpoint_id: str | None = None
    error: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


class Checkpoint(Struct, frozen=True, kw_only=True):
    """Weights with parent, run, dataset and hash, or a reference to a hosted model with a prompt version."""

    checkpoint_id: str  # "c_" and the first 16 hex digits of content_hash
    name: str
    content_hash: str
    uri: str | None  # a folder of weights, or None for a hosted model
    upstream: str  # name of the gateway upstream that serves it
    model: str  # what that upstream calls it
    prompt_version: str | None = None
    parent_checkpoint_id: str | None = None
    training_run_id: str | None = None
    dataset_version_id: str | None = None
    created_at: datetime
