"""Events become reports by the rules of a webhook. Pure: the same event, delivered again, is the same report.

An event that no rule wants, or that lacks what its rule needs, is ignored with a reason; it costs the others nothing.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from penstock.errors import BadInputError
from penstock.formats.foreign_report import trace_target
from penstock.formats.report_time import is_far_ahead, read_time
from penstock.outcome_settings import WebhookRule
from penstock.outcomes.event_paths import Event, EventError, find_name, find_text, find_value, is_one_of
from penstock.records.feedback import Feedback, TargetKind
from penstock.records.ids import digest, feedback_id

MOST_EVENTS = 10_000
UNWANTED = "no rule is for such an event"


class MappedEvents(Struct, frozen=True):
    """What a body reports, and why the rest of it does not."""

    feedback: list[Feedback]
    ignored: Counter[str]  # reason -> how many events or rules


def split_events(content: Any, path: str) -> list[Any]:
    """The events of a body: itself, its items, or the list at a path. Raises BadInputError."""
    if path:
        content = find_value(Event(content, {}), path)
        if not isinstance(content, list):
            raise BadInputError(f"The body has no list of events at `{path}`.")
    events = content if isinstance(content, list) else [content]
    if not all(isinstance(event, Mapping) for event in events):
        raise BadInputError("An event is a JSON object, and a body one of them or a list.")
    return events


def map_events(
    hook: str, rules: Sequence[WebhookRule], events: Sequence[Any], headers: Mapping[str, str], now: datetime
) -> MappedEvents:
    """Apply every rule to every event; of several deliveries of one event in a body the last counts."""
    found: dict[str, Feedback] = {}
    ignored: Counter[str] = Counter()
    for content in events:
        event = Event(content, headers)
        wanted = [rule for rule in rules if _applies(rule, event)]
        if not wanted:
            ignored[UNWANTED] += 1
        for rule in wanted:
            try:
                report = map_event(hook, rule, event, now)
            except EventError as error:
                ignored[str(error)] += 1
            else:
                found[report.feedback_id] = report
    return MappedEvents(list(found.values()), ignored)


def map_event(hook: str, rule: WebhookRule, event: Event, now: datetime) -> Feedback:
    """The report that a rule makes of an event; raises EventError with the reason why it makes none."""
    name = find_name(event, rule.name) if "{" in rule.name else rule.name
    kind, target = _target(rule, find_name(event, rule.target_path))
    value = _value(rule, event)
    event_id = find_name(event, rule.id_path) if rule.id_path else _content(event.content)
    key = f"webhook:{hook}:" + digest(name, kind, rule.key, target, event_id)
    return Feedback(
        feedback_id=feedback_id(key),
        target_kind=kind,
        target_id=target,
        target_key=rule.key if kind == TargetKind.KEY else None,
        name=name,
        value=value,
        text=find_text(event, rule.text) if rule.text else None,
        occurred_at=_moment(rule, event, now),
        known_at=now,
        source=f"webhook:{hook}",
        idempotency_key=key,
    )


def _applies(rule: WebhookRule, event: Event) -> bool:
    return all(is_one_of(find_value(event, path), wanted) for path, wanted in rule.when.items())


def _target(rule: WebhookRule, name: str) -> tuple[str, str]:
    if rule.target != TargetKind.TRACE:
        return rule.target, name
    try:
        return trace_target(name)
    except BadInputError:
        raise EventError(f"`{rule.target_path}` is no trace id") from None


def _value(rule: WebhookRule, event: Event) -> float | None:
    if not rule.value_path:
        return rule.value
    found = find_value(event, rule.value_path)
    if found is None:
        raise EventError(f"`{rule.value_path}` is missing")
    if rule.values:
        for word, worth in rule.values.items():
            if is_one_of(found, [word]):
                return worth
        raise EventError(f"`{rule.value_path}` is none of the words in `values`")
    try:
        number = float(found)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise EventError(f"`{rule.value_path}` is no number")
    return number


def _moment(rule: WebhookRule, event: Event, now: datetime) -> datetime:
    """When it happened; a sender's clock may run ahead, but not by more than a day."""
    given = find_value(event, rule.time_path) if rule.time_path else None
    if given is None or given == "":
        return now
    try:
        moment = _read_moment(given, rule.time_format)
    except (BadInputError, TypeError, ValueError, OverflowError, OSError):
        raise EventError(f"`{rule.time_path}` is no time that can be read as {rule.time_format}") from None
    if is_far_ahead(moment, now):
        raise EventError(f"`{rule.time_path}` lies more than a day ahead")
    return moment


def _read_moment(given: Any, form: str) -> datetime:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise TypeError(type(given).__name__)
    if form == "iso":
        return read_time(str(given) if isinstance(given, str) else "")
    if form == "auto":
        is_number = isinstance(given, str) and given.strip().lstrip("-").replace(".", "", 1).isdecimal()
        return read_time(float(given) if is_number or not isinstance(given, str) else given)
    seconds = float(given) / (1000.0 if form == "milliseconds" else 1.0)
    return datetime.fromtimestamp(seconds, UTC)


def _content(content: Any) -> str:
    try:
        return json.dumps(content, sort_keys=True)
    except (ValueError, RecursionError):
        raise EventError("it holds what cannot be told from another event; give `id_path`") from None
