"""The edge's web application: its endpoints, and whether it is ready for them."""

import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from penstock.edge import beacon, webhooks
from penstock.edge.answers import send_json, send_refusal
from penstock.edge.feedback_api import FeedbackEndpoint
from penstock.edge.foreign_feedback import foreign_endpoints, information_endpoints
from penstock.edge.gateway import Gateway, GatewayEndpoint
from penstock.edge.gateway_models import ModelsEndpoint
from penstock.edge.ingest_door import IngestDoor
from penstock.edge.keys import KeyGuard
from penstock.edge.otlp_http import otlp_endpoints
from penstock.edge.refusal import RETRY_AFTER_S, RefusedError, refuse
from penstock.edge.routing import RouteKeeper
from penstock.edge.upstreams import Upstreams
from penstock.edge.web_pages import OriginsEndpoint
from penstock.errors import PenstockError
from penstock.model_client import CHAT, COMPLETIONS
from penstock.outcomes.webhooks import load_webhooks
from penstock.records import access
from penstock.records.clock import utc_now
from penstock.registry.registry import Registry
from penstock.settings import Settings

ROUTES_STATE = "routes"


def build_edge_app(
    door: IngestDoor,
    registry: Registry,
    settings: Settings,
    *,
    worker_id: str | None = None,
    environment: Mapping[str, str] | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Starlette:
    """One worker's application; while it is up, a thread of its own keeps its routes."""
    guard = KeyGuard(registry.keys, host=settings.edge.host)
    upstreams = Upstreams(settings, environment)
    routes = RouteKeeper(registry, worker_id or new_worker_id(), refresh_s=settings.gateway.route_refresh_s, clock=clock)
    limit = settings.edge.max_body_bytes
    gateway = Gateway(door, guard, routes, upstreams, limit, clock)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        routes.start()
        try:
            yield
        finally:
            routes.stop()
            await upstreams.close()

    posts: dict[str, ASGIApp] = {
        **otlp_endpoints(door, guard, limit),
        **foreign_endpoints(door, guard, limit, clock),
        "/v1/chat/completions": GatewayEndpoint(gateway, CHAT),
        "/v1/completions": GatewayEndpoint(gateway, COMPLETIONS),
    }
    feedback = OriginsEndpoint(FeedbackEndpoint(door, guard, limit, clock), settings.edge.browser_origins)
    gets: dict[str, ASGIApp] = {
        beacon.PATH: beacon.BeaconEndpoint(),
        "/v1/models": ModelsEndpoint(gateway),
        "/v1/models/{model:path}": ModelsEndpoint(gateway),
        "/v1/status": StatusEndpoint(door, guard, routes),
        "/healthz": HealthEndpoint(routes),
        **information_endpoints(guard),
    }
    hooks = webhooks.WebhookEndpoint(door, guard, load_webhooks(settings.webhooks, environment), limit, clock)
    app = Starlette(routes=_list_routes(posts, feedback, hooks, gets), lifespan=lifespan)
    setattr(app.state, ROUTES_STATE, routes)
    return app


def _list_routes(posts: Mapping[str, ASGIApp], feedback: ASGIApp, hooks: ASGIApp, gets: Mapping[str, ASGIApp]) -> list[Route]:
    return [
        *_serving(posts, "POST"),
        *_serving({"/v1/feedback": feedback}, "POST", "OPTIONS"),  # browsers ask first
        *_serving({webhooks.PATH: hooks}, "POST", "HEAD"),  # and so do some senders
        *_serving(gets, "GET"),
    ]


def _serving(endpoints: Mapping[str, ASGIApp], *methods: str) -> list[Route]:
    return [Route(path, endpoint, methods=methods) for path, endpoint in endpoints.items()]


def is_ready(app: Starlette) -> bool:
    """Whether this application can serve: its spool is open, its registry was reached and its routes are known."""
    routes: RouteKeeper = getattr(app.state, ROUTES_STATE)
    return routes.is_loaded


def new_worker_id() -> str:
    """A name for this worker that no other ever had."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


class HealthEndpoint:
    """GET /healthz: 200 once requests can be served. It stays so while the registry is away, since the edge serves on."""

    def __init__(self, routes: RouteKeeper) -> None:
        self._routes = routes

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._routes.is_loaded:
            await send_json(send, 200, {"status": "ready"})
            return
        reason = self._routes.failure or "The routes are being read."
        await send_refusal(send, RefusedError(503, f"The edge is starting: {reason}", retry_after_s=RETRY_AFTER_S))


class StatusEndpoint:
    """GET /v1/status: what this worker has taken, lost and serves."""

    def __init__(self, door: IngestDoor, guard: KeyGuard, routes: RouteKeeper) -> None:
        self._door = door
        self._guard = guard
        self._routes = routes

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            await self._guard.check(scope["headers"], access.Scope.INGEST)
        except PenstockError as error:
            await send_refusal(send, refuse(error))
            return
        routes = {"generation": self._routes.table.generation, "failure": self._routes.failure}
        status = {"worker_id": self._routes.worker_id, "pid": os.getpid(), "routes": routes, "ingest": self._door.status()}
        await send_json(send, 200, status)
