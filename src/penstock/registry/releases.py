"""Releases: every step is one transaction of the new state and the event that carries its evidence.

A step that also flips the route stands inside `registry.transaction()` together with the flip.
"""

import builtins
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select

from penstock.records.release import RELEASE_TRANSITIONS, Release, ReleaseEvent, ReleaseState
from penstock.registry.database import Database
from penstock.registry.rows import Rows
from penstock.registry.tables import RELEASE_EVENTS, RELEASES

_FILLED_IN_LATER = frozenset({"state", "p_value", "created_at", "canary_at", "decided_at", "applied_at", "reason"})


class Releases:
    """The registry's `releases` and `release_events`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(RELEASES, Release, "release", not_compared=_FILLED_IN_LATER)
        self._events = Rows(RELEASE_EVENTS, ReleaseEvent, "release event")

    def create(self, release: Release) -> Release:
        """Store a proposed release with its first event; one created before is returned as it stands now."""
        self._rows.require_first_state(release, RELEASE_TRANSITIONS)
        with self._database.transaction() as connection:
            stored = self._rows.put(connection, release)
            if not self._next_sequence(connection, release.release_id):
                self._add_event(connection, stored, release.created_at, {})
            return stored

    def get(self, release_id: str) -> Release:
        """The release with this id."""
        with self._database.reading() as connection:
            return self._rows.get(connection, release_id)

    def transition(self, release_id: str, state: str, *, at: datetime, evidence: Mapping[str, Any], **fields: Any) -> Release:
        """Move it to another state, note when, and record the evidence as its next event."""
        moment = "canary_at" if state == ReleaseState.CANARY else "decided_at"
        with self._database.transaction() as connection:
            release = self._rows.transition(connection, release_id, state, RELEASE_TRANSITIONS, **{moment: at, **fields})
            self._add_event(connection, release, at, evidence)
            return release

    def update(self, release_id: str, **fields: Any) -> Release:
        """Set fields other than its state, such as the running p-value."""
        with self._database.transaction() as connection:
            return self._rows.change(connection, (release_id,), **fields)

    def note(self, release_id: str, *, at: datetime, evidence: Mapping[str, Any]) -> None:
        """Record evidence that did not change its state."""
        with self._database.transaction() as connection:
            self._add_event(connection, self._rows.get(connection, release_id, lock=True), at, evidence)

    def events(self, release_id: str) -> builtins.list[ReleaseEvent]:
        """What happened to it, in order."""
        with self._database.reading() as connection:
            table = RELEASE_EVENTS.c
            return self._events.list(connection, table.release_id == release_id, order=(table.sequence,))

    def list(self, route: str | None = None, state: str | None = None) -> builtins.list[Release]:
        """All of them, or those of one route or in one state, oldest first."""
        table = RELEASES.c
        conditions = (None if route is None else table.route == route, None if state is None else table.state == state)
        with self._database.reading() as connection:
            return self._rows.list(connection, *conditions, order=(table.created_at, table.release_id))

    def _add_event(self, connection: Connection, release: Release, at: datetime, evidence: Mapping[str, Any]) -> None:
        text = msgspec.json.encode(evidence, order="sorted").decode()
        sequence = self._next_sequence(connection, release.release_id)
        values = {"release_id": release.release_id, "at": at, "state": release.state, "evidence": text, "sequence": sequence}
        connection.execute(insert(RELEASE_EVENTS).values(values))

    def _next_sequence(self, connection: Connection, release_id: str) -> int:
        """How many events it has; its own row is locked by whoever adds one."""
        query = select(func.count()).select_from(RELEASE_EVENTS).where(RELEASE_EVENTS.c.release_id == release_id)
        return connection.execute(query).scalar_one()
