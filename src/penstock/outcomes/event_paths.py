"""Paths into an event: `ticket.id`, `runs[0].id`, `header:X-Event`, and text with paths in braces. Reasons quote no value."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from penstock.outcome_settings import HEADER

LONGEST_NAME = 1024  # of an id or a key, as in /v1/feedback
_INDEX = re.compile(r"\[([0-9]+)\]")
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


class EventError(Exception):
    """An event reports nothing; the message is the reason that is counted, and holds nothing of the event."""


class Event(Struct, frozen=True):
    """One event as it came."""

    content: Any
    headers: Mapping[str, str]  # by lower-case name


def find_value(event: Event, path: str) -> Any:
    """What stands there; None where nothing does."""
    if path.startswith(HEADER):
        return event.headers.get(path.removeprefix(HEADER).strip().lower())
    value = event.content
    if isinstance(value, Mapping) and path in value:
        return value[path]  # a name with a dot in it
    for step in _INDEX.sub(r".\1", path).split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and len(step) < 7 and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def find_text(event: Event, path: str) -> str | None:
    """A path's value as text, or a template filled in; None where it, or any part of a template, is missing."""
    if "{" not in path:
        return as_text(find_value(event, path), path)
    parts = {name: as_text(find_value(event, name), name) for name in _PLACEHOLDER.findall(path)}
    if None in parts.values():
        return None
    return _PLACEHOLDER.sub(lambda match: str(parts[match.group(1)]), path)


def as_text(value: Any, path: str) -> str | None:
    """Text, a number or a truth value as text; None where it is null or empty; raises EventError."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    raise EventError(f"`{path}` holds {'an object' if isinstance(value, Mapping) else 'a list'} where a plain value is wanted")


def find_name(event: Event, path: str) -> str:
    """An id or a key, which must be there and no longer than feedback allows; raises EventError."""
    name = find_text(event, path)
    if name is None:
        raise EventError(f"`{path}` is missing")
    if len(name) > LONGEST_NAME:
        raise EventError(f"`{path}` is longer than {LONGEST_NAME} characters")
    return name


def is_one_of(value: Any, wanted: list[str | bool | float]) -> bool:
    """Whether a value, or one item of a list, is among these; text in any case, `*` is anything but null."""
    if isinstance(value, list):
        return any(is_one_of(item, wanted) for item in value if not isinstance(item, list))
    if value is None or isinstance(value, Mapping):
        return value is not None and "*" in wanted
    return "*" in wanted or any(_same(value, one) for one in wanted)


def _same(value: Any, wanted: str | bool | float) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return _word(value) == _word(wanted)
    if isinstance(value, str) or isinstance(wanted, str):
        return _word(value) == _word(wanted)
    return bool(value == wanted)


def _word(value: Any) -> str:
    return (as_text(value, "") or "").casefold()
