"""Suites: frozen sets of items to score on; a newer suite of the same name takes over."""

import builtins

from penstock.records.evaluation import Suite
from penstock.registry.database import Database
from penstock.registry.rows import Rows
from penstock.registry.tables import SUITES


class Suites:
    """The registry's `suites`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(SUITES, Suite, "suite", not_compared=frozenset({"created_at"}))

    def put(self, suite: Suite) -> Suite:
        """Store it; the same id with other content is a ConflictError."""
        with self._database.transaction() as connection:
            return self._rows.put(connection, suite)

    def get(self, suite_id: str) -> Suite:
        """The suite with this id."""
        with self._database.reading() as connection:
            return self._rows.get(connection, suite_id)

    def latest(self, name: str) -> Suite | None:
        """The newest one of this name."""
        table = SUITES.c
        with self._database.reading() as connection:
            found = self._rows.list(connection, table.name == name, order=(table.created_at.desc(), table.suite_id), limit=1)
        return found[0] if found else None

    def list(self) -> builtins.list[Suite]:
        """All of them, oldest first."""
        with self._database.reading() as connection:
            return self._rows.list(connection, order=(SUITES.c.created_at, SUITES.c.suite_id))
