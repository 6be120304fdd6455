"""What becomes of each signal of OTLP, over HTTP and gRPC alike: traces and logs are kept, metrics and profiles dropped."""

from collections.abc import Awaitable, Callable
from typing import Any

from penstock.edge.ingest_door import Acceptance, IngestDoor
from penstock.edge.refusal import MOST_MESSAGE_CHARACTERS
from penstock.formats.otlp import (
    Encoding,
    TelemetrySignal,
    encode_response,
    encoding_of,
    parse_logs,
    parse_metrics,
    parse_profiles,
    parse_traces,
)


class OtlpSignal:
    """One signal: how its requests are parsed, and who takes them."""

    def __init__(
        self,
        name: TelemetrySignal,
        parse: Callable[[bytes, str], Any],
        accept: Callable[[Any], Awaitable[Acceptance]] | None = None,
    ) -> None:
        self.name = name
        self.parse = parse
        self._accept = accept

    async def answer(self, request: Any, encoding: Encoding) -> bytes:
        """Take a parsed request; the answer says what of it was rejected."""
        if self._accept is None:
            return encode_response(self.name, 0, "", encoding)
        accepted = await self._accept(request)
        return encode_response(self.name, accepted.rejected, accepted.message[:MOST_MESSAGE_CHARACTERS], encoding)


def _traces(body: bytes, content_type: str) -> Any:
    """Protobuf, which nearly everyone sends, goes to the door as it is, to be decoded with others; JSON as its message."""
    return body if encoding_of(content_type) is Encoding.PROTOBUF else parse_traces(body, content_type)


def otlp_signals(door: IngestDoor) -> tuple[OtlpSignal, OtlpSignal, OtlpSignal, OtlpSignal]:
    """Traces, logs, metrics and profiles."""
    return (
        OtlpSignal("traces", _traces, door.accept_traces),
        OtlpSignal("logs", parse_logs, door.accept_logs),
        OtlpSignal("metrics", parse_metrics),
        OtlpSignal("profiles", parse_profiles),
    )
