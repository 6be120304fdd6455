"""Erasures: that users were forgotten, how many, and what had seen them."""

import builtins
from datetime import datetime

from penstock.records.erasure import ERASURE_TRANSITIONS, Erasure, ErasureState
from penstock.registry.database import Database
from penstock.registry.rows import Rows
from penstock.registry.tables import ERASURES


class Erasures:
    """The registry's `erasures`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(ERASURES, Erasure, "erasure")

    def create(self, erasure: Erasure) -> Erasure:
        """Store one that begins."""
        self._rows.require_first_state(erasure, ERASURE_TRANSITIONS)
        with self._database.transaction() as connection:
            return self._rows.put(connection, erasure)

    def finish(self, erasure_id: str, report: str, at: datetime) -> Erasure:
        """Say that it is done, and what it found."""
        with self._database.transaction() as connection:
            return self._rows.transition(
                connection, erasure_id, ErasureState.DONE, ERASURE_TRANSITIONS, report=report, finished_at=at
            )

    def list(self) -> builtins.list[Erasure]:
        """All of them, oldest first."""
        with self._database.reading() as connection:
            return self._rows.list(connection, order=(ERASURES.c.requested_at, ERASURES.c.erasure_id))
