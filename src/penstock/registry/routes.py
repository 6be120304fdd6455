"""Routes: the pointer that says which checkpoint serves. Every change takes the next of one generation for all routes.

The generation is locked until its transaction ends, so whoever reads generation n sees every change up to n.
"""

import builtins
from collections.abc import Callable
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from penstock.errors import ConflictError, NotFoundError
from penstock.records.release import Route
from penstock.registry.counters import advance_counter, lock_counter, read_counter
from penstock.registry.database import Database
from penstock.registry.rows import Rows
from penstock.registry.tables import ROUTES

_GENERATION = "route_generation"


class Routes:
    """The registry's `routes`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(ROUTES, Route, "route")

    def generation(self) -> int:
        """The newest generation, by one row; 0 before the first route."""
        with self._database.reading() as connection:
            return read_counter(connection, _GENERATION)

    def get(self, route: str) -> Route | None:
        """The route of this name, or None."""
        with self._database.reading() as connection:
            return self._rows.find(connection, route)

    def set_stable(self, route: str, checkpoint_id: str, at: datetime) -> Route:
        """Let this checkpoint answer the route's whole traffic, creating the route where there is none."""

        def stable(current: Route | None) -> Route:
            if current is not None and current.release_id is not None:
                raise ConflictError(f"The route {route!r} is in canary for release {current.release_id!r}; end that first.")
            return Route(route=route, generation=0, stable_checkpoint_id=checkpoint_id, changed_at=at)

        return self._change(route, stable)

    def start_canary(self, route: str, release_id: str, checkpoint_id: str, share: float, salt: str, at: datetime) -> Route:
        """Give this share of the route's users to the candidate."""

        def split(current: Route | None) -> Route:
            current = _require_route(route, current)
            if current.release_id not in (None, release_id):
                raise ConflictError(
                    f"The route {route!r} is in canary for release {current.release_id!r} already; end that first."
                )
            return msgspec.structs.replace(
                current,
                candidate_checkpoint_id=checkpoint_id,
                candidate_share=share,
                release_id=release_id,
                salt=salt,
                changed_at=at,
            )

        return self._change(route, split)

    def end_canary(self, route: str, stable_checkpoint_id: str, at: datetime) -> Route:
        """Let this checkpoint, the old one or the candidate, answer the whole traffic again."""

        def whole(current: Route | None) -> Route:
            current = _require_route(route, current)
            if current.release_id is None and current.stable_checkpoint_id != stable_checkpoint_id:
                raise ConflictError(
                    f"The route {route!r} is not in canary; to point it at {stable_checkpoint_id!r}, use set_stable."
                )
            return Route(route=route, generation=0, stable_checkpoint_id=stable_checkpoint_id, changed_at=at)

        return self._change(route, whole)

    def list(self) -> builtins.list[Route]:
        """All of them, by name."""
        with self._database.reading() as connection:
            return self._rows.list(connection, order=(ROUTES.c.route,))

    def _change(self, name: str, decide: Callable[[Route | None], Route]) -> Route:
        """Write what `decide` makes of the route as it stands, with the next generation; nothing if that is no change."""
        with self._database.transaction() as connection:
            lock_counter(connection, _GENERATION)
            current = self._rows.find(connection, name)
            wanted = decide(current)
            if current is not None and _same(current, wanted):
                return current
            return self._write(
                connection, current, msgspec.structs.replace(wanted, generation=advance_counter(connection, _GENERATION))
            )

    def _write(self, connection: Connection, current: Route | None, route: Route) -> Route:
        if current is None:
            return self._rows.put(connection, route)
        fields = msgspec.structs.asdict(route)
        del fields["route"]
        return self._rows.change(connection, (route.route,), **fields)


def _require_route(name: str, route: Route | None) -> Route:
    if route is None:
        raise NotFoundError(f"There is no route {name!r} in the registry; give it a stable checkpoint first.")
    return route


def _same(current: Route, wanted: Route) -> bool:
    return msgspec.structs.replace(wanted, generation=current.generation, changed_at=current.changed_at) == current
