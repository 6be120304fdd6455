"""OTLP over HTTP, as the specification's server rules have it: traces and logs are kept, metrics and profiles dropped.

An answer of 200 means that what was accepted is on disk. Every refusal is a google.rpc.Status in the encoding of the request.
"""

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send

from penstock.edge.answers import send_answer
from penstock.edge.ingest_door import IngestDoor
from penstock.edge.keys import KeyGuard
from penstock.edge.otlp_signals import OtlpSignal, otlp_signals
from penstock.edge.refusal import MOST_MESSAGE_CHARACTERS, ClientGoneError, RefusedError, inviting_a_second_try, refuse
from penstock.edge.request_body import find_header, read_body
from penstock.errors import PenstockError
from penstock.formats.otlp import Encoding, encode_status, encoding_of
from penstock.records import access

# Above this, JSON is decoded in a thread: it takes long enough for other requests to notice.
_JSON_IN_LOOP_BYTES = 256 * 1024
TRACES_ELSEWHERE = ("/api/public/otel/v1/traces", "/otel/v1/traces", "/api/v1/otel/v1/traces")


class OtlpEndpoint:
    """One of /v1/traces, /v1/logs, /v1/metrics, /v1development/profiles."""

    def __init__(self, signal: OtlpSignal, guard: KeyGuard, max_body_bytes: int) -> None:
        self._signal = signal
        self._guard = guard
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = scope["headers"]
        encoding = encoding_of(find_header(headers, b"content-type"))
        try:
            with inviting_a_second_try(f"A request to /v1/{self._signal.name}"):
                body = await self._serve(scope, receive, encoding)
        except ClientGoneError:
            return
        except PenstockError as error:
            await _send_status(send, refuse(error), encoding)
            return
        await send_answer(send, 200, str(encoding).encode(), body)

    async def _serve(self, scope: Scope, receive: Receive, encoding: Encoding | None) -> bytes:
        headers = scope["headers"]
        await self._guard.check(headers, access.Scope.INGEST)
        if encoding is None:
            sent = find_header(headers, b"content-type")
            raise RefusedError(415, f"Content-Type {sent!r} is not OTLP; send {Encoding.PROTOBUF} or {Encoding.JSON}.")
        body = await read_body(headers, receive, self._max_body_bytes)
        return await self._signal.answer(await self._decode(body, encoding), encoding)

    async def _decode(self, body: bytes, encoding: Encoding) -> Any:
        try:
            if encoding is Encoding.JSON and len(body) > _JSON_IN_LOOP_BYTES:
                return await asyncio.to_thread(self._signal.parse, body, encoding)
            return self._signal.parse(body, encoding)
        except UnicodeDecodeError as error:
            raise RefusedError(400, f"The body is no UTF-8: {error}.") from error


def otlp_endpoints(door: IngestDoor, guard: KeyGuard, max_body_bytes: int) -> dict[str, OtlpEndpoint]:
    """The endpoint of each path; traces also where the clients of Langfuse and LangSmith send them."""
    traces, logs, metrics, profiles = (OtlpEndpoint(signal, guard, max_body_bytes) for signal in otlp_signals(door))
    return {
        "/v1/traces": traces,
        **dict.fromkeys(TRACES_ELSEWHERE, traces),
        "/v1/logs": logs,
        "/v1/metrics": metrics,
        "/v1development/profiles": profiles,
    }


async def _send_status(send: Send, refusal: RefusedError, encoding: Encoding | None) -> None:
    content_type = encoding or Encoding.JSON
    message = str(refusal)[:MOST_MESSAGE_CHARACTERS]
    body = encode_status(refusal.canonical_code, message, content_type, refusal.retry_after_s)
    await send_answer(send, refusal.status, str(content_type).encode(), body, refusal.headers)
