"""OTLP over gRPC: the door, the keys and the rules of OTLP over HTTP, said in the status codes of gRPC.

Bodies are taken as bytes and parsed here, so that what cannot be understood is INVALID_ARGUMENT and not an internal error. Too
much, as sent or inflated, is refused by gRPC itself: RESOURCE_EXHAUSTED without RetryInfo, which forbids a second try.
"""

from typing import Any

import grpc
import grpc.aio

from penstock.edge.ingest_door import IngestDoor
from penstock.edge.keys import KeyGuard
from penstock.edge.otlp_signals import OtlpSignal, otlp_signals
from penstock.edge.refusal import RefusedError, inviting_a_second_try, refuse
from penstock.edge.request_body import Headers
from penstock.errors import ConfigurationError, PenstockError
from penstock.formats.otlp import Encoding, encode_status
from penstock.records import access

_PREFIX = "/opentelemetry.proto.collector."
_CODES = {code.value[0]: code for code in grpc.StatusCode}
# Trailers travel in headers, which clients limit to 8 KiB; the sentence stands in them three times, once in base64.
_MOST_TRAILER_CHARACTERS = 500
_MIN_PING_MS = 5_000  # the Collector and the Go SDK are often set to ping every ten seconds


class OtlpGrpcServer:
    """One worker's gRPC server; several workers share the port, and the kernel spreads connections over them."""

    def __init__(self, door: IngestDoor, guard: KeyGuard, address: str, max_body_bytes: int) -> None:
        self.port: int | None = None  # where it listens, once it does
        self._methods = otlp_methods(door, guard)
        self._address = address
        self._options = [
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", max_body_bytes),
            ("grpc.http2.min_ping_interval_without_data_ms", _MIN_PING_MS),
            ("grpc.keepalive_permit_without_calls", 1),
        ]
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Listen and serve within the running event loop."""
        server = grpc.aio.server(options=self._options)
        server.add_generic_rpc_handlers((_Methods(self._methods),))
        try:
            self.port = server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise ConfigurationError(
                f"Cannot listen for gRPC on {self._address}: {error}. Set edge.grpc_port (0 takes any), or edge.grpc = false."
            ) from error
        await server.start()
        self._server = server

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, and answer those under way."""
        if self._server is not None:
            await self._server.stop(grace_s)


class ExportMethod:
    """The Export method of one signal's service."""

    def __init__(self, signal: OtlpSignal, guard: KeyGuard) -> None:
        self._signal = signal
        self._guard = guard

    async def export(self, body: bytes, context: Any) -> bytes:
        """Serve one call."""
        try:
            with inviting_a_second_try(f"A gRPC export of {self._signal.name}"):
                return await self._serve(body, as_headers(context.invocation_metadata()))
        except PenstockError as error:
            return await _abort(context, refuse(error))

    async def _serve(self, body: bytes, headers: Headers) -> bytes:
        await self._guard.check(headers, access.Scope.INGEST)
        return await self._signal.answer(self._signal.parse(body, Encoding.PROTOBUF), Encoding.PROTOBUF)


def otlp_methods(door: IngestDoor, guard: KeyGuard) -> dict[str, ExportMethod]:
    """What serves each method; metrics and profiles are answered and dropped."""
    traces, logs, metrics, profiles = (ExportMethod(signal, guard) for signal in otlp_signals(door))
    return {
        f"{_PREFIX}trace.v1.TraceService/Export": traces,
        f"{_PREFIX}logs.v1.LogsService/Export": logs,
        f"{_PREFIX}metrics.v1.MetricsService/Export": metrics,
        f"{_PREFIX}profiles.v1development.ProfilesService/Export": profiles,
    }


def as_headers(metadata: Any) -> Headers:
    """A call's metadata as HTTP's headers, so that keys are looked for in one way."""
    return [
        (name.encode(), value if isinstance(value, bytes) else value.encode("latin-1", "replace")) for name, value in metadata
    ]


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc brings no types
    """Finds the method of a call; gRPC answers UNIMPLEMENTED to any other."""

    def __init__(self, methods: dict[str, ExportMethod]) -> None:
        self._handlers = {path: grpc.unary_unary_rpc_method_handler(method.export) for path, method in methods.items()}

    def service(self, details: Any) -> Any:
        """The handler of this call."""
        return self._handlers.get(details.method)


async def _abort(context: Any, refusal: RefusedError) -> bytes:
    message = str(refusal)[:_MOST_TRAILER_CHARACTERS]
    status = encode_status(refusal.canonical_code, message, Encoding.PROTOBUF, refusal.retry_after_s)
    await context.abort(_CODES[refusal.canonical_code], message, (("grpc-status-details-bin", status),))
    return b""  # never comes here: abort raises
