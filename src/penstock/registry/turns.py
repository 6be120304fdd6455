"""Turns: numbered 1, 2, 3 per route without a gap, and created once however often a workflow is started again."""

import builtins
from typing import Any

import msgspec

from penstock.records.turn import TURN_TRANSITIONS, Turn
from penstock.registry.counters import advance_counter, lock_counter
from penstock.registry.database import Database
from penstock.registry.rows import Rows
from penstock.registry.tables import TURNS

_COMPARED = frozenset({"turn_id", "route", "config"})
_FILLED_IN_LATER = frozenset(Turn.__struct_fields__) - _COMPARED


class Turns:
    """The registry's `turns`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(TURNS, Turn, "turn", not_compared=_FILLED_IN_LATER)

    def create(self, turn: Turn) -> Turn:
        """Store a running turn under the route's next number, whatever number it carries; one created before is returned."""
        self._rows.require_first_state(turn, TURN_TRANSITIONS)
        counter = f"turns:{turn.route}"
        with self._database.transaction() as connection:
            number = lock_counter(connection, counter)
            if self._rows.find(connection, turn.turn_id) is None:
                number = advance_counter(connection, counter)
            return self._rows.put(connection, msgspec.structs.replace(turn, number=number))

    def get(self, turn_id: str) -> Turn:
        """The turn with this id."""
        with self._database.reading() as connection:
            return self._rows.get(connection, turn_id)

    def latest(self, route: str) -> Turn | None:
        """The route's last turn, finished or not."""
        with self._database.reading() as connection:
            found = self._rows.list(connection, TURNS.c.route == route, order=(TURNS.c.number.desc(),), limit=1)
        return found[0] if found else None

    def update(self, turn_id: str, **fields: Any) -> Turn:
        """Set fields other than its state, as the turn reaches them."""
        with self._database.transaction() as connection:
            return self._rows.change(connection, (turn_id,), **fields)

    def transition(self, turn_id: str, state: str, **fields: Any) -> Turn:
        """Move it to another state and set these fields with it."""
        with self._database.transaction() as connection:
            return self._rows.transition(connection, turn_id, state, TURN_TRANSITIONS, **fields)

    def list(self, route: str | None = None) -> builtins.list[Turn]:
        """All of them, or one route's, in order."""
        of_it = None if route is None else TURNS.c.route == route
        with self._database.reading() as connection:
            return self._rows.list(connection, of_it, order=(TURNS.c.route, TURNS.c.number))
