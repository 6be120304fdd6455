"""What a row of a pulled table reports, in the words of a replay's mapping, with a target and a time of its own.

Pure: a row that is read again gives the same reports. Reasons never quote what a row holds.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from penstock.errors import ConfigurationError
from penstock.outcome_settings import PullSettings
from penstock.records.feedback import Feedback, TargetKind
from penstock.records.ids import digest, feedback_id
from penstock.replay.binding import Binding, Row, RowError, describe, moment, number
from penstock.replay.field_values import plain_text
from penstock.replay.mapping import FeedbackMapping, read_binding, read_bindings, read_feedback
from penstock.replay.row_mapping import is_true

TARGETS: dict[str, TargetKind] = {
    "request_id": TargetKind.REQUEST,
    "response_id": TargetKind.RESPONSE,
    "session_id": TargetKind.SESSION,
}
MOST_AHEAD = timedelta(days=1)  # of our clock; a time beyond that is no skew but a mistake
_LONGEST_NAME = 1024


class PullRule(Struct, frozen=True, kw_only=True):
    """One [[pulls.NAME.feedback]]."""

    says: FeedbackMapping
    kind: TargetKind
    key: str | None  # the name of the business key
    target: Binding


class PullMapping(Struct, frozen=True, kw_only=True):
    """A whole [pulls.NAME]."""

    name: str
    id: Binding | None
    rules: tuple[PullRule, ...]

    @property
    def columns(self) -> frozenset[str]:
        """Every column that some binding reads."""
        bindings = [self.id] if self.id else []
        for rule in self.rules:
            says = rule.says
            optional = (says.when, says.for_each, says.value, says.text, says.occurred_at)
            bindings += [rule.target, says.name, *says.metadata.values(), *(one for one in optional if one is not None)]
        return frozenset().union(*(binding.columns for binding in bindings))


def read_pull_mapping(name: str, settings: PullSettings) -> PullMapping:
    """The mapping that a pull's settings say; raises ConfigurationError."""
    where = f"pulls.{name}"
    rules = tuple(
        _rule(table, f"{where} [[feedback]] {number}", where) for number, table in enumerate(settings.feedback, start=1)
    )
    id_ = read_binding(settings.id, f"{where} id") if settings.id is not None else None
    return PullMapping(name=name, id=id_, rules=rules)


def _rule(table: Mapping[str, Any], here: str, where: str) -> PullRule:
    says = {key: value for key, value in table.items() if key != "keys" and key not in TARGETS}
    if "name" not in says:
        raise ConfigurationError(f"{here} has no `name`, such as outcome.resolved.")
    if "occurred_at" not in says:
        raise ConfigurationError(f"{here} does not say when it happened: `occurred_at`; when we learn of it is another time.")
    keys = table.get("keys", {})
    if not isinstance(keys, dict):
        raise ConfigurationError(f"{here} keys: write keys.ticket_id = {{ column = ... }}.")
    named: list[tuple[TargetKind, str | None, Binding]] = [
        (TargetKind.KEY, str(key), binding) for key, binding in read_bindings(keys, f"{here} keys").items()
    ]
    named += [(kind, None, read_binding(table[word], f"{here} {word}")) for word, kind in TARGETS.items() if word in table]
    if len(named) != 1:
        raise ConfigurationError(f"{here} names its target {len(named)} times; exactly one of keys.NAME, {', '.join(TARGETS)}.")
    (feedback,) = read_feedback([says], where)
    kind, key, target = named[0]
    return PullRule(says=feedback, kind=kind, key=key, target=target)


def map_row(row: Row, mapping: PullMapping, now: datetime) -> Iterator[Feedback | RowError]:
    """The reports of a row, and the reason for each that cannot be made."""
    for rule in mapping.rules:
        try:
            yield from _apply(rule, row, mapping, now)
        except RowError as error:
            yield error


def _apply(rule: PullRule, row: Row, mapping: PullMapping, now: datetime) -> list[Feedback]:
    says = rule.says
    if says.when is not None and not is_true(says.when.read(row, "when")):
        return []
    items: Any = [None]
    if says.for_each is not None:
        items = says.for_each.read(row, "for_each") or []
        if not isinstance(items, list | tuple):
            raise RowError(f"for_each: {describe(items)} is no list")
    given = mapping.id.read(row, "id") if mapping.id is not None else None
    if mapping.id is not None and given is None:
        raise RowError("id: it is empty")
    id_ = None if given is None else _name(given, "id")
    return [_report(rule, Row(row.number, row.values, item), place, id_, mapping, now) for place, item in enumerate(items)]


def _report(rule: PullRule, row: Row, place: int, id_: str | None, mapping: PullMapping, now: datetime) -> Feedback:
    says = rule.says
    field = f"keys.{rule.key}" if rule.key else str(rule.kind)
    target, name = _name(rule.target.read(row, field), field), _name(says.name.read(row, "name"), "name")
    value = says.value.read(row, "value") if says.value else None
    text = says.text.read(row, "text") if says.text else None
    metadata = {key: binding.read(row, f"metadata.{key}") for key, binding in says.metadata.items()}
    report = Feedback(
        feedback_id="",
        target_kind=rule.kind,
        target_id=target,
        target_key=rule.key,
        name=name,
        value=None if value is None else number(value, "value"),
        text=None if text is None else plain_text(text, "text"),
        occurred_at=_moment(says.occurred_at, row, now),
        known_at=now,
        source=f"pull:{mapping.name}",
        idempotency_key="",
        metadata={key: plain_text(item, f"metadata.{key}") for key, item in metadata.items() if item is not None},
    )
    # Without an id of its own a row is what it reports: a column that nothing here reads does not make it another.
    what = ("id", id_, str(place)) if id_ is not None else ("content", _content(report))
    key = f"pull:{mapping.name}:" + digest(name, rule.kind, rule.key or "", target, *what)
    return msgspec.structs.replace(report, feedback_id=feedback_id(key), idempotency_key=key)


def _content(report: Feedback) -> str:
    said = (report.value, report.text, report.occurred_at.isoformat(), report.metadata)
    try:
        return msgspec.json.encode(said, order="sorted").decode()
    except UnicodeEncodeError:
        raise RowError("it holds characters that are no valid Unicode") from None


def _name(value: Any, field: str) -> str:
    if value is None:
        raise RowError(f"{field}: it is empty")
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    text = plain_text(int(value) if whole else value, field)
    if len(text) > _LONGEST_NAME:
        raise RowError(f"{field}: it is longer than {_LONGEST_NAME} characters")
    return text


def _moment(binding: Binding | None, row: Row, now: datetime) -> datetime:
    """When it happened; a clock may run ahead of ours, but not by more than a day."""
    value = binding.read(row, "occurred_at") if binding is not None else None
    if value is None or binding is None:
        raise RowError("occurred_at: it is empty")
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    try:
        at = moment(value, binding, "occurred_at")
    except OverflowError:
        raise RowError("occurred_at: it lies outside the years 1 to 9999") from None
    if at > now + MOST_AHEAD:
        raise RowError("occurred_at: it lies more than a day ahead")
    return at
