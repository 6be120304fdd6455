"""Spans and feedback, as they are stored, become OTLP requests and reports that another backend, or another Penstock, can take.

Columns go out under the newest GenAI names, so whatever dialect came in, one goes out. The same rows always give the same bytes:
a receiver knows a span, an event or a report that is sent twice. What was text on the way in goes out as text.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from penstock.errors import BadInputError
from penstock.formats.otlp_attributes import (
    APPLICATION,
    CAPTURE_PROBABILITY,
    CONTENT_SAMPLED,
    EXPOSURE,
    FINISH_REASONS,
    FIRST_CHUNK_S,
    KEY_PREFIX,
    LOGPROBS,
    NUMBER_COLUMNS,
    PARAMETER_PREFIX,
    RELAY_DIALECT,
    RELAY_KIND,
    RELAY_REASON,
    RELAY_REDACTIONS,
    RELAY_TOOL_CALLS,
    RESOURCE_PREFIX,
    SAMPLE_PROBABILITY,
    TAG_PREFIX,
    TEXT_COLUMNS,
)
from penstock.records.feedback import Feedback, TargetKind
from penstock.records.interaction import Exposure
from penstock.records.span import Span, SpanKind

EVALUATION_EVENT = "gen_ai.evaluation.result"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATUS = {"ok": 1, "error": 2}
_CLIENT, _INTERNAL = 3, 1
_STATUS_MESSAGE = "otel.status.message"
_BODY = "body"
_EVENT_PREFIX = "event."


def export_spans(spans: Iterable[Span], *, with_thin_rows: bool) -> ExportTraceServiceRequest:
    """The request that sends these spans, events left out; without thin rows a probability becomes that of coming at all."""
    request = ExportTraceServiceRequest()
    scopes: dict[Any, Any] = {}
    for span in _sent(spans, with_thin_rows):
        if span.kind != SpanKind.EVENT:
            target = _scope_of(span, scopes, request.resource_spans, "scope_spans").spans.add()
            _fill_span(target, span, with_thin_rows)
    return request


def export_events(spans: Iterable[Span], *, with_thin_rows: bool) -> ExportLogsServiceRequest:
    """The request that sends the events among these rows."""
    request = ExportLogsServiceRequest()
    scopes: dict[Any, Any] = {}
    for span in _sent(spans, with_thin_rows):
        if span.kind == SpanKind.EVENT:
            record = _scope_of(span, scopes, request.resource_logs, "scope_logs").log_records.add()
            _fill_event(record, span, with_thin_rows)
    return request


def export_feedback(reports: Sequence[Feedback]) -> list[dict[str, Any]]:
    """The reports as POST /v1/feedback takes them; sent again, they are the same reports."""
    return [_report(report) for report in reports]


def export_evaluations(reports: Sequence[Feedback]) -> ExportLogsServiceRequest:
    """The reports as evaluation events, for a backend that is no Penstock; only those on a span or a response have that form."""
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for report in reports:
        record = records.add(event_name=EVALUATION_EVENT, time_unix_nano=_nanoseconds(report.occurred_at))
        record.observed_time_unix_nano = record.time_unix_nano
        if report.target_kind == TargetKind.SPAN:
            trace_id, _, span_id = report.target_id.partition(":")
            record.trace_id, record.span_id = bytes.fromhex(trace_id), bytes.fromhex(span_id)
        elif report.target_kind == TargetKind.RESPONSE:
            _set(record.attributes, TEXT_COLUMNS["response_id"], report.target_id)
        else:
            raise BadInputError(f"A report on a {report.target_kind} has no form that other backends know.")
        said: dict[str, Any] = {"gen_ai.evaluation.name": report.name, **report.metadata}
        if report.value is not None:
            said["gen_ai.evaluation.score.value"] = report.value
        if report.text is not None:
            said["gen_ai.evaluation.explanation"] = report.text
        for name, value in said.items():
            _set(record.attributes, name, value)
    return request


def _sent(spans: Iterable[Span], with_thin_rows: bool) -> Iterable[Span]:
    return spans if with_thin_rows else (span for span in spans if span.content_sampled is not False)


def _scope_of(span: Span, scopes: dict[Any, Any], resources: Any, scopes_field: str) -> Any:
    """The group of this span's resource and scope, made at its first span."""
    resource = {name: value for name, value in span.attributes.items() if name.startswith(RESOURCE_PREFIX)}
    key = (span.application, tuple(resource.items()))
    if key not in scopes:
        group = resources.add()
        if span.application is not None:
            _set(group.resource.attributes, APPLICATION, span.application)
        for name, value in resource.items():
            _set(group.resource.attributes, name.removeprefix(RESOURCE_PREFIX), value)
        scopes[key] = group
    if (key, span.scope) not in scopes:
        group = getattr(scopes[key], scopes_field).add()
        group.scope.name, _, group.scope.version = (span.scope or "").partition(" ")
        scopes[key, span.scope] = group
    return scopes[key, span.scope]


