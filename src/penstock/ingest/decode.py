"""OTLP requests become Spans and Feedback, still raw: the door redacts them before anything is written.

A record that cannot be understood is kept as a row with its reason; one with invalid ids is also counted as rejected.
"""

import hashlib
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct, field

from penstock.formats.any_value import plain, plain_map
from penstock.formats.genai import NONE, read_genai
from penstock.ingest.interactions import CONTENT_EVENT
from penstock.records.feedback import Feedback, TargetKind
from penstock.records.ids import digest, feedback_id, interaction_id
from penstock.records.span import Span, SpanKind

EVALUATION_EVENT = "gen_ai.evaluation.result"
MOST_ATTRIBUTE_CHARACTERS = 32_768
_STATUS = {0: "unset", 1: "ok", 2: "error"}
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_MOST_AHEAD = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_MESSAGES = 5


class Decoded(Struct, kw_only=True):
    """What one request held."""

    spans: list[Span] = field(default_factory=list)
    feedback: list[Feedback] = field(default_factory=list)
    rejected: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def message(self) -> str:
        """Why records were rejected, for the sender."""
        more = len(self.problems) - _MOST_MESSAGES
        return "; ".join(self.problems[:_MOST_MESSAGES]) + (f"; and {more} more" if more > 0 else "")


