"""Changing the strings inside a JSON text, so that it stays valid JSON.

Texts are decoded first, because an escape can hide or split what a pattern would see. Keys count as strings, long whole
numbers too, and JSON within a string is treated the same way.
"""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from penstock.text.patterns import is_credential_name

_SHORTEST_PERSONAL_NUMBER = 7
_DEEPEST = 64

Change = Callable[[str], str]


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
        return _encode(_map(tree, change, 0))
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


def _map(value: Any, change: Change, depth: int) -> Any:
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(value, str):
        return _map_text(value, change)
    if isinstance(value, list):
        return [_map(item, change, depth + 1) for item in value]
    if isinstance(value, dict):
        return {change(key): _map_entry(key, item, change, depth) for key, item in value.items()}
    if isinstance(value, int) and abs(value) >= 10**_SHORTEST_PERSONAL_NUMBER:
        digits = str(value)
        changed = change(digits)
        return value if changed == digits else changed
    return value


def _map_text(text: str, change: Change) -> str:
    nested = map_json_strings(text, change) if text[:1] in ("{", "[") else None
    return change(text) if nested is None else nested


def _map_entry(key: str, value: Any, change: Change, depth: int) -> Any:
    """A secret is known by the name that it stands under, so both are looked at together."""
    if isinstance(value, str) and is_credential_name(key):
        together = change(f"{key}={value}")
        if together.startswith(f"{key}="):
            value = together[len(key) + 1 :]
    return _map(value, change, depth + 1)
