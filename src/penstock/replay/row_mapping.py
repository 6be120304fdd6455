"""One row of a log becomes one span of the newest GenAI convention, and the feedback that the row holds.

Pure: the same row always gets the same trace, span and idempotency keys, so that a second replay adds nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from penstock.records.ids import digest
from penstock.replay.binding import Row, RowError, describe, moment, number
from penstock.replay.call import Attribute, Call, nanoseconds, set_attributes
from penstock.replay.field_values import attributes_of, convert, plain_text
from penstock.replay.log_rows import LogRow
from penstock.replay.mapping import INTERACTION_FIELDS, FeedbackMapping, RowMapping


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
        start_time_unix_nano=nanoseconds(started_at, "started_at"),
        end_time_unix_nano=nanoseconds(ended_at, "ended_at"),
    )
    if fields.get("error_type"):
        span.status.code = Status.STATUS_CODE_ERROR
    fields["operation"] = fields.get("operation") or "chat"
    set_attributes(span, {**attributes_of(fields), **_named(mapping.tags, "tag", source), **_named(mapping.keys, "key", source)})
    feedback = [
        report
        for position, rule in enumerate(mapping.feedback)
        for report in _reports(rule, position, source, identity, ended_at)
    ]
    for report in feedback:
        report.update(trace_id=span.trace_id.hex(), span_id=span.span_id.hex())
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
    return {
        f"penstock.{kind}.{name}": plain_text(value, f"{kind}s.{name}") for name, value in values.items() if value is not None
    }


def _reports(rule: FeedbackMapping, position: int, row: Row, identity: str, ended_at: datetime) -> list[dict[str, Any]]:
    """The reports that one [[feedback]] makes of a row, without their target."""
    if rule.when is not None and not is_true(rule.when.read(row, "feedback.when")):
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
        "name": plain_text(name, "feedback.name"),
        "occurred_at": occurred_at.isoformat(),
        "idempotency_key": f"replay-{key}",
        "source": "replay",
    }
    if value is not None:
        report["value"] = number(value, "feedback.value")
    if text is not None:
        report["text"] = plain_text(text, "feedback.text")
    metadata = {name: binding.read(row, f"feedback.metadata.{name}") for name, binding in rule.metadata.items()}
    report["metadata"] = {
        name: plain_text(item, f"feedback.metadata.{name}") for name, item in metadata.items() if item is not None
    }
    return report


def is_true(value: Any) -> bool:
    """Whether a `when` holds: nothing, 0, false, no and an empty list do not."""
    if isinstance(value, str):
        return value.strip().lower() not in ("", "0", "false", "no", "[]", "{}", "null", "none")
    return bool(value)