def decode_traces(request: Any, known_at: datetime) -> Decoded:
    """The spans of an ExportTraceServiceRequest."""
    decoded = Decoded()
    for resource_spans in request.resource_spans:
        resource = plain_map(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            scope = _scope_name(scope_spans.scope)
            for span in scope_spans.spans:
                decoded.spans.append(_span(span, resource, scope, known_at, decoded))
    return decoded


def decode_logs(request: Any, known_at: datetime) -> Decoded:
    """The GenAI events of an ExportLogsServiceRequest; evaluation results are feedback."""
    decoded = Decoded()
    for resource_logs in request.resource_logs:
        resource = plain_map(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            scope = _scope_name(scope_logs.scope)
            for record in scope_logs.log_records:
                _log_record(record, resource, scope, known_at, decoded)
    return decoded


def _span(span: Any, resource: dict[str, Any], scope: str | None, known_at: datetime, decoded: Decoded) -> Span:
    attributes = plain_map(span.attributes)
    reasons = _id_problems(span.trace_id, span.span_id)
    if reasons:
        decoded.rejected += 1
        decoded.problems.append(f"span {span.name!r}: {', '.join(reasons)}")
    valid = not reasons
    read = read_genai(attributes)
    started_at, ended_at = _times(span.start_time_unix_nano, span.end_time_unix_nano, known_at, reasons)
    columns = read.columns
    _read_exceptions(span, columns, read.rest)
    if span.status.message:
        read.rest["otel.status.message"] = span.status.message
    trace_id, span_id = span.trace_id.hex(), span.span_id.hex()
    return Span(
        span_key=interaction_id(trace_id, span_id) if valid else "x_" + _content_digest(span),
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=span.parent_span_id.hex() or None,
        kind=str(read.kind) if valid else str(SpanKind.OTHER),
        name=span.name,
        started_at=started_at,
        ended_at=ended_at,
        known_at=known_at,
        dialect=read.dialect,
        scope=scope,
        application=_application(resource),
        status=_STATUS.get(span.status.code, "unset"),
        attributes=_capped({**_resource_rest(resource), **read.rest}),
        reason="; ".join([*reasons, *read.problems]) or None,
        **columns,
    )


def _log_record(record: Any, resource: dict[str, Any], scope: str | None, known_at: datetime, decoded: Decoded) -> None:
    attributes = plain_map(record.attributes)
    name = record.event_name or str(attributes.pop("event.name", ""))
    if name == EVALUATION_EVENT:
        _evaluation(record, attributes, known_at, decoded)
        return
    body = plain(record.body)
    if isinstance(body, dict):
        attributes = {**body, **attributes} if name == CONTENT_EVENT else {**attributes, "body": body}
    elif body not in (None, ""):
        attributes["body"] = body
    reasons: list[str] = []
    read = read_genai(attributes)
    moment = record.time_unix_nano or record.observed_time_unix_nano
    started_at, _ = _times(moment, moment, known_at, reasons)
    decoded.spans.append(
        Span(
            span_key="e_" + _content_digest(record),
            trace_id=record.trace_id.hex(),
            span_id=record.span_id.hex(),
            kind=str(SpanKind.EVENT),
            name=name or "log",
            started_at=started_at,
            ended_at=started_at,
            known_at=known_at,
            dialect=read.dialect if name.startswith("gen_ai.") else NONE,
            scope=scope,
            application=_application(resource),
            attributes=_capped({**_resource_rest(resource), **read.rest}),
            reason="; ".join([*reasons, *read.problems]) or None,
            **read.columns,
        )
    )


def _evaluation(record: Any, attributes: dict[str, Any], known_at: datetime, decoded: Decoded) -> None:
    """An evaluation result is a report on the span that it hangs on, or on the response that it names."""
    trace_id, span_id = record.trace_id.hex(), record.span_id.hex()
    response = attributes.pop("gen_ai.response.id", None)
    if trace_id and span_id and response is None:
        target_kind, target_id = TargetKind.SPAN, f"{trace_id}:{span_id}"
    elif response:
        target_kind, target_id = TargetKind.RESPONSE, str(response)
    else:
        decoded.rejected += 1
        decoded.problems.append(f"{EVALUATION_EVENT} names neither a span nor gen_ai.response.id")
        return
    label = attributes.pop("gen_ai.evaluation.score.label", None)
    explanation = attributes.pop("gen_ai.evaluation.explanation", None)
    score = attributes.pop("gen_ai.evaluation.score.value", None)
    occurred_at, _ = _times(record.time_unix_nano, record.time_unix_nano, known_at, [])
    key = "otlp:" + _content_digest(record)
    metadata = {name: value if isinstance(value, str) else str(value) for name, value in attributes.items()}
    if label is not None:
        metadata["label"] = str(label)
    decoded.feedback.append(
        Feedback(
            feedback_id=feedback_id(key),
            target_kind=str(target_kind),
            target_id=target_id,
            name=str(metadata.pop("gen_ai.evaluation.name", "evaluation")),
            value=float(score) if isinstance(score, int | float) and math.isfinite(score) else None,
            text=str(explanation) if explanation is not None else None if label is None else str(label),
            occurred_at=occurred_at,
            known_at=known_at,
            source="otlp",
            idempotency_key=key,
            metadata=metadata,
        )
    )


def _id_problems(trace_id: bytes, span_id: bytes) -> list[str]:
    if len(trace_id) == 16 and len(span_id) == 8 and any(trace_id) and any(span_id):
        return []
    return [
        f"{what} has {len(value)} bytes, not {size}" if len(value) != size else f"{what} is all zero"
        for what, value, size in (("trace id", trace_id, 16), ("span id", span_id, 8))
        if len(value) != size or not any(value)
    ]


def _times(start: int, end: int, known_at: datetime, reasons: list[str]) -> tuple[datetime, datetime]:
    """Start and end; what no clock can have shown is replaced by the time of arrival, with the reason."""
    started_at = _moment(start, known_at)
    if started_at is None:
        reasons.append(f"start time {start} ns is not plausible; the time of arrival stands in")
        started_at = known_at
    ended_at = _moment(end, known_at)
    return started_at, max(started_at, ended_at) if ended_at is not None else started_at


def _moment(nanoseconds: int, known_at: datetime) -> datetime | None:
    try:
        moment = _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return None
    return moment if _EARLIEST <= moment <= known_at + _MOST_AHEAD else None


def _read_exceptions(span: Any, columns: dict[str, Any], rest: dict[str, str]) -> None:
    """Span events are kept as attributes; the first exception names the error where nothing else does."""
    for event in span.events:
        found = plain_map(event.attributes)
        if event.name == "exception" and columns.get("error_type") is None and found.get("exception.type"):
            columns["error_type"] = str(found["exception.type"])
        for name, value in found.items():
            rest.setdefault(f"event.{event.name}.{name}", value if isinstance(value, str) else str(value))
    if columns.get("error_type") is None and span.status.code == 2:
        columns["error_type"] = "error"


def _scope_name(scope: Any) -> str | None:
    return f"{scope.name} {scope.version}".strip() or None


def _application(resource: dict[str, Any]) -> str | None:
    name = resource.get("service.name")
    return str(name) if name is not None else None


def _resource_rest(resource: dict[str, Any]) -> dict[str, str]:
    return {
        f"resource.{name}": value if isinstance(value, str) else str(value)
        for name, value in resource.items()
        if name != "service.name" and not name.startswith("telemetry.sdk.")
    }


def _capped(attributes: dict[str, str]) -> dict[str, str]:
    if all(len(value) <= MOST_ATTRIBUTE_CHARACTERS for value in attributes.values()):
        return attributes
    return {
        name: value
        if len(value) <= MOST_ATTRIBUTE_CHARACTERS
        else f"{value[:MOST_ATTRIBUTE_CHARACTERS]}[TRUNCATED {len(value) - MOST_ATTRIBUTE_CHARACTERS}]"
        for name, value in attributes.items()
    }


def _content_digest(message: Any) -> str:
    serialise: Callable[..., bytes] = message.SerializeToString
    return digest(hashlib.sha256(serialise(deterministic=True)).hexdigest())
