"""OTLP requests become Spans and Feedback, still raw: the door redacts them before anything is written.

A record that cannot be understood is kept as a row with its reason; one with invalid ids is also counted as rejected.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field

from penstock.formats.aliases import text_of
from penstock.formats.annotations import take_annotations
from penstock.formats.any_value import plain, plain_map
from penstock.formats.dialects import read_span
from penstock.formats.genai import NONE, GenAiSpan
from penstock.formats.message_events import CONTENT_EVENT, MESSAGE_EVENTS, is_answer, messages_of_event
from penstock.formats.span_events import Event, read_events
from penstock.ingest.attribute_length import cut_before_redaction
from penstock.ingest.evaluations import EVALUATION_EVENT, evaluation
from penstock.ingest.event_content import EXCEPTION_EVENT, SEQUENCE
from penstock.ingest.origin import EARLIEST_NS, EPOCH, Origin, origin_of
from penstock.records.feedback import Feedback, TargetKind
from penstock.records.ids import digest, interaction_id
from penstock.records.span import Span, SpanKind

_CONTENT_ATTRIBUTES = frozenset(
    {"content", "tool_calls", "message", "message.content", "gen_ai.event.content", "gen_ai.prompt", "gen_ai.completion"}
)
_STATUS = {0: "unset", 1: "ok", 2: "error"}
_ERROR = 2
_MOST_MESSAGES = 5


class Decoded(Struct, kw_only=True):
    """What one request held."""

    spans: list[Span] = field(default_factory=list)
    rows: int = 0  # how many spans more are rows, beside these records
    feedback: list[Feedback] = field(default_factory=list)
    rejected: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def message(self) -> str:
        """Why records were rejected, for the sender."""
        more = len(self.problems) - _MOST_MESSAGES
        return "; ".join(self.problems[:_MOST_MESSAGES]) + (f"; and {more} more" if more > 0 else "")


def decode_traces(request: Any, known_at: datetime, only: Sequence[int] | None = None) -> Decoded:
    """The spans of an ExportTraceServiceRequest, or only those that stand in these places."""
    decoded = Decoded()
    wanted = None if only is None else frozenset(only)
    place = 0
    for resource_spans in request.resource_spans:
        resource = plain_map(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            origin = origin_of(resource, scope_spans.scope, known_at)
            spans = scope_spans.spans
            if wanted is not None:
                spans = [span for number, span in enumerate(spans, place) if number in wanted]
            place += len(scope_spans.spans)
            decoded.spans.extend([_span(span, origin, decoded) for span in spans])
    return decoded


def decode_logs(request: Any, known_at: datetime) -> Decoded:
    """The GenAI events of an ExportLogsServiceRequest; evaluation results are feedback."""
    decoded = Decoded()
    for resource_logs in request.resource_logs:
        resource = plain_map(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            origin = origin_of(resource, scope_logs.scope, known_at)
            for position, record in enumerate(scope_logs.log_records):
                _log_record(record, position, origin, decoded)
    return decoded


def _span(span: Any, origin: Origin, decoded: Decoded) -> Span:
    raw_trace_id, raw_span_id, status = span.trace_id, span.span_id, span.status
    reasons = _id_problems(raw_trace_id, raw_span_id)
    is_valid = not reasons
    if reasons:
        decoded.rejected += 1
        decoded.problems.append(f"span {span.name!r}: {', '.join(reasons)}")
    start_ns = span.start_time_unix_nano
    started_at, ended_at = _times(start_ns, span.end_time_unix_nano, origin, reasons)
    attributes = plain_map(span.attributes)
    if is_valid:
        events = _take_evaluations(span, attributes, ended_at, origin, decoded)
    else:
        events = [(event.name, plain_map(event.attributes), event.time_unix_nano) for event in span.events]
    read = read_span(attributes, span.name, start_ns)
    if events:
        read_events(events, start_ns, read)
    if status.code == _ERROR:
        read.columns.setdefault("error_type", "error")
    if status.message:
        read.rest["otel.status.message"] = status.message
    trace_id, span_id = raw_trace_id.hex(), raw_span_id.hex()
    return Span(
        span_key=interaction_id(trace_id, span_id) if is_valid else "x_" + _content_digest(span),
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=span.parent_span_id.hex() or None,
        kind=str(read.kind) if is_valid else str(SpanKind.OTHER),
        name=span.name,
        started_at=started_at,
        ended_at=ended_at,
        known_at=origin.known_at,
        dialect=read.dialect,
        scope=origin.scope,
        application=origin.application,
        status=_STATUS.get(status.code, "unset"),
        attributes=cut_before_redaction({**origin.attributes, **read.rest}),
        reason="; ".join([*reasons, *read.problems]) or None,
        **read.columns,
    )


def _log_record(record: Any, position: int, origin: Origin, decoded: Decoded) -> None:
    attributes = plain_map(record.attributes)
    named = attributes.pop("event.name", "")
    name = record.event_name or str(named) or str(attributes.pop("event_name", ""))  # LiteLLM's
    if name in MESSAGE_EVENTS:
        attributes[SEQUENCE] = position  # messages of one call may carry one time
    if name != EVALUATION_EVENT:
        decoded.spans.append(_event(record, name, attributes, origin, []))
        return
    report = _evaluation(record, attributes, origin)
    if report is not None:
        decoded.feedback.append(report)
        return
    problem = f"{EVALUATION_EVENT} names neither a span nor gen_ai.response.id"
    decoded.rejected += 1
    decoded.problems.append(problem)
    decoded.spans.append(_event(record, name, attributes, origin, [problem]))


def _event(record: Any, name: str, attributes: dict[str, Any], origin: Origin, reasons: list[str]) -> Span:
    read = _read_record(name, plain(record.body), attributes)
    moment = record.time_unix_nano or record.observed_time_unix_nano
    started_at, _ = _times(moment, moment, origin, reasons)
    return Span(
        span_key="e_" + _content_digest(record),
        trace_id=record.trace_id.hex(),
        span_id=record.span_id.hex(),
        kind=str(SpanKind.EVENT),
        name=name or "log",
        started_at=started_at,
        ended_at=started_at,
        known_at=origin.known_at,
        dialect=read.dialect if name.startswith("gen_ai.") else NONE,
        scope=origin.scope,
        application=origin.application,
        attributes=cut_before_redaction({**origin.attributes, **read.rest}),
        reason="; ".join([*reasons, *read.problems]) or None,
        **read.columns,
    )


def _read_record(name: str, body: Any, attributes: dict[str, Any]) -> GenAiSpan:
    """What a log record says; a message or an answer fills the columns that it would fill on a span."""
    if name in MESSAGE_EVENTS:
        role = "gen_ai.output.messages" if is_answer(name) else "gen_ai.input.messages"
        messages = messages_of_event(name, body, attributes)
        kept = {key: value for key, value in attributes.items() if key not in _CONTENT_ATTRIBUTES}
        reasons = [message["finish_reason"] for message in messages if "finish_reason" in message]
        if isinstance(body, dict) and isinstance(body.get("finish_reason"), str):
            reasons = [body["finish_reason"]]
        index = {"index": body["index"]} if isinstance(body, dict) and "index" in body else {}
        return read_span({**kept, role: messages, "gen_ai.response.finish_reasons": reasons, **index}, name, 0)
    if isinstance(body, dict) and name == CONTENT_EVENT:
        attributes = {**body, **attributes}
    elif body not in (None, ""):
        attributes["body"] = body
    if name == EXCEPTION_EVENT:
        attributes.setdefault("error.type", attributes.get("exception.type"))
    return read_span(attributes, name, 0)


def _evaluation(record: Any, attributes: dict[str, Any], origin: Origin) -> Feedback | None:
    """An evaluation result is a report on the span that it hangs on, else on the response that it names; None on neither."""
    response = attributes.get("gen_ai.response.id")
    if not _id_problems(record.trace_id, record.span_id):
        target = TargetKind.SPAN, f"{record.trace_id.hex()}:{record.span_id.hex()}"
    elif response:
        target = TargetKind.RESPONSE, str(attributes.pop("gen_ai.response.id"))
    else:
        return None
    moment = record.time_unix_nano or record.observed_time_unix_nano
    occurred_at, _ = _times(moment, moment, origin, [])
    return evaluation(attributes, target, _content_digest(record), occurred_at, origin.known_at)


def _take_evaluations(span: Any, attributes: dict[str, Any], ended_at: datetime, origin: Origin, decoded: Decoded) -> list[Event]:
    """Report what a span with valid ids says of evaluations, and give the events that say something else."""
    ids = span.trace_id.hex(), span.span_id.hex()
    links = [(link.trace_id.hex(), link.span_id.hex()) for link in span.links if not _id_problems(link.trace_id, link.span_id)]
    for found in take_annotations(attributes, ids, links):
        target, identity = (found.target_kind, found.target_id), digest("annotation", *found.identity)
        decoded.feedback.append(evaluation(found.said, target, identity, ended_at, origin.known_at))
    others: list[Event] = []
    position = 0
    for event in span.events:
        said = plain_map(event.attributes)
        if event.name != EVALUATION_EVENT:
            others.append((event.name, said, event.time_unix_nano))
            continue
        moment = event.time_unix_nano or span.end_time_unix_nano
        occurred_at, _ = _times(moment, moment, origin, [])
        identity = digest("event", *ids, text_of(said.get("gen_ai.evaluation.name")) or "", str(position))
        decoded.feedback.append(evaluation(said, (TargetKind.SPAN, ":".join(ids)), identity, occurred_at, origin.known_at))
        position += 1
    return others


def _id_problems(trace_id: bytes, span_id: bytes) -> list[str]:
    if len(trace_id) == 16 and len(span_id) == 8 and any(trace_id) and any(span_id):
        return []
    return [
        f"{what} has {len(value)} bytes, not {size}" if len(value) != size else f"{what} is all zero"
        for what, value, size in (("trace id", trace_id, 16), ("span id", span_id, 8))
        if len(value) != size or not any(value)
    ]


def _times(start: int, end: int, origin: Origin, reasons: list[str]) -> tuple[datetime, datetime]:
    """Start and end; what no clock can have shown is replaced by the time of arrival, with the reason."""
    if EARLIEST_NS <= start <= origin.latest_ns:
        started_at = EPOCH + timedelta(microseconds=start // 1000)
    else:
        reasons.append(f"start time {start} ns is not plausible; the time of arrival stands in")
        started_at = origin.known_at
    if not EARLIEST_NS <= end <= origin.latest_ns:
        return started_at, started_at
    return started_at, max(started_at, EPOCH + timedelta(microseconds=end // 1000))


def _content_digest(message: Any) -> str:
    serialise: Callable[..., bytes] = message.SerializeToString
    return digest(hashlib.sha256(serialise(deterministic=True)).hexdigest())
