"""Changing the strings inside a JSON text, so that it stays valid JSON.

Texts are decoded first, because an escape can hide or split what a pattern would see. Keys count as strings, long whole
numbers too, and JSON within a string is treated the same way. A value comes with its key, which may say what it is.
"""

import json
from collections.abc import Callable
from typing import Any

import msgspec

_SHORTEST_PERSONAL_NUMBER = 7
_DEEPEST = 64

Change = Callable[[str, str], str]  # a string, and the key that it stands under, empty where there is none


def map_json_strings(text: str, change: Change) -> str | None:
    """The JSON text with `change` applied to every string in it; None where the text is no JSON object, list or string.

    It is written anew even where nothing changed: of two equal keys only the one that was looked at remains.
    """
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return None
    try:
        tree = _decode(text)
    except (ValueError, RecursionError):
        return None
    try:
        return _encode(_map(tree, "", change, 0))
    except RecursionError:
        return None


def _decode(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return json.loads(text)  # takes NaN and half surrogate pairs, which some producers write


def _encode(tree: Any) -> str:
    try:
        return msgspec.json.encode(tree).decode()
    except UnicodeEncodeError:
        whole = json.dumps(tree, ensure_ascii=False).encode("utf-8", "replace")
        return msgspec.json.encode(json.loads(whole)).decode()


def _map(value: Any, name: str, change: Change, depth: int) -> Any:
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(value, str):
        return _map_text(value, name, change)
    if isinstance(value, list):
        return [_map(item, name, change, depth + 1) for item in value]
    if isinstance(value, dict):
        return {change(key, ""): _map(item, key, change, depth + 1) for key, item in value.items()}
    if isinstance(value, int) and abs(value) >= 10**_SHORTEST_PERSONAL_NUMBER:
        digits = str(value)
        changed = change(digits, name)
        return value if changed == digits else changed
    return value


def _map_text(text: str, name: str, change: Change) -> str:
    nested = map_json_strings(text, change) if text[:1] in ("{", "[") else None
    return change(text, name) if nested is None else nested
