"""Values as exports hold them: JSON inside text, names that differ from version to version, columns flattened with dots, NaN.

A value that is not what it should be is read as missing only where the export's own tool leaves it out; else the row is refused.
"""

import ast
import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from penstock.replay.binding import Binding, RowError, describe, moment
from penstock.replay.binding import number as read_number

_MOST_LITERAL = 4 * 1024 * 1024
_OPENING = ("{", "[", '"')
_LARGEST_EPOCH_S = 1e11


def first(values: Mapping[str, Any], *names: str) -> Any:
    """The first of these that says something."""
    return next((values[name] for name in names if not is_missing(values.get(name))), None)


def is_missing(value: Any) -> bool:
    """Whether it says nothing; tables write NaN for an empty cell."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def structure(value: Any) -> Any:
    """What text holds where it is JSON or, as data frames write it, a Python literal; else the value as it is."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text.startswith(_OPENING):
        return value
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if len(text) > _MOST_LITERAL or text.startswith('"'):
        return value
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return value


def mapping(value: Any) -> dict[str, Any]:
    """An object, also out of text and of Parquet's list of pairs; empty where it is none. What is null in it is left out."""
    value = structure(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes) and all(_is_pair(item) for item in value):
        value = dict(value)
    return {str(key): item for key, item in value.items() if item is not None} if isinstance(value, Mapping) else {}


def _is_pair(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) == 2


def listing(value: Any) -> list[Any]:
    """A list, also out of text; empty where it is none."""
    value = structure(value)
    return list(value) if isinstance(value, list | tuple) else []


def nest(values: Mapping[str, Any]) -> dict[str, Any]:
    """Names with dots as objects within objects, and those that count from 0 as lists."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        if is_missing(value):
            continue
        *parents, leaf = name.split(".")
        place = tree
        for parent in parents:
            inner = place.get(parent)
            if not isinstance(inner, dict):
                inner = place[parent] = {}
            place = inner
        if isinstance(value, Mapping):
            nested = nest(value)
            before = place.get(leaf)
            place[leaf] = {**before, **nested} if isinstance(before, dict) else nested
        elif not isinstance(place.get(leaf), dict):
            place[leaf] = (
                [nest(item) if isinstance(item, Mapping) else item for item in value] if isinstance(value, list) else value
            )
    return {name: _listed(value) for name, value in tree.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(name.isdigit() for name in value):
        return [_listed(value[name]) for name in sorted(value, key=int)]
    return {name: _listed(item) for name, item in value.items()}


def walk(value: Any, *path: str) -> Any:
    """Step into objects; None where a step leads nowhere."""
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return None if is_missing(value) else value


def time_of(value: Any, field: str) -> datetime | None:
    """A time: ISO 8601, a timestamp, or an epoch in s, ms, us or ns, told apart by its size."""
    if is_missing(value):
        return None
    if isinstance(value, str) and not value.strip().replace(".", "", 1).isdigit():
        return moment(value.strip(), Binding(), field)
    if isinstance(value, datetime):
        return moment(value, Binding(), field)
    seconds = read_number(value, field)
    while abs(seconds) > _LARGEST_EPOCH_S:
        seconds /= 1000.0
    return moment(seconds, Binding(parse="seconds"), field)


def required_time(value: Any, field: str) -> datetime:
    """A time that must be there; raises RowError."""
    found = time_of(value, field)
    if found is None:
        raise RowError(f"{field}: it is empty")
    return found


def text_of(value: Any) -> str | None:
    """Text; None for nothing and for what is no text."""
    if is_missing(value) or isinstance(value, Mapping | list | tuple | bytes):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Those of the values that are plain, as text."""
    found = {name: text_of(value) for name, value in values.items()}
    return {name: value for name, value in found.items() if value is not None}


def amount(value: Any) -> float | None:
    """A finite number, also out of text; None for what is none."""
    if is_missing(value) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def hex_of_base64(value: str) -> str:
    """An id that protobuf's JSON wrote in base64, as hex; any other text as it is."""
    if value.endswith("="):
        try:
            return base64.b64decode(value, validate=True).hex()
        except binascii.Error:
            return value
    return value


def required_text(values: Mapping[str, Any], *names: str) -> str:
    """An id that must be there; raises RowError."""
    found = first(values, *names)
    text = text_of(found)
    if text is None:
        raise RowError(f"{names[0]}: {'it is empty' if found is None else f'{describe(found)} is no text'}")
    return text
