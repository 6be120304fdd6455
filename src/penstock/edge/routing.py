"""Which checkpoint serves: the route table of the registry, held in memory and looked after by one thread.

The thread alone talks to the registry; requests read one attribute. A new generation is confirmed only after it has been put
in place, so a confirmed flip is in force for every request that starts later. While the registry is away, the last table stays.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from penstock.errors import NotFoundError, PenstockError
from penstock.records.clock import utc_now
from penstock.records.release import Route
from penstock.records.training import Checkpoint
from penstock.registry.registry import Registry
from penstock.release.assignment import choose_arm

_HEARTBEAT_S = 1.0
_RETRY_S = 1.0

logger = logging.getLogger(__name__)


class Destination(Struct, frozen=True, kw_only=True):
    """Where one request goes, and why."""

    upstream: str
    model: str  # what the upstream calls it
    route: str | None = None
    checkpoint_id: str | None = None
    release_id: str | None = None
    arm: str | None = None
    arm_probability: float | None = None
    prompt_version: str | None = None


class RouteTable(Struct, frozen=True, kw_only=True):
    """All routes at one generation."""

    generation: int
    routes: dict[str, Route]
    checkpoints: dict[str, Checkpoint]

    def resolve(self, model: str, unit: str) -> Destination | None:
        """The destination of this unit's request for this model; None where the model is no route."""
        route = self.routes.get(model)
        if route is None:
            return None
        assigned = choose_arm(route, unit)
        checkpoint = self.checkpoints.get(assigned.checkpoint_id)
        if checkpoint is None:
            raise NotFoundError(f"Route {model!r} points at the unknown checkpoint {assigned.checkpoint_id!r}.")
        return Destination(
            upstream=checkpoint.upstream,
            model=checkpoint.model,
            route=model,
            checkpoint_id=checkpoint.checkpoint_id,
            release_id=route.release_id,
            arm=str(assigned.arm),
            arm_probability=assigned.probability,
            prompt_version=checkpoint.prompt_version,
        )


class RouteKeeper:
    """Keeps one worker's route table up to date and tells the registry which generation it serves."""

    def __init__(
        self,
        registry: Registry,
        worker_id: str,
        *,
        refresh_s: float,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.worker_id = worker_id
        self.table = RouteTable(generation=-1, routes={}, checkpoints={})
        self.failure: str | None = None  # why the registry could not be read just now
        self._registry = registry
        self._refresh_s = refresh_s
        self._clock = clock
        self._confirmed_at = float("-inf")
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether the routes have been read at least once."""
        return self.table.generation >= 0

    def start(self) -> None:
        """Look after the table in a thread of its own until `stop`."""
        self._thread = threading.Thread(target=self._run, name="routes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and tell the registry that this worker serves no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        try:
            self._registry.edges.remove(self.worker_id)
        except PenstockError as error:
            logger.warning("Could not sign worker %s off: %s", self.worker_id, error)

    def refresh(self) -> None:
        """Put the newest table in place and confirm it; what the registry raises is raised."""
        generation = self._registry.routes.generation()
        if generation != self.table.generation:
            self.table = self._read(generation)
            self._confirm()
        elif time.monotonic() - self._confirmed_at >= _HEARTBEAT_S:
            self._confirm()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._stop.wait(self._refresh_s if self._try_refresh() else _RETRY_S)

    def _try_refresh(self) -> bool:
        try:
            self.refresh()
        except Exception as error:  # noqa: BLE001 - this thread must outlive whatever a database driver can raise
            if self.failure is None:
                logger.warning("The registry cannot be read, so routes stay as they are: %s", error)
            self.failure = str(error)
            return False
        self.failure = None
        return True

    def _read(self, generation: int) -> RouteTable:
        """The routes, named by a generation read before them: at worst the next look reads them once more."""
        routes = self._registry.routes.list()
        wanted = {route.stable_checkpoint_id for route in routes}
        wanted |= {route.candidate_checkpoint_id for route in routes if route.candidate_checkpoint_id is not None}
        known = self.table.checkpoints
        checkpoints = {name: known.get(name) or self._registry.checkpoints.get(name) for name in sorted(wanted)}
        return RouteTable(generation=generation, routes={route.route: route for route in routes}, checkpoints=checkpoints)

    def _confirm(self) -> None:
        self._registry.edges.heartbeat(self.worker_id, self.table.generation, self._clock())
        self._confirmed_at = time.monotonic()
