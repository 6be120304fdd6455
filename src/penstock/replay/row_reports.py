"""What a row reports, in the words of a [[feedback]]: on its own interaction, or on what it names, at a time of its own.

Pure: a row that is read again gives the same reports. Reasons never quote what a row holds.
"""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
from msgspec import Struct

from penstock.formats.report_time import is_far_ahead
from penstock.records.feedback import TargetKind
from penstock.records.ids import digest
from penstock.replay.binding import Binding, Row, RowError, describe, moment, number
from penstock.replay.field_values import name_text, plain_text
from penstock.replay.mapping import FeedbackMapping, Target

_LONGEST_NAME = 1024


class RowTarget(Struct, frozen=True, kw_only=True):
    """What a report is about, as the row names it."""

    kind: TargetKind
    key: str | None  # the name of the business key
    id: str


class RowReport(Struct, frozen=True, kw_only=True):
    """One report of a row."""

    target: RowTarget | None  # None: the row's own interaction
    name: str
    value: float | None
    text: str | None
    occurred_at: datetime | None  # None: it says nothing of it, which only a report on the row itself may
    metadata: dict[str, str]
    place: int  # among the items of a for_each


def read_reports(rule: FeedbackMapping, row: Row, now: datetime, prefix: str = "") -> list[RowReport]:
    """The reports that one [[feedback]] makes of a row; raises RowError, whose reason names fields behind `prefix`."""
    if rule.when is not None and not is_true(rule.when.read(row, f"{prefix}when")):
        return []
    items: Any = [None]
    if rule.for_each is not None:
        items = rule.for_each.read(row, f"{prefix}for_each") or []
        if not isinstance(items, list | tuple):
            raise RowError(f"{prefix}for_each: {describe(items)} is no list")
    return [_report(rule, Row(row.number, row.values, item), place, now, prefix) for place, item in enumerate(items)]


def read_id(binding: Binding | None, row: Row) -> str | None:
    """A row's own id, None where the mapping names none; raises RowError where the row has none."""
    return None if binding is None else _name(binding, row, "id")


def report_digest(report: RowReport, target: RowTarget, id_: str | None) -> str:
    """Known by its row's own id, else by what it reports: a column that nothing here reads does not make it another."""
    what = ("id", id_, str(report.place)) if id_ is not None else ("content", _content(report))
    return digest(report.name, target.kind, target.key or "", target.id, *what)


def is_true(value: Any) -> bool:
    """Whether a `when` holds: nothing, 0, false, no and an empty list do not."""
    if isinstance(value, str):
        return value.strip().lower() not in ("", "0", "false", "no", "[]", "{}", "null", "none")
    return bool(value)


def _report(rule: FeedbackMapping, row: Row, place: int, now: datetime, prefix: str) -> RowReport:
    target = _target(rule.target, row, prefix) if rule.target else None
    name = _name(rule.name, row, f"{prefix}name")
    value = rule.value.read(row, f"{prefix}value") if rule.value else None
    text = rule.text.read(row, f"{prefix}text") if rule.text else None
    metadata = {key: binding.read(row, f"{prefix}metadata.{key}") for key, binding in rule.metadata.items()}
    report = RowReport(
        target=target,
        name=name,
        value=None if value is None or rule.value is None else _number(value, rule.value, f"{prefix}value"),
        text=None if text is None else plain_text(text, f"{prefix}text"),
        occurred_at=_moment(rule.occurred_at, row, f"{prefix}occurred_at"),
        metadata={key: plain_text(item, f"{prefix}metadata.{key}") for key, item in metadata.items() if item is not None},
        place=place,
    )
    _require_unicode(report)
    if target is not None:
        _require_time(report.occurred_at, now, prefix)
    return report


def _number(value: Any, binding: Binding, field: str) -> float:
    try:
        return number(value, field)
    except RowError:
        if binding.map is None or not isinstance(value, str):
            raise
        raise RowError(f"{field}: {describe(value)} is none of the words in `map`, and no number") from None


def _target(target: Target, row: Row, prefix: str) -> RowTarget:
    field = f"keys.{target.key}" if target.key is not None else f"{target.kind}_id"
    return RowTarget(kind=target.kind, key=target.key, id=_name(target.binding, row, prefix + field))


def _name(binding: Binding, row: Row, field: str) -> str:
    value = binding.read(row, field)
    if value is None:
        raise RowError(f"{field}: it is empty")
    text = name_text(value, field)
    if len(text) > _LONGEST_NAME:
        raise RowError(f"{field}: it is longer than {_LONGEST_NAME} characters")
    return text


def _moment(binding: Binding | None, row: Row, field: str) -> datetime | None:
    value = binding.read(row, field) if binding is not None else None
    if value is None or binding is None:
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    try:
        return moment(value, binding, field)
    except OverflowError:
        raise RowError(f"{field}: it lies outside the years 1 to 9999") from None


def _require_time(at: datetime | None, now: datetime, prefix: str) -> None:
    """A clock may run ahead of ours, but not by more than a day."""
    if at is None:
        raise RowError(f"{prefix}occurred_at: it is empty")
    if is_far_ahead(at, now):
        raise RowError(f"{prefix}occurred_at: it lies more than a day ahead")


def _require_unicode(report: RowReport) -> None:
    try:
        msgspec.json.encode(report)
    except UnicodeEncodeError:
        raise RowError("it holds characters that are no valid Unicode") from None


def _content(report: RowReport) -> str:
    occurred_at = report.occurred_at.isoformat() if report.occurred_at else None
    return msgspec.json.encode((report.value, report.text, occurred_at, report.metadata), order="sorted").decode()
