"""A release's way: proposed, canary, then live, refused or rolled back; the only code that moves a route's pointer.

State, event and pointer change in one registry transaction, so that no reader sees one without the other. A flip is over when
every live edge has confirmed its generation; the moment is measured and kept as `applied_at`. Each function may be called
again after a crash: what has happened already is not done twice.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from penstock.errors import ConfigurationError, ConflictError, NotFoundError
from penstock.records.clock import utc_now
from penstock.records.ids import ReleaseId, digest, random_id
from penstock.records.release import Release, ReleaseState, Route
from penstock.registry.registry import Registry
from penstock.settings import ReleaseSettings

EDGE_SILENCE_S = 5.0  # an edge that has said nothing for this long is dead and need not confirm
POLL_S = 0.02


class Confirmation(Struct, frozen=True, kw_only=True):
    """When every live edge had confirmed a generation, or which of them have not."""

    applied_at: datetime | None
    missing: tuple[str, ...] = ()


class Flips:
    """Moves releases, and with them routes."""

    def __init__(self, registry: Registry, settings: ReleaseSettings, now: Callable[[], datetime] = utc_now) -> None:
        self._registry = registry
        self._settings = settings
        self._now = now

    def propose(self, route: str, checkpoint_id: str, *, turn_id: str | None = None, share: float | None = None) -> Release:
        """A release of this checkpoint against the one that serves the route now; one per turn, however often it is asked."""
        serving = _require_route(self._registry, route)
        release_id = ReleaseId("r_" + digest(turn_id, checkpoint_id)[:16]) if turn_id else ReleaseId(random_id("r"))
        if turn_id is not None:
            created = _find(self._registry, release_id)
            if created is not None:
                return created
        share = self._settings.candidate_share if share is None else share
        if not 0.0 < share < 1.0:
            raise ConfigurationError(f"release.candidate_share is {share}; a split needs more than 0 and less than 1.")
        return self._registry.releases.create(
            Release(
                release_id=release_id,
                route=route,
                checkpoint_id=checkpoint_id,
                stable_checkpoint_id=serving.stable_checkpoint_id,
                state=ReleaseState.PROPOSED,
                candidate_share=share,
                salt=release_id,
                turn_id=turn_id,
                created_at=self._now(),
            )
        )

    def start(self, release_id: str) -> Release:
        """Give the candidate its share of the route's users."""
        registry = self._registry
        with registry.transaction():
            release = registry.releases.get(release_id)
            if release.state == ReleaseState.PROPOSED:
                _require_still_stable(_require_route(registry, release.route), release)
                at = self._now()
                release = registry.releases.transition(release_id, ReleaseState.CANARY, at=at, evidence={})
                registry.routes.start_canary(
                    release.route, release_id, release.checkpoint_id, release.candidate_share, release.salt, at
                )
        if release.state == ReleaseState.CANARY:
            self._await_edges()
        return release

    def promote(self, release_id: str, reason: str, evidence: Mapping[str, Any]) -> Release:
        """Let the candidate answer everyone, out of canary or, where it was proved on the very same requests, at once."""
        return self._end(release_id, ReleaseState.LIVE, reason, evidence)

    def refuse(self, release_id: str, reason: str, evidence: Mapping[str, Any]) -> Release:
        """Let stable answer everyone, the candidate being unproven, unfit or untestable."""
        return self._end(release_id, ReleaseState.REFUSED, reason, evidence)

    def roll_back(self, release_id: str, reason: str, evidence: Mapping[str, Any] | None = None) -> Release:
        """Let the checkpoint before answer everyone again, from canary or from live; a person may ask for it at any time."""
        return self._end(release_id, ReleaseState.ROLLED_BACK, reason, evidence or {})

    def _end(self, release_id: str, state: ReleaseState, reason: str, evidence: Mapping[str, Any]) -> Release:
        registry = self._registry
        with registry.transaction():
            release = registry.releases.get(release_id)
            if release.state != state:
                at = self._now()
                self._point(release, state, at)
                release = registry.releases.transition(
                    release_id, state, at=at, evidence={"reason": reason, **evidence}, reason=reason, applied_at=None
                )
        return self.confirm(release_id)

    def confirm(self, release_id: str) -> Release:
        """Wait until every live edge answers by the last flip, and keep when that was; it is kept once."""
        registry = self._registry
        release = registry.releases.get(release_id)
        if release.applied_at is not None:
            return release
        confirmed = self._await_edges()
        if confirmed.missing:
            registry.releases.note(release_id, at=self._now(), evidence={"unconfirmed_edges": list(confirmed.missing)})
            return release
        return registry.releases.update(release_id, applied_at=confirmed.applied_at)

    def _point(self, release: Release, state: ReleaseState, at: datetime) -> None:
        """Turn the route's pointer to whatever answers once the release has reached this state."""
        routes = self._registry.routes
        if release.state == ReleaseState.PROPOSED and state == ReleaseState.LIVE:
            _require_still_stable(_require_route(self._registry, release.route), release)
            routes.set_stable(release.route, release.checkpoint_id, at)
        elif release.state == ReleaseState.CANARY:
            chosen = release.checkpoint_id if state == ReleaseState.LIVE else release.stable_checkpoint_id
            routes.end_canary(release.route, chosen, at)
        elif release.state == ReleaseState.LIVE:
            serving = _require_route(self._registry, release.route)
            if serving.stable_checkpoint_id != release.checkpoint_id:
                raise ConflictError(
                    f"Release {release.release_id!r} no longer serves {release.route!r}; {serving.stable_checkpoint_id!r} does. "
                    "Roll back the release that made it serve."
                )
            routes.set_stable(release.route, release.stable_checkpoint_id, at)

    def _await_edges(self) -> Confirmation:
        """Wait until every live edge answers by the newest generation, at most as long as is set."""
        generation = self._registry.routes.generation()
        deadline = time.monotonic() + self._settings.apply_timeout_s
        while True:
            now = self._now()
            edges = self._registry.edges.live(now - timedelta(seconds=EDGE_SILENCE_S))
            missing = tuple(edge.worker_id for edge in edges if edge.generation < generation)
            if not missing:
                return Confirmation(applied_at=now)
            if time.monotonic() >= deadline:
                return Confirmation(applied_at=None, missing=missing)
            time.sleep(POLL_S)


def flip_seconds(release: Release) -> float | None:
    """How long the last flip took from decision to the last edge's confirmation; None while one has not confirmed."""
    if release.decided_at is None or release.applied_at is None:
        return None
    return (release.applied_at - release.decided_at).total_seconds()


def _require_route(registry: Registry, route: str) -> Route:
    found = registry.routes.get(route)
    if found is None:
        raise NotFoundError(f"There is no route {route!r}; point it at a checkpoint first.")
    return found


def _require_still_stable(route: Route, release: Release) -> None:
    """A candidate is proved against what serves; if that changed since, the proof is worth nothing."""
    if route.stable_checkpoint_id != release.stable_checkpoint_id:
        raise ConflictError(
            f"{route.route!r} is served by {route.stable_checkpoint_id!r}, but release {release.release_id!r} was examined "
            f"against {release.stable_checkpoint_id!r}; examine it again."
        )


def _find(registry: Registry, release_id: str) -> Release | None:
    try:
        return registry.releases.get(release_id)
    except NotFoundError:
        return None