def _fill_span(target: Any, span: Span, with_thin_rows: bool) -> None:
    target.trace_id, target.span_id = bytes.fromhex(span.trace_id), bytes.fromhex(span.span_id)
    target.parent_span_id = bytes.fromhex(span.parent_span_id or "")
    target.name = span.name
    target.kind = _CLIENT if span.kind == SpanKind.INFERENCE else _INTERNAL
    target.start_time_unix_nano, target.end_time_unix_nano = _nanoseconds(span.started_at), _nanoseconds(span.ended_at)
    target.status.code = _STATUS.get(span.status, 0)
    rest = dict(span.attributes)
    target.status.message = rest.pop(_STATUS_MESSAGE, "")
    for name, attributes in _span_events(rest):
        event = target.events.add(name=name, time_unix_nano=target.end_time_unix_nano)
        for key, value in attributes.items():
            _set(event.attributes, key, value)
    _fill_attributes(target.attributes, span, rest, with_thin_rows)
    _set(target.attributes, RELAY_KIND, span.kind)


def _fill_event(record: Any, span: Span, with_thin_rows: bool) -> None:
    record.trace_id, record.span_id = bytes.fromhex(span.trace_id), bytes.fromhex(span.span_id)
    record.event_name = span.name
    record.time_unix_nano = record.observed_time_unix_nano = _nanoseconds(span.started_at)
    rest = dict(span.attributes)
    body = rest.pop(_BODY, None)
    if body is not None:
        _set_value(record.body, _object(body) or body)
    _fill_attributes(record.attributes, span, rest, with_thin_rows)


def _fill_attributes(target: Any, span: Span, rest: Mapping[str, str], with_thin_rows: bool) -> None:
    """Everything that a row's columns and attributes say, the latter as the text they are."""
    said = {name: value for name, value in rest.items() if not name.startswith((RESOURCE_PREFIX, "penstock.relay."))}
    for names in (TEXT_COLUMNS, NUMBER_COLUMNS):
        said.update({name: value for column, name in names.items() if (value := getattr(span, column)) is not None})
    if span.parameters is not None:
        said.update({PARAMETER_PREFIX + name: value for name, value in _object(span.parameters).items()})
    said.update({KEY_PREFIX + name: value for name, value in span.keys.items()})
    said.update({TAG_PREFIX + name: value for name, value in span.tags.items()})
    said.update(_computed(span))
    said.update(_marks(span, with_thin_rows))
    for name, value in said.items():
        _set(target, name, value)


def _computed(span: Span) -> dict[str, Any]:
    """Columns that are no plain attribute."""
    computed: dict[str, Any] = {}
    if span.exposure != Exposure.SERVED:
        computed[EXPOSURE] = span.exposure
    if span.finish_reason is not None:
        computed[FINISH_REASONS] = [span.finish_reason]
    if span.first_token_ms is not None:
        computed[FIRST_CHUNK_S] = span.first_token_ms / 1000.0
    if span.token_logprobs is not None:
        computed[LOGPROBS] = span.token_logprobs
    # A text that was never part of messages makes one, which every backend can show.
    if span.input_messages is None and span.prompt_text is not None:
        computed[TEXT_COLUMNS["input_messages"]] = _message("user", span.prompt_text)
    if span.output_messages is None and span.response_text is not None:
        computed[TEXT_COLUMNS["output_messages"]] = _message("assistant", span.response_text)
    return computed


