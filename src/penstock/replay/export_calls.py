"""Spans and reports of another tool's export, as calls.

Ids that are valid OpenTelemetry ids stay what they are, so that a span that also came by OTLP is the same span; others are
derived from the tool's own. The id of a call in its tool is kept as its request id, the tool's trace id as a business key: that
is how scores, and people, name it.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, field
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from penstock.records.ids import digest
from penstock.records.interaction import Exposure
from penstock.replay.binding import PassedOverError, RowError
from penstock.replay.call import Attribute, Call, json_text, nanoseconds, set_attributes
from penstock.replay.exported import Exported, ExportedReport, ExportedSpan, Kind, Translate
from penstock.replay.field_values import attributes_of, convert
from penstock.replay.log_rows import LogRow
from penstock.replay.mapping import SourceMapping
from penstock.replay.row_reader import RowReader

_TRACE = re.compile(r"[0-9a-f]{32}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SPAN = re.compile(r"[0-9a-f]{16}")
_OPERATIONS: dict[Kind, str] = {
    "inference": "chat",
    "embedding": "embeddings",
    "retrieval": "retrieval",
    "tool": "execute_tool",
    "agent": "invoke_workflow",
}


class Adjustments(Struct, frozen=True, kw_only=True):
    """What the person who replays knows better than the export."""

    application: str | None = None
    exposure: str | None = None
    names: dict[str, str] = field(default_factory=dict)  # of reports: the tool's -> ours


def exported_rows(tool: str, translate: Translate, adjustments: Adjustments) -> RowReader:
    """Rows of a tool's export."""

    def read(row: LogRow, _file_name: str) -> Call:
        if row.problem is not None:
            raise RowError(row.problem)
        try:
            return _call(row.number, translate(row.values), tool, adjustments)
        except UnicodeEncodeError:
            raise RowError("it holds characters that are no valid Unicode") from None
        except RecursionError:
            raise RowError("it is nested too deeply") from None

    identity = f"{tool} {json_text(adjustments)}"
    return RowReader(identity=identity, source=SourceMapping(name=tool), read=read)


def _call(number: int, exported: Exported, tool: str, adjustments: Adjustments) -> Call:
    if exported.passed_over is not None:
        raise PassedOverError(exported.passed_over)
    named = (span.fields.get("application") for span in exported.spans)
    application = adjustments.application or next((str(name) for name in named if name), tool)
    ends = {(span.trace, span.span): span.ended_at or span.started_at for span in exported.spans}
    spans = [_span(span, tool, adjustments) for span in exported.spans]
    return Call(number, application, spans, list(_reports(exported.reports, ends, tool, adjustments)))


def trace_id(tool: str, text: str) -> str:
    """A tool's trace id as OpenTelemetry's, in hex."""
    plain = text.strip().lower()
    if _UUID.fullmatch(plain):
        plain = plain.replace("-", "")
    return plain if _TRACE.fullmatch(plain) and plain.strip("0") else digest("trace", tool, text)[:32]


def span_id(tool: str, text: str) -> str:
    """A tool's span id as OpenTelemetry's, in hex."""
    plain = text.strip().lower()
    return plain if _SPAN.fullmatch(plain) and plain.strip("0") else digest("span", tool, text)[:16]


def _span(exported: ExportedSpan, tool: str, adjustments: Adjustments) -> Span:
    ended_at = exported.ended_at or exported.started_at
    if ended_at < exported.started_at:
        raise RowError("ended_at: it lies before started_at")
    model = exported.fields.get("model")
    span = Span(
        trace_id=bytes.fromhex(trace_id(tool, exported.trace)),
        span_id=bytes.fromhex(span_id(tool, exported.span)),
        parent_span_id=bytes.fromhex(span_id(tool, exported.parent)) if exported.parent else b"",
        name=exported.name or f"{_OPERATIONS.get(exported.kind, exported.kind)} {model or ''}".rstrip(),
        kind=Span.SPAN_KIND_CLIENT if exported.kind == "inference" else Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=nanoseconds(exported.started_at, "started_at"),
        end_time_unix_nano=nanoseconds(ended_at, "ended_at"),
    )
    if exported.fields.get("error_type"):
        span.status.code = Status.STATUS_CODE_ERROR
    set_attributes(span, _attributes(exported, adjustments))
    return span


def _attributes(exported: ExportedSpan, adjustments: Adjustments) -> dict[str, Attribute]:
    given = {name: value for name, value in exported.fields.items() if name != "application" and value is not None}
    fields = {name: convert(value, name) for name, value in given.items()}
    fields["exposure"] = adjustments.exposure or fields.get("exposure") or Exposure.SERVED.value
    is_call = exported.kind in ("inference", "embedding")
    operation = _OPERATIONS.get(exported.kind)
    if operation is not None:
        fields["operation"] = fields.get("operation") or operation
    if not is_call:  # a wrapper repeats what its calls hold
        fields = {name: fields.get(name) for name in _OF_ANY_SPAN}
    found = attributes_of(fields)
    found |= {f"penstock.tag.{name}": value for name, value in exported.tags.items()}
    found |= {f"penstock.key.{name}": value for name, value in exported.keys.items()}
    found |= _described(exported)
    return found


_OF_ANY_SPAN = ("operation", "exposure", "session", "user", "segment", "error_type")


def _described(exported: ExportedSpan) -> dict[str, Attribute]:
    """What a tool, a retrieval or a request has besides."""
    found: dict[str, Attribute] = {}
    for name, value in exported.parameters.items():
        if isinstance(value, str | int | float | bool):
            found[f"gen_ai.request.{name}"] = value
        elif value is not None:
            found[f"gen_ai.request.{name}"] = json_text(value)
    for name, attribute in (("name", "name"), ("id", "call.id"), ("arguments", "call.arguments"), ("result", "call.result")):
        value = exported.called.get(name)
        if value is not None:
            found[f"gen_ai.tool.{attribute}"] = value if isinstance(value, str) else json_text(value)
    if exported.documents:
        found["gen_ai.retrieval.documents"] = json_text(exported.documents)
    if exported.note:
        found["error.message"] = exported.note
    return found


def _reports(
    reports: Iterable[ExportedReport], ends: Mapping[tuple[str, str], datetime], tool: str, adjustments: Adjustments
) -> Iterable[dict[str, Any]]:
    for report in reports:
        end = ends.get(report.span) if report.span is not None else max(ends.values(), default=None)
        sent: dict[str, Any] = {
            **_target(report, tool),
            "name": adjustments.names.get(report.name, report.name),
            "occurred_at": (report.occurred_at or end or datetime.now(UTC)).isoformat(),
            "idempotency_key": f"replay-{digest('report', tool, report.id)}",
            "source": tool,
            "metadata": report.metadata,
        }
        optional = {"value": report.value, "text": report.text}
        yield sent | {name: value for name, value in optional.items() if value is not None}


def _target(report: ExportedReport, tool: str) -> dict[str, Any]:
    if report.span is not None:
        trace, span = report.span
        return {"trace_id": trace_id(tool, trace), "span_id": span_id(tool, span)}
    if report.request is not None:
        return {"request_id": report.request}
    if report.session is not None:
        return {"session_id": report.session}
    if report.key is None:
        raise RowError("the score names nothing that it is about")
    return {"key": {"name": report.key[0], "value": report.key[1]}}
