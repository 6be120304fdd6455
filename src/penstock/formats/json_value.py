"""JSON as instrumentations write it: values to text that always is JSON, and text back, also where it was encoded twice."""

import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode
_MOST_ENCODINGS = 3
_MOST_DIGITS = 300  # of a whole number; what has more is no float


def encode_json(value: Any) -> str:
    """A value as JSON; what JSON has no form for (NaN, half a surrogate pair) is replaced."""
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def load_json(data: str | bytes) -> Any:
    """What JSON holds, also with NaN or a number beyond measure in it, and half surrogate pairs, which are replaced.

    ValueError, with the place, for what is no JSON or nests too deep.
    """
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError) as error:
        try:
            parsed = json.loads(data if isinstance(data, str) else data.decode(), parse_int=_whole_number)
            return json.loads(json.dumps(parsed, ensure_ascii=False).encode("utf-8", "replace"))
        except (ValueError, RecursionError):
            raise ValueError(str(error)) from error


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def parse_json(text: str) -> Any:
    """The same of a text that may be no JSON, and then stands for itself."""
    try:
        return load_json(text)
    except ValueError:
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


def join_objects(own: str, added: str) -> str:
    """The object of both texts; what `own` says stands, and so does `own` where there is nothing to add or one is no object."""
    first, second = decoded_map(own), decoded_map(added)
    lacking = {name: value for name, value in second.items() if name not in first}
    return encode_json({**first, **lacking}) if first and lacking else own