def _marks(span: Span, with_thin_rows: bool) -> dict[str, Any]:
    """What no convention has a name for; only a Penstock reads it."""
    marks: dict[str, Any] = {RELAY_DIALECT: span.dialect}
    if span.redactions:
        marks[RELAY_REDACTIONS] = _encode(span.redactions)
    if span.reason is not None:
        marks[RELAY_REASON] = span.reason
    if span.output_messages is None and span.tool_calls is not None:
        marks[RELAY_TOOL_CALLS] = span.tool_calls
    capture = span.capture_probability
    if span.sample_probability < 1.0 or span.content_sampled is False or SAMPLE_PROBABILITY in span.attributes:
        marks[SAMPLE_PROBABILITY] = span.sample_probability if with_thin_rows else 1.0
        capture *= 1.0 if with_thin_rows else span.sample_probability
    if span.content_sampled is False:
        marks[CONTENT_SAMPLED] = False
    if capture < 1.0:
        marks[CAPTURE_PROBABILITY] = capture
    return marks


def _span_events(rest: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
    """Take the attributes that were span events out, as events again: a name with no value opens one, in order."""
    events: list[tuple[str, dict[str, str]]] = []
    label: str | None = None
    known: set[str] = set()
    for name in [name for name in rest if name.startswith(_EVENT_PREFIX)]:
        within = name.removeprefix(f"{label}.") if label is not None and name.startswith(f"{label}.") else None
        if rest[name] == "" and (within is None or within.isdigit()):
            shown = name.removeprefix(_EVENT_PREFIX)
            stem, _, number = shown.rpartition(".")
            event = stem if number.isdigit() and stem in known else shown  # the second of a name is numbered
            events.append((event, {}))
            known.add(event)
            label = name
        elif within is not None:
            events[-1][1][within] = rest[name]
        else:
            continue
        del rest[name]
    return events


def _report(report: Feedback) -> dict[str, Any]:
    sent: dict[str, Any] = {
        "name": report.name,
        "source": report.source,
        "occurred_at": report.occurred_at.isoformat(),
        "idempotency_key": report.idempotency_key,
        "metadata": dict(report.metadata),
    }
    if report.value is not None:
        sent["value"] = report.value
    if report.text is not None:
        sent["text"] = report.text
    if report.target_kind == TargetKind.SPAN:
        sent["trace_id"], _, sent["span_id"] = report.target_id.partition(":")
    elif report.target_kind == TargetKind.KEY:
        sent["key"] = {"name": report.target_key, "value": report.target_id}
    else:
        sent[f"{report.target_kind}_id"] = report.target_id
    return sent


def _set(target: Any, name: str, value: Any) -> None:
    _set_value(target.add(key=name).value, value)


def _set_value(holder: Any, value: Any) -> None:
    """A plain value as an AnyValue; None stays unset."""
    if isinstance(value, bool):
        holder.bool_value = value
    elif isinstance(value, str):
        holder.string_value = value
    elif isinstance(value, int) and -(2**63) <= value < 2**63:
        holder.int_value = value
    elif isinstance(value, int | float):
        holder.double_value = value
    elif isinstance(value, list):
        holder.array_value.SetInParent()
        for item in value:
            _set_value(holder.array_value.values.add(), item)
    elif isinstance(value, dict):
        holder.kvlist_value.SetInParent()
        for name, item in value.items():
            _set(holder.kvlist_value.values, name, item)


def _message(role: str, text: str) -> str:
    return _encode([{"role": role, "parts": [{"type": "text", "content": text}]}])


def _object(text: str) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
