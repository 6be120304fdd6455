"""One row of a log becomes one span of the newest GenAI convention, and the feedback that the row holds.

Pure: the same row always gets the same trace, span and idempotency keys, so that a second replay adds nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from penstock.formats.messages import openai_to_otel
from penstock.records.ids import digest
from penstock.records.interaction import Exposure
from penstock.replay.binding import EPOCH, Row, RowError, describe, moment, number
from penstock.replay.log_rows import LogRow
from penstock.replay.mapping import INTERACTION_FIELDS, FeedbackMapping, RowMapping

_MICROSECOND = timedelta(microseconds=1)
_LATEST = (2**63 - 1) // 1000  # nanoseconds have to fit 64 bits

Attribute = str | int | float | list[str] | list[float]


class Call(Struct, frozen=True):
    """One row, ready to be sent."""

    number: int
    application: str
    span: Span
    feedback: list[dict[str, Any]]


def map_row(row: LogRow, file_name: str, mapping: RowMapping) -> Call:
    """The span and the feedback of a row; raises RowError with the reason why it has none."""
    if row.problem is not None:
        raise RowError(row.problem)
    source = Row(row.number, row.values)
    fields = {name: _read_field(name, source, mapping) for name in mapping.interaction}
    identity = _identity(row, file_name, fields.get("id"), mapping.source.name)
    started_at, ended_at = _times(fields)
    span = Span(
        trace_id=bytes.fromhex(digest("trace", identity)),
        span_id=bytes.fromhex(digest("span", identity)[:16]),
        name=f"{fields.get('operation') or 'chat'} {fields.get('model') or ''}".rstrip(),
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=_nanoseconds(started_at, "started_at"),
        end_time_unix_nano=_nanoseconds(ended_at, "ended_at"),
    )
    if fields.get("error_type"):
        span.status.code = Status.STATUS_CODE_ERROR
    _set_attributes(span, {**_attributes(fields), **_named(mapping.tags, "tag", source), **_named(mapping.keys, "key", source)})
    feedback = [
        report
        for position, rule in enumerate(mapping.feedback)
        for report in _reports(rule, position, source, identity, ended_at)
    ]
    for report in feedback:
        report.update(trace_id=span.trace_id.hex(), span_id=span.span_id.hex())
    return Call(row.number, str(fields.get("application") or mapping.source.name), span, feedback)


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
        scopes[call.application].spans.append(call.span)
    return request


def _read_field(name: str, row: Row, mapping: RowMapping) -> Any:
    binding = mapping.interaction[name]
    value = binding.read(row, name)
    if value is None:
        return None
    match INTERACTION_FIELDS[name].kind:
        case "text":
            return _text(value, name)
        case "integer":
            return _integer(value, name)
        case "number" | "duration":
            return number(value, name)
        case "numbers":
            return _numbers(value, name)
        case "time":
            return moment(value, binding, name)
        case "messages":
            return _messages(value, name)


def _text(value: Any, field: str) -> str:
    if isinstance(value, list | dict | tuple | bytes):
        raise RowError(f"{field}: {describe(value)} is no text")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _integer(value: Any, field: str) -> int:
    parsed = number(value, field)
    if parsed != int(parsed) or parsed < 0 or parsed >= 2**53:
        raise RowError(f"{field}: {describe(value)} is no whole number of at least 0")
    return int(parsed)


def _numbers(value: Any, field: str) -> list[float]:
    if not isinstance(value, list | tuple):
        raise RowError(f"{field}: {describe(value)} is no list of numbers")
    return [number(item, field) for item in value]


def _messages(value: Any, field: str) -> list[dict[str, Any]]:
    """Messages in the newest convention, from OpenAI's, from its own, or from plain text."""
    if isinstance(value, str):
        return [{"role": "assistant" if field == "output" else "user", "parts": [{"type": "text", "content": value}]}]
    messages = [value] if isinstance(value, Mapping) else value
    if not isinstance(messages, list | tuple) or not all(
        isinstance(message, Mapping) and "role" in message for message in messages
    ):
        raise RowError(f"{field}: {describe(value)} is neither text nor a list of messages with a role")
    if all("parts" in message for message in messages):
        return [dict(message) for message in messages]
    try:
        return openai_to_otel([dict(message) for message in messages])
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RowError(f"{field}: a message does not look like one of OpenAI's ({type(error).__name__})") from None


