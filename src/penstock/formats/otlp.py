"""OTLP bodies: protobuf and JSON to the same request message, and answers in the encoding of the question.

The JSON mapping differs from protobuf's own in one point, hexadecimal ids, so ids are turned over before it is applied.
"""

import base64
from enum import StrEnum
from functools import cache
from typing import Any, Literal, TypeVar

import msgspec
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from msgspec import Struct
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest, ExportMetricsServiceResponse
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
    ExportProfilesServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

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
        _to_protobuf_mapping(tree, message_type.DESCRIPTOR)
        json_format.ParseDict(tree, message, ignore_unknown_fields=True)
    except (msgspec.DecodeError, json_format.ParseError, RecursionError) as error:
        raise BadInputError(
            f"The body of {len(body)} bytes is no {message_type.DESCRIPTOR.name} in OTLP/JSON: {error}."
        ) from error
    parsed: MessageType = message
    return parsed


class _JsonKeys(Struct, frozen=True):
    """The keys of one message, as far as OTLP/JSON and protobuf's own mapping do not agree about what is under them."""

    refused: frozenset[str]  # names that protobuf's mapping would take as well, with ids that mean something else
    ids: frozenset[str]
    messages: dict[str, Descriptor]


@cache
def _json_keys(descriptor: Descriptor) -> _JsonKeys:
    fields = descriptor.fields
    return _JsonKeys(
        refused=frozenset(field.name for field in fields if field.name != field.json_name),
        ids=_ID_FIELDS & {field.json_name for field in fields},
        messages={field.json_name: field.message_type for field in fields if field.message_type is not None},
    )


def _to_protobuf_mapping(record: dict[str, Any], descriptor: Descriptor) -> None:
    """Turn hexadecimal ids into base64, here and in all that is within; BadInputError where a key is not in lowerCamelCase."""
    keys = _json_keys(descriptor)
    if not keys.refused.isdisjoint(record):
        wrong = ", ".join(sorted(keys.refused & record.keys()))
        raise BadInputError(f"OTLP/JSON writes its keys in lowerCamelCase; this body has {wrong} in {descriptor.name}.")
    if keys.ids:
        _encode_ids(record, keys.ids)
    for name, within in keys.messages.items():
        if name in record:
            value = record[name]
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict):
                    _to_protobuf_mapping(item, within)


def _encode_ids(record: dict[str, Any], names: frozenset[str]) -> None:
    """What is no hexadecimal becomes empty, so invalid."""
    for name in names & record.keys():
        try:
            raw = bytes.fromhex(str(record[name] or ""))
        except ValueError:
            raw = b""
        record[name] = base64.b64encode(raw).decode()


def _encode(message: Message, content_type: str) -> bytes:
    if encoding_of(content_type) is Encoding.JSON:
        text: str = json_format.MessageToJson(message, indent=None)
        return text.encode()
    encoded: bytes = message.SerializeToString()
    return encoded
