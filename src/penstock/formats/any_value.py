"""OTLP attribute values as plain Python: strings, numbers, lists, dicts; bytes as base64, as OTLP/JSON has them."""

import base64
from collections.abc import Iterable
from typing import Any

_MOST_DEPTH = 32
TOO_DEEP = "[TOO_DEEP]"


def plain(value: Any, depth: int = 0) -> Any:
    """An AnyValue as what it holds; None where it holds nothing; nesting is cut off at 32."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(item, depth + 1) for item in value.array_value.values] if depth < _MOST_DEPTH else TOO_DEEP
    if kind == "kvlist_value":
        return plain_map(value.kvlist_value.values, depth + 1) if depth < _MOST_DEPTH else TOO_DEEP
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind)


def plain_map(pairs: Iterable[Any], depth: int = 0) -> dict[str, Any]:
    """Key-value pairs as a dict; of a key that comes twice the last one counts."""
    found: dict[str, Any] = {}
    for pair in pairs:
        value = pair.value
        # Nearly all are strings, and asking for one is cheaper than asking which it is.
        found[pair.key] = value.string_value or plain(value, depth)
    return found
