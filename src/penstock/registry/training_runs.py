"""Training runs: pending, running (again and again, if a worker dies), then succeeded, failed or cancelled."""

import builtins
from typing import Any

from penstock.records.training import TRAINING_RUN_TRANSITIONS, TrainingRun
from penstock.registry.database import Database
from penstock.registry.rows import Rows
from penstock.registry.tables import TRAINING_RUNS

_FILLED_IN_LATER = frozenset({"state", "checkpoint_id", "error", "started_at", "ended_at"})


class TrainingRuns:
    """The registry's `training_runs`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(TRAINING_RUNS, TrainingRun, "training run", not_compared=_FILLED_IN_LATER)

    def put(self, run: TrainingRun) -> TrainingRun:
        """Store a pending run; one put before is returned as it stands now."""
        self._rows.require_first_state(run, TRAINING_RUN_TRANSITIONS)
        with self._database.transaction() as connection:
            return self._rows.put(connection, run)

    def get(self, training_run_id: str) -> TrainingRun:
        """The run with this id."""
        with self._database.reading() as connection:
            return self._rows.get(connection, training_run_id)

    def transition(self, training_run_id: str, state: str, **fields: Any) -> TrainingRun:
        """Move it to another state and set these fields with it."""
        with self._database.transaction() as connection:
            return self._rows.transition(connection, training_run_id, state, TRAINING_RUN_TRANSITIONS, **fields)

    def list(self, dataset_version_id: str | None = None) -> builtins.list[TrainingRun]:
        """All of them, or those on one dataset version, in the order they started; those that have not come last."""
        table = TRAINING_RUNS.c
        on_it = None if dataset_version_id is None else table.dataset_version_id == dataset_version_id
        with self._database.reading() as connection:
            return self._rows.list(connection, on_it, order=(table.started_at.nulls_last(), table.training_run_id))
