"""Evaluations: one checkpoint's score on one suite; scored again, it is another evaluation."""

import builtins

from penstock.records.evaluation import Evaluation
from penstock.registry.database import Database
from penstock.registry.rows import Rows
from penstock.registry.tables import EVALUATIONS


class Evaluations:
    """The registry's `evaluations`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(EVALUATIONS, Evaluation, "evaluation", not_compared=frozenset({"created_at"}))

    def put(self, evaluation: Evaluation) -> Evaluation:
        """Store it; the same id with another score is a ConflictError."""
        with self._database.transaction() as connection:
            return self._rows.put(connection, evaluation)

    def get(self, evaluation_id: str) -> Evaluation:
        """The evaluation with this id."""
        with self._database.reading() as connection:
            return self._rows.get(connection, evaluation_id)

    def list(self, checkpoint_id: str | None = None) -> builtins.list[Evaluation]:
        """All of them, or those of one checkpoint, oldest first."""
        table = EVALUATIONS.c
        of_it = None if checkpoint_id is None else table.checkpoint_id == checkpoint_id
        with self._database.reading() as connection:
            return self._rows.list(connection, of_it, order=(table.created_at, table.evaluation_id))
