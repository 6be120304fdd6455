"""What passed through the gateway, as the span that goes through the ingest door; a failure is kept like an answer.

Nothing here waits or fails an answer: it runs after the client has everything it will get.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from penstock.edge.gateway_request import GatewayRequest
from penstock.edge.routing import Destination
from penstock.formats.openai_chat import StreamAccumulator, capture_fields
from penstock.model_client import CHAT
from penstock.records.ids import interaction_id
from penstock.records.span import Span, SpanKind

DIALECT = "gateway"
SCOPE = "penstock.gateway"
CLIENT_DISCONNECTED = "client_disconnected"
_MAX_ERROR_TEXT = 500


class Capture:
    """Collects one exchange while it happens."""

    def __init__(self, request: GatewayRequest, destination: Destination) -> None:
        self.request = request
        self.destination = destination
        self.stream = StreamAccumulator()
        self.response: Mapping[str, Any] | None = None  # of an answer that was no stream
        self.first_token_ms: float | None = None
        self.error_type: str | None = None
        self.error_text: str | None = None

    def fail(self, error_type: str, text: str) -> None:
        """Note why there is no whole answer; the first reason stands."""
        if self.error_type is None:
            self.error_type = error_type
            self.error_text = text[:_MAX_ERROR_TEXT]

    def note_first_token(self, at: datetime) -> None:
        """Note when the first piece of the answer came."""
        if self.first_token_ms is None:
            self.first_token_ms = (at - self.request.started_at).total_seconds() * 1000.0

    def to_span(self, ended_at: datetime) -> Span:
        """The span of this exchange; what it holds of the user is raw until the door has redacted it."""
        request, destination = self.request, self.destination
        response = self.response if self.response is not None else self.stream.response()
        columns = capture_fields(request.raw, response)
        columns.update(
            provider=destination.upstream,
            request_id=request.request_id,
            session_id=request.session_id,
            user_id=request.user_id,
            checkpoint_id=destination.checkpoint_id,
            release_arm=destination.arm,
            arm_probability=destination.arm_probability,
            exposure=request.exposure,
            segment=request.segment,
            prompt_name=request.prompt_name,
            prompt_version=request.prompt_version or destination.prompt_version,
            keys=request.keys,
            tags=request.tags,
            first_token_ms=self.first_token_ms,
            error_type=self.error_type,
        )
        return Span(
            span_key=interaction_id(request.trace_id, request.span_id),
            trace_id=request.trace_id,
            span_id=request.span_id,
            parent_span_id=request.parent_span_id,
            kind=SpanKind.INFERENCE,
            name=f"{'chat' if request.path == CHAT else 'text_completion'} {request.model}",
            started_at=request.started_at,
            ended_at=max(ended_at, request.started_at),
            known_at=ended_at,
            dialect=DIALECT,
            scope=SCOPE,
            application=request.application,
            status="error" if self.error_type else "ok",
            attributes=self._attributes(),
            **columns,
        )

    def _attributes(self) -> dict[str, str]:
        optional = {"penstock.release.id": self.destination.release_id, "error.message": self.error_text}
        attributes = {"penstock.upstream.model": self.destination.model}
        attributes.update({name: value for name, value in optional.items() if value is not None})
        return attributes
