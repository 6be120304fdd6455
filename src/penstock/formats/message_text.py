"""Message columns from what a span carries: JSON that is well formed stays as it came, anything else is written anew."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

import msgspec

from penstock.formats.aliases import finish_reason
from penstock.formats.content_blocks import block
from penstock.formats.foreign_messages import to_messages
from penstock.formats.json_value import encode_json, parse_json
from penstock.formats.messages import joined_pieces


class _PartShape(msgspec.Struct):
    """What tells whether a part has to be read; msgspec passes over the rest, and over what is left raw."""

    type: Any = None
    arguments: Any = None
    result: Any = None
    content: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Part(_PartShape):
    """What is read of a part."""

    content: Any = msgspec.UNSET


class _MessageShape(msgspec.Struct):
    """The same of a message; one without parts is in some other form, and so is one with more beside them."""

    parts: list[_PartShape]
    role: Any = None
    finish_reason: Any = None
    tool_calls: Any = None
    tool_call_id: Any = None


class _Message(msgspec.Struct):
    """What is read of a message."""

    parts: list[_Part]
    role: Any = None
    finish_reason: Any = None
    tool_calls: Any = None
    tool_call_id: Any = None


class ReadMessages(msgspec.Struct, frozen=True):
    """A message column, and the instructions that were found in it."""

    text: str  # JSON
    instructions: str | None = None  # JSON, of a system message that leads


_SYSTEM = ("system", "developer")
_decode_fast = msgspec.json.Decoder(list[_Message]).decode
_decode_shapes = msgspec.json.Decoder(list[_MessageShape]).decode


def is_plain(value: str) -> bool:
    """Whether `read_messages` would give this text back as it is, without instructions; most are so."""
    try:
        messages = _decode_shapes(value)
    except (msgspec.MsgspecError, RecursionError):
        return False
    if not messages or messages[0].role in _SYSTEM or _are_pieces(messages):
        return False
    return _is_newest(messages[0]) if len(messages) == 1 else all(map(_is_newest, messages))


def read_messages(value: Any, role: str) -> ReadMessages | None:
    """Messages from a JSON string, a structured value or plain text, which becomes one message of this role."""
    if value is None or value == "" or value == [] or value == {}:
        return None
    if isinstance(value, str):
        try:
            messages = _decode_fast(value)
        except (msgspec.MsgspecError, RecursionError):
            return _read_slowly(parse_json(value), role)
        if not messages:
            return None
        if not all(map(_is_newest, messages)) or _are_pieces(messages):
            return _read_slowly(parse_json(value), role)
        leading = _instructions(messages) if messages[0].role in _SYSTEM else None
        return ReadMessages(value, leading)
    return _read_slowly(value, role)


def read_parts(value: Any) -> str | None:
    """System instructions, a list of parts, as JSON."""
    if value is None or value == "" or value == [] or value == {}:
        return None
    parsed = parse_json(value) if isinstance(value, str) else value
    items = [part for item in (parsed if isinstance(parsed, list) else [parsed]) for part in _parts_of(item)]
    return encode_json([block(item) if isinstance(item, Mapping) else _text_part(item) for item in items])


def _parts_of(item: Any) -> list[Any]:
    """The parts of a message, which some give where a list of parts should be; anything else is a part."""
    parts = item.get("parts") if isinstance(item, Mapping) else None
    return parts if isinstance(parts, list) else [item]


def columns_of(messages: list[dict[str, Any]]) -> ReadMessages:
    """Messages of the newest schema as a column, with the instructions that lead them."""
    messages = [_with_usual_ending(message) for message in messages]
    return ReadMessages(encode_json(messages), _leading_parts(messages))


def _with_usual_ending(message: dict[str, Any]) -> dict[str, Any]:
    raw = message.get("finish_reason")
    return {**message, "finish_reason": finish_reason(raw)} if isinstance(raw, str) else message


def _leading_parts(messages: list[dict[str, Any]]) -> str | None:
    leading = takewhile(lambda message: message.get("role") in _SYSTEM, messages)
    parts = [part for message in leading for part in message.get("parts", ())]
    return encode_json(parts) if parts else None


def _instructions(messages: list[_Message]) -> str | None:
    leading = takewhile(lambda message: message.role in _SYSTEM, messages)
    parts = [
        {"type": part.type, "content": None if part.content is msgspec.UNSET else part.content}
        for message in leading
        for part in message.parts
    ]
    return encode_json(parts) if parts else None


def _read_slowly(parsed: Any, role: str) -> ReadMessages | None:
    messages = joined_pieces(to_messages(parsed, role))
    return columns_of(messages) if messages else None


def _are_pieces(messages: Sequence[_Message | _MessageShape]) -> bool:
    """google-genai until 0.7 puts every piece of a stream down as a message."""
    return len(messages) > 1 and any(message.finish_reason == "" for message in messages)


def _is_newest(message: _Message | _MessageShape) -> bool:
    """Whether a message is spelled as the newest convention has it; most are one text."""
    if message.tool_calls or message.tool_call_id:
        return False
    parts = message.parts
    if len(parts) == 1 and parts[0].type == "text":
        return parts[0].content is not msgspec.UNSET
    return all(map(_is_newest_part, parts))


def _is_newest_part(part: _PartShape) -> bool:
    if part.type == "text" and part.content is msgspec.UNSET:
        return False
    return part.type is not None and part.result is None and not (part.type == "tool_call" and isinstance(part.arguments, str))


def _text_part(item: Any) -> dict[str, Any]:
    return {"type": "text", "content": item if isinstance(item, str) else encode_json(item)}
