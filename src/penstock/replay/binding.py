"""A binding says where a value comes from in a row: a column, a constant, a template, the row number or an item of a list.

Reasons never quote what a row holds: they are written to disk, where personal data must not reach.
"""

import ast
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct

Parser = Literal["json", "python", "number", "seconds", "milliseconds", "iso"]
PARSERS: tuple[Parser, ...] = ("json", "python", "number", "seconds", "milliseconds", "iso")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MISSING: tuple[object, ...] = (None, "")
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_MAX_LITERAL = 16 * 1024 * 1024  # ast needs about a hundred times as much memory as its text


class RowError(Exception):
    """One row cannot be sent; the message is the reason that is recorded."""


class PassedOverError(RowError):
    """A row that is no mistake and of which there is nothing to send; the message says why."""


class Row(Struct, frozen=True):
    """What a binding may look at."""

    number: int
    values: Mapping[str, Any]
    item: Any = None  # of the list that a feedback is made for each of


class Binding(Struct, frozen=True, kw_only=True):
    """Where one value comes from; exactly one of the first five is given."""

    column: str | None = None
    value: Any = None
    template: str | None = None
    row_number: bool = False
    item: bool = False
    parse: Parser | None = None
    path: str = ""  # into a parsed value: "0.copied", "usage.total"
    map: dict[str, Any] | None = None  # words of the log -> words of ours
    base: datetime = EPOCH  # what seconds and milliseconds count from

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads."""
        if self.column is not None:
            return frozenset({self.column})
        return frozenset(_PLACEHOLDER.findall(self.template)) if self.template is not None else frozenset()

    def read(self, row: Row, field: str) -> Any:
        """The value for a row, None where it is missing; raises RowError."""
        value = self._source(row, field)
        if value in MISSING:
            return None
        if self.parse is not None:
            value = _parse(value, self, field)
        if self.path:
            value = _walk(value, self.path)
        if self.map is not None and isinstance(value, str | int | float | bool):
            word = str(value).lower() if isinstance(value, bool) else str(value)
            value = self.map.get(word, value)
        return None if isinstance(value, str) and not value else value

    def _source(self, row: Row, field: str) -> Any:
        if self.column is not None:
            return row.values.get(self.column)
        if self.template is not None:
            return _PLACEHOLDER.sub(lambda match: _fill(row, match.group(1), field), self.template)
        if self.row_number:
            return row.number
        return row.item if self.item else self.value


def _fill(row: Row, column: str, field: str) -> str:
    value = row.values.get(column)
    if value is None:
        raise RowError(f"{field}: the template needs column `{column}`, which is empty")
    return str(value)


def _walk(value: Any, path: str) -> Any:
    """Step into objects and lists; None where a step leads nowhere."""
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list | tuple) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _parse(value: Any, binding: Binding, field: str) -> Any:
    match binding.parse:
        case "json":
            return _structure(value, field, "JSON", json.loads)
        case "python":
            return _structure(value, field, "a Python literal", ast.literal_eval)
        case "number":
            return number(value, field)
        case "seconds":
            return number(value, field)
        case "milliseconds":
            return number(value, field) / 1000
        case "iso":
            return _iso(value, field)
        case None:
            return value


def _structure(value: Any, field: str, what: str, load: Any) -> Any:
    if not isinstance(value, str | bytes):
        return value
    if len(value) > _MAX_LITERAL:
        raise RowError(f"{field}: {len(value):,} characters are too many to parse as {what}")
    try:
        return load(value)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise RowError(f"{field}: text of {len(value)} characters is not {what} ({type(error).__name__})") from None


def number(value: Any, field: str) -> float:
    """A finite number; raises RowError."""
    if isinstance(value, bool):
        return float(value)
    try:
        parsed = float(value)
    except (TypeError, ValueError, OverflowError):
        raise RowError(f"{field}: {describe(value)} is no number") from None
    if not math.isfinite(parsed):
        raise RowError(f"{field}: {parsed} is no finite number")
    return parsed


def moment(value: Any, binding: Binding, field: str) -> datetime:
    """A point in time: a timestamp, ISO 8601 text, or seconds (milliseconds) after the binding's base; raises RowError."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, str):
        return _iso(value, field)
    if binding.parse not in ("seconds", "milliseconds"):
        raise RowError(f'{field}: {describe(value)} is no time; for a number say parse = "seconds" or "milliseconds"')
    try:
        return datetime.fromtimestamp(binding.base.timestamp() + number(value, field), UTC)
    except (OverflowError, ValueError, OSError):
        raise RowError(f"{field}: the number lies outside the years 1 to 9999") from None


def _iso(value: Any, field: str) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        parsed = datetime.fromisoformat(str(value).strip())
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise RowError(f"{field}: {describe(value)} is no ISO 8601 time") from None


def describe(value: Any) -> str:
    """What kind of thing a value is, without what it holds."""
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    if isinstance(value, list | tuple | dict):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
