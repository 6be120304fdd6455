"""Edges: each confirms the generation of the routes that it answers by, so that a flip is known to have reached them all."""

import builtins
from datetime import datetime

from sqlalchemy import delete

from penstock.records.process import EdgeConfirmation
from penstock.registry.database import Database
from penstock.registry.rows import Rows, upsert
from penstock.registry.tables import EDGES


class Edges:
    """The registry's `edges`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(EDGES, EdgeConfirmation, "edge worker")

    def heartbeat(self, worker_id: str, generation: int, at: datetime) -> None:
        """Say that this worker is alive and answers by this generation."""
        with self._database.transaction() as connection:
            upsert(connection, EDGES, {"worker_id": worker_id, "generation": generation, "seen_at": at})

    def live(self, since: datetime) -> builtins.list[EdgeConfirmation]:
        """The workers seen at or after this time."""
        with self._database.reading() as connection:
            return self._rows.list(connection, EDGES.c.seen_at >= since, order=(EDGES.c.worker_id,))

    def remove(self, worker_id: str) -> None:
        """Forget a worker that has stopped."""
        with self._database.transaction() as connection:
            connection.execute(delete(EDGES).where(EDGES.c.worker_id == worker_id))
