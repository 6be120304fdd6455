"""OTLP bodies: protobuf and JSON to the same request message, and answers in the encoding of the question.

The JSON mapping differs from protobuf's own in one point, hexadecimal ids, so ids are turned over before it is applied.
"""

import base64
from enum import StrEnum
from typing import Any, Literal, TypeVar

import msgspec
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest, ExportMetricsServiceResponse
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
    ExportProfilesServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from penstock.errors import BadInputError

TelemetrySignal = Literal["traces", "logs", "metrics", "profiles"]
MessageType = TypeVar("MessageType", bound=Message)

_INVALID_ARGUMENT = 3
_ID_FIELDS = frozenset({"traceId", "spanId", "parentSpanId"})
_RESPONSES = {
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
    "profiles": (ExportProfilesServiceResponse, "rejected_profiles"),
}
# OTLP/JSON knows lowerCamelCase keys only; protobuf's own mapping would take these as well, with ids that mean something else.
_NO_JSON_KEYS = frozenset(
    field.name
    for message in (
        ExportTraceServiceRequest,
        ExportLogsServiceRequest,
        ResourceSpans,
        ScopeSpans,
        Span,
        ResourceLogs,
        ScopeLogs,
        LogRecord,
    )
    for field in message.DESCRIPTOR.fields
    if "_" in field.name
)


class Encoding(StrEnum):
    """The two encodings of OTLP/HTTP, each named by its content type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


def encoding_of(content_type: str | None) -> Encoding | None:
    """The encoding that a Content-Type header names, its parameters left aside; None where it is neither."""
    media_type = (content_type or "").partition(";")[0].strip().lower()
    return Encoding(media_type) if media_type in set(Encoding) else None


def parse_traces(body: bytes, content_type: str) -> ExportTraceServiceRequest:
    """A request body of /v1/traces; raises BadInputError where it cannot be decoded."""
    return _parse(body, content_type, ExportTraceServiceRequest)


def parse_logs(body: bytes, content_type: str) -> ExportLogsServiceRequest:
    """A request body of /v1/logs; raises BadInputError where it cannot be decoded."""
    return _parse(body, content_type, ExportLogsServiceRequest)


def parse_metrics(body: bytes, content_type: str) -> ExportMetricsServiceRequest:
    """A request body of /v1/metrics; raises BadInputError where it cannot be decoded."""
    return _parse(body, content_type, ExportMetricsServiceRequest)


def parse_profiles(body: bytes, content_type: str) -> ExportProfilesServiceRequest:
    """A request body of /v1development/profiles; raises BadInputError where it cannot be decoded."""
    return _parse(body, content_type, ExportProfilesServiceRequest)


def encode_response(signal: TelemetrySignal, rejected: int, message: str, content_type: str) -> bytes:
    """The answer to an accepted request; partial success stays unset where nothing was rejected and nothing is to say."""
    response_type, counter = _RESPONSES[signal]
    response: Any = response_type()
    if rejected or message:
        setattr(response.partial_success, counter, rejected)
        response.partial_success.error_message = message
    return _encode(response, content_type)


def encode_status(code: int, message: str, content_type: str, retry_after_s: int | None = None) -> bytes:
    """The body of a refusal: google.rpc.Status with its canonical code (3 invalid argument, 8 exhausted, 14 unavailable).

    What cannot be understood says so in a BadRequest; what may be tried again says when in a RetryInfo.
    """
    status = Status(code=code, message=message)
    if code == _INVALID_ARGUMENT:
        status.details.add().Pack(BadRequest(field_violations=[BadRequest.FieldViolation(field="body", description=message)]))
    if retry_after_s is not None:
        retry = RetryInfo()
        retry.retry_delay.seconds = retry_after_s
        status.details.add().Pack(retry)
    return _encode(status, content_type)


def _parse(body: bytes, content_type: str, message_type: type[MessageType]) -> MessageType:
    encoding = encoding_of(content_type)
    if encoding is None:
        raise BadInputError(f"Content-Type {content_type!r} is not OTLP; send {Encoding.PROTOBUF} or {Encoding.JSON}.")
    if encoding is Encoding.JSON:
        return _parse_json(body, message_type)
    message = message_type()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise BadInputError(
            f"The body of {len(body)} bytes is no {message_type.DESCRIPTOR.name} in protobuf ({error}); "
            "check that it is complete, and compressed only where Content-Encoding says so."
        ) from error
    parsed: MessageType = message
    return parsed


def _parse_json(body: bytes, message_type: type[MessageType]) -> MessageType:
    message = message_type()
    try:
        tree = msgspec.json.decode(body)
        if not isinstance(tree, dict):
            raise BadInputError(f"The body is JSON, but a {type(tree).__name__} and no object; OTLP sends an object.")
        _encode_ids(tree)
        json_format.ParseDict(tree, message, ignore_unknown_fields=True)
    except (msgspec.DecodeError, json_format.ParseError, RecursionError) as error:
        raise BadInputError(
            f"The body of {len(body)} bytes is no {message_type.DESCRIPTOR.name} in OTLP/JSON: {error}."
        ) from error
    parsed: MessageType = message
    return parsed


def _encode_ids(tree: dict[str, Any]) -> None:
    """Turn hexadecimal ids into the base64 that protobuf's mapping wants; what is no hexadecimal becomes empty, so invalid."""
    _require_json_keys(tree)
    for group in ("resourceSpans", "resourceLogs"):
        for resource in _dicts(tree.get(group)):
            _require_json_keys(resource)
            for scope in (*_dicts(resource.get("scopeSpans")), *_dicts(resource.get("scopeLogs"))):
                _require_json_keys(scope)
                for record in (*_dicts(scope.get("spans")), *_dicts(scope.get("logRecords"))):
                    _require_json_keys(record)
                    _encode_ids_of(record)
                    for link in _dicts(record.get("links")):
                        _encode_ids_of(link)


def _require_json_keys(record: dict[str, Any]) -> None:
    wrong = _NO_JSON_KEYS & record.keys()
    if wrong:
        raise BadInputError(f"OTLP/JSON writes its keys in lowerCamelCase; this body has {', '.join(sorted(wrong))}.")


def _encode_ids_of(record: dict[str, Any]) -> None:
    for name in _ID_FIELDS & record.keys():
        try:
            raw = bytes.fromhex(str(record[name] or ""))
        except ValueError:
            raw = b""
        record[name] = base64.b64encode(raw).decode()


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _encode(message: Message, content_type: str) -> bytes:
    if encoding_of(content_type) is Encoding.JSON:
        text: str = json_format.MessageToJson(message, indent=None)
        return text.encode()
    encoded: bytes = message.SerializeToString()
    return encoded
