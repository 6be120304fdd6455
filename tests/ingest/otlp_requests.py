"""OTLP requests as an instrumented application sends them, in as few words as a test needs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.rows import T0

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m"}


def nanoseconds(moment: datetime) -> int:
    """A time as OTLP writes it."""
    return int(moment.timestamp()) * 1_000_000_000


def trace_request(
    attributes: Mapping[str, Any] | None = None,
    *,
    trace_id: bytes = b"\x01" * 16,
    span_id: bytes = b"\x02" * 8,
    start: int = nanoseconds(T0),
    end: int = nanoseconds(T0) + 1_500_000_000,
    resource: Mapping[str, Any] | None = None,
    request: ExportTraceServiceRequest | None = None,
) -> ExportTraceServiceRequest:
    """One span with these attributes; `request` adds it to others."""
    request = request if request is not None else ExportTraceServiceRequest()
    group = request.resource_spans.add()
    set_attributes(group.resource.attributes, {"service.name": "shop", **(resource or {})})
    scope = group.scope_spans.add()
    scope.scope.name = "tests"
    span = scope.spans.add(name="chat m", trace_id=trace_id, span_id=span_id, start_time_unix_nano=start, end_time_unix_nano=end)
    set_attributes(span.attributes, attributes or {})
    return request


def logs_request(
    name: str, attributes: Mapping[str, Any], *, trace_id: bytes = b"\x01" * 16, span_id: bytes = b"\x02" * 8, body: Any = None
) -> ExportLogsServiceRequest:
    """One log record, an event of this name."""
    request = ExportLogsServiceRequest()
    record = (
        request.resource_logs.add()
        .scope_logs.add()
        .log_records.add(event_name=name, trace_id=trace_id, span_id=span_id, time_unix_nano=nanoseconds(T0))
    )
    set_attributes(record.attributes, attributes)
    if body is not None:
        set_value(record.body, body)
    return request


def set_attributes(target: Any, attributes: Mapping[str, Any]) -> None:
    """Python values as OTLP key-value pairs."""
    for name, value in attributes.items():
        set_value(target.add(key=name).value, value)


def set_value(target: Any, value: Any) -> None:
    """A Python value as an AnyValue; None stays unset."""
    if isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int):
        target.int_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, bytes):
        target.bytes_value = value
    elif isinstance(value, list):
        target.array_value.SetInParent()
        for item in value:
            set_value(target.array_value.values.add(), item)
    elif isinstance(value, dict):
        target.kvlist_value.SetInParent()
        set_attributes(target.kvlist_value.values, value)


def wire_field(number: int, content: bytes | int) -> bytes:
    """A field as it is written on the wire, so that a test can say what no library would: of a length, or an integer."""
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    *more, last = (value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7))
    return bytes([*(byte | 0x80 for byte in more), last])
