"""The OpenAI-compatible gateway: finds the checkpoint that serves, passes the exchange through, and captures it.

The client's answer never waits for the capture, and no failure of an upstream is an unexplained one: each becomes an error that
OpenAI's clients understand and a recorded interaction with its error type.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

import msgspec
from starlette.types import Receive, Scope, Send

from penstock.edge.answers import JSON, openai_error, send_answer
from penstock.edge.disconnect import DisconnectWatch
from penstock.edge.gateway_capture import CLIENT_DISCONNECTED, Capture
from penstock.edge.gateway_relay import Relay
from penstock.edge.gateway_request import Added, GatewayRequest, read_request, what_to_add, write_request
from penstock.edge.ingest_door import IngestDoor
from penstock.edge.keys import KeyGuard
from penstock.edge.refusal import ClientGoneError, RefusedError, inviting_a_second_try, refuse
from penstock.edge.request_body import Headers, media_type, read_body
from penstock.edge.routing import Destination, RouteKeeper
from penstock.edge.upstreams import Upstream, Upstreams
from penstock.errors import PenstockError, UpstreamError
from penstock.records import access
from penstock.records.clock import utc_now

logger = logging.getLogger(__name__)


class Gateway:
    """What the gateway's endpoints share."""

    def __init__(
        self,
        door: IngestDoor,
        guard: KeyGuard,
        routes: RouteKeeper,
        upstreams: Upstreams,
        max_body_bytes: int,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.guard = guard
        self.routes = routes
        self.upstreams = upstreams
        self._door = door
        self._max_body_bytes = max_body_bytes
        self._clock = clock

    async def read(self, path: str, scope: Scope, receive: Receive) -> GatewayRequest:
        """Let the client in and read its request, or raise what is to be answered instead."""
        headers = scope["headers"]
        await self.guard.check(headers, access.Scope.GATEWAY)
        if media_type(headers) != "application/json":
            raise RefusedError(415, "The gateway takes application/json.")
        body = await read_body(headers, receive, self._max_body_bytes)
        return read_request(path, headers, body, self._clock())

    def resolve(self, request: GatewayRequest) -> Destination:
        """Where this request goes."""
        destination = self.routes.table.resolve(request.model, request.unit)
        if destination is not None:
            return destination
        if self.upstreams.default:
            return Destination(upstream=self.upstreams.default, model=request.model)
        raise RefusedError(404, f"The model `{request.model}` does not exist; GET /v1/models lists the ones that do.")

    async def exchange(self, request: GatewayRequest, destination: Destination, receive: Receive, send: Send) -> None:
        """Ask the upstream, pass its answer on, and capture both."""
        capture = Capture(request, destination)
        try:
            await self._relay(capture, receive, send)
        except ClientGoneError as error:
            capture.fail(CLIENT_DISCONNECTED, str(error))
        except asyncio.CancelledError:
            capture.fail("edge_stopped", "The edge was stopped before the answer was complete.")
            raise
        except Exception as error:
            # Nothing may be recorded as a whole answer that was none, whatever went wrong here.
            capture.fail("gateway_error", repr(error))
            raise
        finally:
            self._offer(capture)

    async def _relay(self, capture: Capture, receive: Receive, send: Send) -> None:
        request, destination = capture.request, capture.destination
        upstream = self.upstreams.find(destination.upstream)
        added = _what_to_add(request, upstream)
        async with DisconnectWatch(receive) as watch:
            relay = Relay(send, _answer_headers(request, destination), capture, watch, self._clock, added)
            try:
                if upstream is None:
                    raise UpstreamError(f"gateway.upstreams has no {destination.upstream!r}.", kind="unknown")
                body = write_request(request, destination.model, added)
                async with upstream.client.exchange(request.path, body) as answer:
                    await relay.pass_on(answer)
            except UpstreamError as error:
                capture.fail(f"upstream_{error.kind}", str(error))
                await relay.fail(504 if error.kind == "timeout" else 502, error)

    def _offer(self, capture: Capture) -> None:
        try:
            self._door.offer_span(capture.to_span(self._clock()))
        except Exception:
            # The client has its answer; a capture that cannot be made must not take the connection down with it.
            logger.exception("An exchange for %r could not be captured", capture.request.model)


class GatewayEndpoint:
    """One of /v1/chat/completions and /v1/completions."""

    def __init__(self, gateway: Gateway, path: str) -> None:
        self._gateway = gateway
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            with inviting_a_second_try(f"A request to /v1{self._path}"):
                request = await self._gateway.read(self._path, scope, receive)
                destination = self._gateway.resolve(request)
        except ClientGoneError:
            return
        except PenstockError as error:
            await send_openai_refusal(send, refuse(error))
            return
        await self._gateway.exchange(request, destination, receive, send)


async def send_openai_refusal(send: Send, refusal: RefusedError) -> None:
    """A refusal as OpenAI's clients read it."""
    code = "model_not_found" if refusal.status == 404 else None
    content = msgspec.json.encode(openai_error(refusal.status, str(refusal), code=code))
    await send_answer(send, refusal.status, JSON, content, refusal.headers)


def _answer_headers(request: GatewayRequest, destination: Destination) -> Headers:
    headers = [(b"x-penstock-request-id", request.request_id)]
    if destination.checkpoint_id is not None:
        headers.append((b"x-penstock-checkpoint", destination.checkpoint_id))
    if destination.arm is not None:
        headers.append((b"x-penstock-arm", destination.arm))
    return [(name, value.encode("utf-8")) for name, value in headers]


def _what_to_add(request: GatewayRequest, upstream: Upstream | None) -> Added:
    if upstream is None:
        return Added()
    return what_to_add(request, logprobs=upstream.logprobs, stream_usage=upstream.stream_usage)
