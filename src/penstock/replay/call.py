"""A call: what one row of a log sends, as OTLP spans and reports, and how Python values become OTLP's."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from penstock.replay.binding import EPOCH, RowError

_MICROSECOND = timedelta(microseconds=1)
_LATEST = (2**63 - 1) // 1000  # nanoseconds have to fit 64 bits

Attribute = str | int | float | bool | list[str] | list[float]


class Call(Struct, frozen=True):
    """One row, ready to be sent; a row of an export may hold a whole trace, or only reports."""

    number: int
    application: str
    spans: list[Span]
    feedback: list[dict[str, Any]]

    @property
    def size_bytes(self) -> int:
        """How much it adds to a request."""
        spans_bytes: int = sum(span.ByteSize() for span in self.spans)
        return spans_bytes + sum(len(report.get("text", "")) for report in self.feedback)


def to_request(calls: list[Call]) -> ExportTraceServiceRequest:
    """The OTLP request of several rows, one resource per application."""
    request = ExportTraceServiceRequest()
    scopes: dict[str, Any] = {}
    for call in calls:
        if call.application not in scopes:
            resource = request.resource_spans.add()
            resource.resource.attributes.append(KeyValue(key="service.name", value=_any_value(call.application)))
            scopes[call.application] = resource.scope_spans.add()
            scopes[call.application].scope.name = "penstock.replay"
        scopes[call.application].spans.extend(call.spans)
    return request


def set_attributes(span: Span, attributes: Mapping[str, Attribute]) -> None:
    """Put attributes onto a span; raises RowError for text that is no valid Unicode."""
    try:
        span.attributes.extend(KeyValue(key=key, value=_any_value(value)) for key, value in attributes.items())
    except (UnicodeEncodeError, ValueError):
        raise RowError("it holds characters that are no valid Unicode") from None


def _any_value(value: Attribute) -> AnyValue:
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_any_value(item) for item in value]))
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(double_value=value)


def nanoseconds(at: datetime, field: str) -> int:
    """A time as OTLP writes it; raises RowError for one that it cannot."""
    microseconds = (at - EPOCH) // _MICROSECOND
    if not 0 <= microseconds <= _LATEST:
        raise RowError(f"{field}: OTLP holds times from 1970 to 2262 only")
    return microseconds * 1000


def json_text(value: Any) -> str:
    """A value as JSON; raises RowError for text that is no valid Unicode."""
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()
    except (UnicodeEncodeError, RecursionError):
        raise RowError("it holds characters that are no valid Unicode") from None
