"""The fields of an interaction out of the values of a log, each by its kind, and the attributes that carry them."""

from collections.abc import Mapping
from typing import Any

from penstock.formats.messages import openai_to_otel
from penstock.records.interaction import Exposure
from penstock.replay.binding import RowError, describe, number
from penstock.replay.call import Attribute, json_text
from penstock.replay.mapping import INTERACTION_FIELDS


def convert(value: Any, field: str) -> Any:
    """A value as its field wants it; raises RowError. Times need their binding and are not converted here."""
    match INTERACTION_FIELDS[field].kind:
        case "text":
            return plain_text(value, field)
        case "name":
            return name_text(value, field)
        case "integer":
            return _integer(value, field)
        case "number" | "duration":
            return number(value, field)
        case "numbers":
            return _numbers(value, field)
        case "messages":
            return _messages(value, field)
        case "time":
            return value


def plain_text(value: Any, field: str) -> str:
    """Text, a number or a truth value; raises RowError."""
    if isinstance(value, list | dict | tuple | bytes):
        raise RowError(f"{field}: {describe(value)} is no text")
    return str(value).lower() if isinstance(value, bool) else str(value)


def name_text(value: Any, field: str) -> str:
    """What something is called; a whole number out of a float column is called as it is elsewhere, without `.0`."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return plain_text(int(value) if whole else value, field)


def attributes_of(fields: Mapping[str, Any]) -> dict[str, Attribute]:
    """Attributes of a span, in the newest GenAI convention and, where it has none, our own."""
    found: dict[str, Attribute] = {
        kind.attribute: fields[name]
        for name, kind in INTERACTION_FIELDS.items()
        if kind.attribute is not None and fields.get(name) is not None
    }
    exposure = found.setdefault("penstock.exposure", Exposure.REPLAY.value)
    if exposure not in list(Exposure):
        raise RowError(f"exposure: it is none of {', '.join(Exposure)}")
    if fields.get("finish_reason"):
        found["gen_ai.response.finish_reasons"] = [fields["finish_reason"]]
    if fields.get("system"):
        found["gen_ai.system_instructions"] = json_text([{"type": "text", "content": fields["system"]}])
    for name, attribute in (("input_messages", "gen_ai.input.messages"), ("output", "gen_ai.output.messages")):
        if fields.get(name) is not None:
            found[attribute] = json_text(fields[name])
    return found


def _integer(value: Any, field: str) -> int:
    parsed = number(value, field)
    if parsed != int(parsed) or parsed < 0 or parsed >= 2**53:
        raise RowError(f"{field}: {describe(value)} is no whole number of at least 0")
    return int(parsed)


def _numbers(value: Any, field: str) -> list[float]:
    if not isinstance(value, list | tuple):
        raise RowError(f"{field}: {describe(value)} is no list of numbers")
    return [number(item, field) for item in value]


def _messages(value: Any, field: str) -> list[dict[str, Any]]:
    """Messages in the newest convention, from OpenAI's, from its own, or from plain text."""
    if isinstance(value, str):
        return [{"role": "assistant" if field == "output" else "user", "parts": [{"type": "text", "content": value}]}]
    messages = [value] if isinstance(value, Mapping) else value
    if not isinstance(messages, list | tuple) or not all(
        isinstance(message, Mapping) and "role" in message for message in messages
    ):
        raise RowError(f"{field}: {describe(value)} is neither text nor a list of messages with a role")
    if all("parts" in message for message in messages):
        return [dict(message) for message in messages]
    try:
        return openai_to_otel([dict(message) for message in messages])
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RowError(f"{field}: a message does not look like one of OpenAI's ({type(error).__name__})") from None