def _times(fields: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """Start and end; with neither an end nor a duration they are one."""
    started_at: datetime | None = fields.get("started_at")
    if started_at is None:
        raise RowError("started_at: it is empty")
    if fields.get("input_messages") is None:
        raise RowError("input_messages: it is empty")
    ended_at: datetime | None = fields.get("ended_at")
    if ended_at is None:
        try:
            ended_at = started_at + timedelta(seconds=fields.get("duration") or 0.0)
        except OverflowError:
            raise RowError("duration: the number is too large") from None
    if ended_at < started_at:
        raise RowError("ended_at: it lies before started_at")
    return started_at, ended_at


def _nanoseconds(at: datetime, field: str) -> int:
    microseconds = (at - EPOCH) // _MICROSECOND
    if not 0 <= microseconds <= _LATEST:
        raise RowError(f"{field}: OTLP holds times from 1970 to 2262 only")
    return microseconds * 1000


def _identity(row: LogRow, file_name: str, id_: str | None, source_name: str) -> str:
    """The row's own id, else where it stands and what it holds."""
    if id_ is not None:
        return digest(source_name, "id", id_)
    try:
        content = msgspec.json.encode(row.values, enc_hook=str, order="sorted").decode()
    except UnicodeEncodeError:
        raise RowError("it holds characters that are no valid Unicode") from None
    return digest(source_name, "row", file_name, str(row.number), content)


def _attributes(fields: Mapping[str, Any]) -> dict[str, Attribute]:
    """Attributes of the span, in the newest GenAI convention and, where it has none, our own."""
    found: dict[str, Attribute] = {
        kind.attribute: fields[name]
        for name, kind in INTERACTION_FIELDS.items()
        if kind.attribute is not None and fields.get(name) is not None
    }
    found.setdefault("gen_ai.operation.name", "chat")
    exposure = found.setdefault("penstock.exposure", Exposure.REPLAY.value)
    if exposure not in list(Exposure):
        raise RowError(f"exposure: it is none of {', '.join(Exposure)}")
    if fields.get("finish_reason"):
        found["gen_ai.response.finish_reasons"] = [fields["finish_reason"]]
    if fields.get("system"):
        found["gen_ai.system_instructions"] = _json([{"type": "text", "content": fields["system"]}])
    found["gen_ai.input.messages"] = _json(fields["input_messages"])
    if fields.get("output") is not None:
        found["gen_ai.output.messages"] = _json(fields["output"])
    return found


def _named(bindings: Mapping[str, Any], kind: str, row: Row) -> dict[str, Attribute]:
    values = {name: binding.read(row, f"{kind}s.{name}") for name, binding in bindings.items()}
    return {f"penstock.{kind}.{name}": _text(value, f"{kind}s.{name}") for name, value in values.items() if value is not None}


def _reports(rule: FeedbackMapping, position: int, row: Row, identity: str, ended_at: datetime) -> list[dict[str, Any]]:
    """The reports that one [[feedback]] makes of a row, without their target."""
    if rule.when is not None and not _is_true(rule.when.read(row, "feedback.when")):
        return []
    items: Any = [None]
    if rule.for_each is not None:
        items = rule.for_each.read(row, "feedback.for_each") or []
        if not isinstance(items, list | tuple):
            raise RowError(f"feedback.for_each: {describe(items)} is no list")
    return [
        _report(rule, Row(row.number, row.values, item), ended_at, digest("feedback", identity, str(position), str(place)))
        for place, item in enumerate(items)
    ]


def _report(rule: FeedbackMapping, row: Row, ended_at: datetime, key: str) -> dict[str, Any]:
    name = rule.name.read(row, "feedback.name")
    if name is None:
        raise RowError("feedback.name: it is empty")
    value = rule.value.read(row, "feedback.value") if rule.value else None
    text = rule.text.read(row, "feedback.text") if rule.text else None
    at = rule.occurred_at.read(row, "feedback.occurred_at") if rule.occurred_at else None
    occurred_at = moment(at, rule.occurred_at, "feedback.occurred_at") if rule.occurred_at and at is not None else ended_at
    report: dict[str, Any] = {
        "name": _text(name, "feedback.name"),
        "occurred_at": occurred_at.isoformat(),
        "idempotency_key": f"replay-{key}",
        "source": "replay",
    }
    if value is not None:
        report["value"] = number(value, "feedback.value")
    if text is not None:
        report["text"] = _text(text, "feedback.text")
    metadata = {name: binding.read(row, f"feedback.metadata.{name}") for name, binding in rule.metadata.items()}
    report["metadata"] = {name: _text(item, f"feedback.metadata.{name}") for name, item in metadata.items() if item is not None}
    return report


def _is_true(value: Any) -> bool:
    """Whether a `when` holds: nothing, 0, false, no and an empty list do not."""
    if isinstance(value, str):
        return value.strip().lower() not in ("", "0", "false", "no", "[]", "{}", "null", "none")
    return bool(value)


def _set_attributes(span: Span, attributes: Mapping[str, Attribute]) -> None:
    try:
        span.attributes.extend(KeyValue(key=key, value=_any_value(value)) for key, value in attributes.items())
    except (UnicodeEncodeError, ValueError):
        raise RowError("it holds characters that are no valid Unicode") from None


def _any_value(value: Attribute) -> AnyValue:
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_any_value(item) for item in value]))
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(double_value=value)


def _json(value: Any) -> str:
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()
    except (UnicodeEncodeError, RecursionError):
        raise RowError("it holds characters that are no valid Unicode") from None
