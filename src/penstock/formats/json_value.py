"""JSON as instrumentations write it: values to text that always is JSON, and text back, also where it was encoded twice."""

import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode
_MOST_ENCODINGS = 3


def encode_json(value: Any) -> str:
    """A value as JSON; what JSON has no form for (NaN, half a surrogate pair) is replaced."""
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def parse_json(text: str) -> Any:
    """What a text holds where it is JSON, also with NaN in it, and half surrogate pairs, which are replaced."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        parsed = json.loads(text)
        return json.loads(json.dumps(parsed, ensure_ascii=False).encode("utf-8", "replace"))  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        return text


def decoded(value: Any) -> Any:
    """A value whose JSON was put into a string, once or more, as what it holds; any other as it is."""
    for _ in range(_MOST_ENCODINGS):
        if not isinstance(value, str) or value[:1] not in ('"', "[", "{"):
            break
        value = parse_json(value)
    return value


def parsed(value: Any) -> Any:
    """A value that was put down as JSON whatever it is, so that numbers are text too."""
    return parse_json(value) if isinstance(value, str) else value


def decoded_map(value: Any) -> dict[str, Any]:
    """An object, also one put into a string; empty where it is none."""
    value = decoded(value)
    return value if isinstance(value, dict) else {}
