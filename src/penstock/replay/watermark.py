"""A watermark: the highest value of a column that has been replayed, so that the next replay reads only what came after.

Rows at the watermark are read again, and those that are done are known by what they hold: a row that comes late with the same
value is not lost. A row that comes late with a smaller one is: the column has to grow as rows are written.
"""

import math
from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from penstock.errors import ConfigurationError
from penstock.records.ids import digest
from penstock.replay.log_rows import LogRow, Mark
from penstock.replay.progress import ProgressFile

TableRow = tuple[Mapping[str, Any], float]  # the columns, and the share of the table that has been read


class Table(Protocol):
    """What can be read from a watermark on."""

    name: str  # as it is shown; without secrets
    identity: str  # another one starts another replay
    watermark: str | None  # the column

    def read(self, after: Any, columns: frozenset[str]) -> Generator[TableRow]:
        """The rows with at least this value, in its order; all of them where it is None. Raises PenstockError."""

    def count_unmarked(self) -> int:
        """How many rows have no value there and so are never read."""


def encode_mark(value: Any) -> str:
    """A value as it is kept in the progress file; raises ConfigurationError for one that has no order."""
    match value:
        case bool():
            pass
        case int():
            return msgspec.json.encode(["int", str(value)]).decode()
        case float() if math.isfinite(value):
            return msgspec.json.encode(["float", repr(value)]).decode()
        case Decimal():
            return msgspec.json.encode(["decimal", str(value)]).decode()
        case datetime():
            return msgspec.json.encode(["datetime", value.isoformat()]).decode()
        case date():
            return msgspec.json.encode(["date", value.isoformat()]).decode()
        case str():
            return msgspec.json.encode(["text", value]).decode()
    raise ConfigurationError(f"The watermark holds a {type(value).__name__}; name a column of numbers, times or text that grows.")


def decode_mark(text: str | None) -> Any:
    """The value again."""
    if text is None:
        return None
    kind, value = msgspec.json.decode(text, type=tuple[str, str])
    readers: dict[str, Any] = {
        "int": int,
        "float": float,
        "decimal": Decimal,
        "datetime": datetime.fromisoformat,
        "date": date.fromisoformat,
        "text": str,
    }
    return readers[kind](value)


def fresh_rows(rows: Iterable[TableRow], watermark: str | None, seen: set[str], done: int) -> Iterator[LogRow]:
    """The rows of a table that are not done, numbered on from those that are."""
    number = done
    for values, fraction in rows:
        mark = None
        if watermark is not None:
            mark = Mark(encode_mark(values[watermark]), _digest(values))
            if mark.digest in seen:
                continue
        number += 1
        yield LogRow(number, dict(values), None, fraction, mark)


def keep_marks(file: ProgressFile, before: str | None, marks: Iterable[Mark]) -> str | None:
    """Keep the rows at the highest value of a finished batch, and give that value."""
    marks = list(marks)
    if not marks:
        return before
    value = marks[-1].value
    file.save_seen([mark.digest for mark in marks if mark.value == value], is_more=value == before)
    return value


def _digest(values: Mapping[str, Any]) -> str:
    return digest("table row", msgspec.json.encode(_jsonable(values), enc_hook=str, order="sorted").decode("utf-8", "replace"))


def _jsonable(value: Any) -> Any:
    """Values that JSON cannot hold, as text."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)
