"""Output: a table for people, JSON for machines, from the same rows."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]
_SHORT = 24  # characters of a text that is not to be cut in a table


def print_rows(rows: Sequence[Row], *, as_json: bool, title: str | None = None, empty: str = "Nothing yet.") -> None:
    """Print rows with the same keys as a table, or as one JSON array."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        print(empty)
        return
    table = Table(title=title, title_justify="left", show_edge=False, header_style="bold")
    for column in rows[0]:
        numeric = all(isinstance(row.get(column), int | float) or row.get(column) is None for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    cells = [[_cell(row.get(column)) for column in rows[0]] for row in rows]
    for row_of_cells in cells:
        table.add_row(*(Text(cell) for cell in row_of_cells))
    console, needed = Console(soft_wrap=not sys.stdout.isatty()), _needed_width(list(rows[0]), cells)
    if needed <= console.width:
        console.print(table)
    elif not sys.stdout.isatty():
        Console(soft_wrap=True, width=needed).print(table)
    else:  # in so many columns nothing could be read
        print("\n\n".join(_as_block(list(rows[0]), row_of_cells) for row_of_cells in cells))


def _needed_width(names: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
    """From which width on no name and no short text of a table is cut."""
    columns = [[name, *(row[place] for row in cells)] for place, name in enumerate(names)]
    return sum(max(len(names[place]), *(min(len(cell), _SHORT) for cell in column)) + 3 for place, column in enumerate(columns))


def _as_block(names: Sequence[str], cells: Sequence[str]) -> str:
    width = max(map(len, names))
    return "\n".join(f"{name:<{width}}  {cell}" for name, cell in zip(names, cells, strict=True))


def print_fields(fields: Row, *, as_json: bool) -> None:
    """Print one thing, a line per field, or as one JSON object."""
    if as_json:
        print_json(fields)
        return
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        print(f"{name:<{width}}  {_cell(value)}")


def print_json(value: Any) -> None:
    """Print one JSON document on one line; times in ISO 8601."""
    print(json.dumps(to_plain(value), ensure_ascii=False, allow_nan=False))


def to_plain(value: Any) -> Any:
    """A value as JSON can hold it: records as objects, times as text, NaN as null."""
    if isinstance(value, msgspec.Struct):
        return to_plain(msgspec.structs.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return str(value)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, dict | list | tuple):
        return json.dumps(to_plain(value), ensure_ascii=False)
    return _printable(str(value))


def _printable(text: str) -> str:
    """Model output and user text must not steer the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)
