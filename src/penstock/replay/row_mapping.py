"""One row of a log becomes one span of the newest GenAI convention, and the feedback that it holds; or feedback alone.

Pure: the same row always gets the same trace, span and idempotency keys, so that a second replay adds nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from penstock.records.ids import digest
from penstock.replay.binding import PassedOverError, Row, RowError, moment
from penstock.replay.call import Attribute, Call, nanoseconds, set_attributes
from penstock.replay.field_values import attributes_of, convert, name_text, plain_text
from penstock.replay.log_rows import LogRow
from penstock.replay.mapping import INTERACTION_FIELDS, RowMapping
from penstock.replay.row_reports import RowReport, RowTarget, read_id, read_reports, report_digest


def map_row(row: LogRow, file_name: str, mapping: RowMapping, now: datetime) -> Call:
    """The span and the feedback of a row; raises RowError with the reason why it has none."""
    if row.problem is not None:
        raise RowError(row.problem)
    if mapping.interaction:
        return _map_interaction(row, file_name, mapping, now)
    source = Row(row.number, row.values)
    found = [report for rule in mapping.feedback for report in read_reports(rule, source, now, "feedback.")]
    if not found:
        raise PassedOverError("nothing to report: no [[feedback]] applies")
    id_ = read_id(mapping.source.id, source)
    feedback = [_aimed(report, report.target, id_, mapping) for report in found if report.target is not None]
    return Call(row.number, mapping.source.name, [], feedback)


def _map_interaction(row: LogRow, file_name: str, mapping: RowMapping, now: datetime) -> Call:
    source = Row(row.number, row.values)
    fields = {name: _read_field(name, source, mapping) for name in mapping.interaction}
    identity = _identity(row, file_name, fields.get("id"), mapping.source.name)
    started_at, ended_at = _times(fields)
    span = Span(
        trace_id=bytes.fromhex(digest("trace", identity)),
        span_id=bytes.fromhex(digest("span", identity)[:16]),
        name=f"{fields.get('operation') or 'chat'} {fields.get('model') or ''}".rstrip(),
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=nanoseconds(started_at, "started_at"),
        end_time_unix_nano=nanoseconds(ended_at, "ended_at"),
    )
    if fields.get("error_type"):
        span.status.code = Status.STATUS_CODE_ERROR
    fields["operation"] = fields.get("operation") or "chat"
    set_attributes(span, {**attributes_of(fields), **_named(mapping.tags, "tag", source), **_named(mapping.keys, "key", source)})
    own = {"trace_id": span.trace_id.hex(), "span_id": span.span_id.hex()}
    feedback = []
    for position, rule in enumerate(mapping.feedback):
        for report in read_reports(rule, source, now, "feedback."):
            if report.target is not None:
                feedback.append(_aimed(report, report.target, fields.get("id"), mapping))
            else:
                key = digest("feedback", identity, str(position), str(report.place))
                feedback.append({**_said(report, report.occurred_at or ended_at, key), **own})
    return Call(row.number, str(fields.get("application") or mapping.source.name), [span], feedback)


def _read_field(name: str, row: Row, mapping: RowMapping) -> Any:
    binding = mapping.interaction[name]
    value = binding.read(row, name)
    if value is None:
        return None
    return moment(value, binding, name) if INTERACTION_FIELDS[name].kind == "time" else convert(value, name)


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


def _identity(row: LogRow, file_name: str, id_: str | None, source_name: str) -> str:
    """The row's own id, else where it stands and what it holds."""
    if id_ is not None:
        return digest(source_name, "id", id_)
    try:
        content = msgspec.json.encode(row.values, enc_hook=str, order="sorted").decode()
    except UnicodeEncodeError:
        raise RowError("it holds characters that are no valid Unicode") from None
    # The rows of a query have no place of their own: there they are known by what they hold alone.
    place = (file_name, str(row.number)) if file_name else ()
    return digest(source_name, "row", *place, content)


def _named(bindings: Mapping[str, Any], kind: str, row: Row) -> dict[str, Attribute]:
    values = {name: binding.read(row, f"{kind}s.{name}") for name, binding in bindings.items()}
    as_text = name_text if kind == "key" else plain_text
    return {f"penstock.{kind}.{name}": as_text(value, f"{kind}s.{name}") for name, value in values.items() if value is not None}


def _aimed(report: RowReport, target: RowTarget, id_: str | None, mapping: RowMapping) -> dict[str, Any]:
    """A report on what it names, wherever its row stands and whatever else the row holds."""
    assert report.occurred_at is not None  # noqa: S101  read_reports wants one where there is a target
    key = digest("report", mapping.source.name, report_digest(report, target, id_))
    named: dict[str, Any] = (
        {"key": {"name": target.key, "value": target.id}} if target.key is not None else {f"{target.kind}_id": target.id}
    )
    return {**_said(report, report.occurred_at, key), **named}


def _said(report: RowReport, occurred_at: datetime, key: str) -> dict[str, Any]:
    """A report as it is sent, without its target."""
    said: dict[str, Any] = {
        "name": report.name,
        "occurred_at": occurred_at.isoformat(),
        "idempotency_key": f"replay-{key}",
        "source": "replay",
        "metadata": report.metadata,
    }
    optional = {"value": report.value, "text": report.text}
    return said | {name: value for name, value in optional.items() if value is not None}
