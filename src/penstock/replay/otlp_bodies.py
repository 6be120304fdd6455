"""OTLP request bodies kept as files: sent as they are, to the endpoint that they were meant for.

Which one that was is said by the sibling `.headers.json`, else by the JSON's own key, else by the file's name, else by its
content.
"""

import json
from pathlib import PurePosixPath
from typing import Literal

from msgspec import Struct
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from penstock.errors import BadInputError
from penstock.formats.otlp import parse_logs, parse_traces
from penstock.replay.compressed import open_unpacked, plain_name, reading
from penstock.replay.location import Location, S3Object

Signal = Literal["traces", "logs"]
PROTOBUF, JSON = "application/x-protobuf", "application/json"
MAX_BODY_BYTES = 64 * 1024 * 1024
_SUFFIXES = {".pb": PROTOBUF, ".binpb": PROTOBUF, ".json": JSON}
_HEADERS = ".headers.json"


class Body(Struct, frozen=True):
    """One body and where it goes."""

    signal: Signal
    content_type: str
    content: bytes


def is_body(path: Location) -> bool:
    """Whether the name is that of an OTLP body."""
    return not path.name.endswith(_HEADERS) and PurePosixPath(plain_name(path)).suffix.lower() in _SUFFIXES


def read_body(path: Location) -> Body:
    """Read one body; raises BadInputError where it is none."""
    with open_unpacked(path) as file, reading(path):
        content = file.stream.read(MAX_BODY_BYTES + 1)
    if len(content) > MAX_BODY_BYTES:
        raise BadInputError(f"{path} unpacks to more than {MAX_BODY_BYTES:,} bytes, the most that OTLP takes in one request.")
    content_type = _SUFFIXES[PurePosixPath(plain_name(path)).suffix.lower()]
    signal = _signal_of_headers(path) or (_signal_of_json(path, content) if content_type == JSON else None)
    signal = signal or _signal_of_name(path.name) or _signal_of_content(content, content_type)
    if signal is None:
        raise BadInputError(f"{path} is no OTLP traces or logs request.")
    _parse(signal, content, content_type, path)
    return Body(signal, content_type, content)


def _parse(signal: Signal, content: bytes, content_type: str, path: Location) -> None:
    """Refuse what the edge would refuse, with the name of the file in the message."""
    try:
        parse_traces(content, content_type) if signal == "traces" else parse_logs(content, content_type)
    except BadInputError as error:
        raise BadInputError(f"{path}: {error}") from error


def _signal_of_headers(path: Location) -> Signal | None:
    """From the HTTP path or the gRPC method under which the body was captured."""
    if isinstance(path, S3Object):
        return None
    headers = path.with_name(PurePosixPath(plain_name(path)).stem + _HEADERS)
    if not headers.is_file():
        return None
    try:
        captured = json.loads(headers.read_bytes())
    except ValueError as error:
        raise BadInputError(f"{headers} is not JSON: {error}.") from error
    where = f"{captured.get('method', '')} {captured.get('path', '')}" if isinstance(captured, dict) else ""
    if where.strip() in ("", "POST"):
        return None
    if "/v1/traces" in where or "TraceService" in where:
        return "traces"
    if "/v1/logs" in where or "LogsService" in where:
        return "logs"
    raise BadInputError(f"{path} was captured from {where.strip()}, which is neither OTLP traces nor OTLP logs.")


def _signal_of_json(path: Location, content: bytes) -> Signal:
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path} is not JSON: {error}.") from error
    if isinstance(tree, dict) and "resourceSpans" in tree:
        return "traces"
    if isinstance(tree, dict) and "resourceLogs" in tree:
        return "logs"
    raise BadInputError(
        f"{path} is JSON, but no OTLP: it has neither resourceSpans nor resourceLogs. A log of rows needs --mapping."
    )


def _signal_of_name(name: str) -> Signal | None:
    traces, logs = "traces" in name.lower(), "logs" in name.lower()
    if traces == logs:
        return None
    return "traces" if traces else "logs"


def _signal_of_content(content: bytes, content_type: str) -> Signal | None:
    """By trying: ids of the right length are what tells spans from log records, which share the outer messages."""
    for signal, parse in (("traces", parse_traces), ("logs", parse_logs)):
        try:
            request = parse(content, content_type)
        except BadInputError:
            continue
        if signal == "traces" and _has_spans(request):
            return "traces"
        if signal == "logs" and _has_records(request):
            return "logs"
    return None


def _has_spans(request: ExportTraceServiceRequest) -> bool:
    spans = [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]
    return bool(spans) and all(len(span.trace_id) == 16 and len(span.span_id) == 8 for span in spans)


def _has_records(request: ExportLogsServiceRequest) -> bool:
    return any(scope.log_records for resource in request.resource_logs for scope in resource.scope_logs)
