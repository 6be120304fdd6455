"""Checkpoints: content-addressed, so the same weights trained again are the same checkpoint, with the lineage of the first."""

import builtins

from penstock.records.training import Checkpoint
from penstock.registry.database import Database
from penstock.registry.rows import Rows
from penstock.registry.tables import CHECKPOINTS

_HOW_IT_CAME_TO_BE = frozenset({"created_at", "training_run_id"})


class Checkpoints:
    """The registry's `checkpoints`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(CHECKPOINTS, Checkpoint, "checkpoint", not_compared=_HOW_IT_CAME_TO_BE)

    def put(self, checkpoint: Checkpoint) -> Checkpoint:
        """Store it and return what is stored, which for weights made before is the first checkpoint of them."""
        with self._database.transaction() as connection:
            return self._rows.put(connection, checkpoint)

    def get(self, checkpoint_id: str) -> Checkpoint:
        """The checkpoint with this id."""
        with self._database.reading() as connection:
            return self._rows.get(connection, checkpoint_id)

    def by_name(self, name: str) -> Checkpoint | None:
        """The newest one of this name."""
        table = CHECKPOINTS.c
        with self._database.reading() as connection:
            order = (table.created_at.desc(), table.checkpoint_id)
            found = self._rows.list(connection, table.name == name, order=order, limit=1)
        return found[0] if found else None

    def list(self, dataset_version_id: str | None = None) -> builtins.list[Checkpoint]:
        """All of them, or those trained on one dataset version, oldest first."""
        table = CHECKPOINTS.c
        trained_on = None if dataset_version_id is None else table.dataset_version_id == dataset_version_id
        with self._database.reading() as connection:
            return self._rows.list(connection, trained_on, order=(table.created_at, table.checkpoint_id))
