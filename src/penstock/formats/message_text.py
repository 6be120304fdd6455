"""Message columns from what a span carries: JSON that is well formed stays as it came, anything else is written anew.

What people read of the messages (the last user text, the answer, the tool calls) is taken out in the same pass.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from penstock.formats.messages import Messages, openai_to_otel, prompt_text, response_text, tool_calls


class _Part(msgspec.Struct):
    """What is read of a part; msgspec passes over the rest."""

    type: Any = None
    content: Any = None
    id: Any = None
    name: Any = None
    arguments: Any = None


class _Message(msgspec.Struct):
    """What is read of a message; one without parts is in some other form."""

    parts: list[_Part]
    role: Any = None


class ReadMessages(msgspec.Struct, frozen=True):
    """A message column, and what was found in it."""

    text: str  # JSON
    prompt: str | None = None
    response: str | None = None
    tool_calls: str | None = None  # JSON


_decode_fast = msgspec.json.Decoder(list[_Message]).decode
_encode = msgspec.json.Encoder().encode


def read_messages(value: Any, role: str) -> ReadMessages | None:
    """Messages from a JSON string, a structured value or plain text, which becomes one message of this role."""
    if value is None or value == "" or value == [] or value == {}:
        return None
    if isinstance(value, str):
        try:
            messages = _decode_fast(value)
        except (msgspec.MsgspecError, RecursionError):
            return _read_slowly(_parse(value), role)
        return ReadMessages(value, _last_user_text(messages), _first_text(messages), _calls(messages))
    return _read_slowly(value, role)


def read_parts(value: Any) -> str | None:
    """System instructions, a list of parts, as JSON."""
    if value is None or value == "" or value == [] or value == {}:
        return None
    parsed = _parse(value) if isinstance(value, str) else value
    items = parsed if isinstance(parsed, list) else [parsed]
    return encode_json([item if isinstance(item, Mapping) else _text_part(item) for item in items])


def encode_json(value: Any) -> str:
    """A value as JSON; what JSON has no form for (NaN, half a surrogate pair) is replaced."""
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def _read_slowly(parsed: Any, role: str) -> ReadMessages:
    items = parsed if isinstance(parsed, list) else [parsed]
    if all(isinstance(item, Mapping) for item in items):
        messages = [_message(item) for item in items]
    else:
        messages = [{"role": role, "parts": [_text_part(item) for item in items]}]
    calls = tool_calls(messages[:1])
    return ReadMessages(
        encode_json(messages),
        _clean(prompt_text(messages)),
        _clean(response_text(messages[:1])),
        encode_json(calls) if calls else None,
    )


def _message(item: Mapping[str, Any]) -> dict[str, Any]:
    """Some instrumentations send OpenAI's own messages under the newest names; `finish_reason` is kept."""
    if "parts" in item or "content" not in item:
        return dict(item)
    converted: Messages = openai_to_otel([item])
    return {**({"finish_reason": item["finish_reason"]} if "finish_reason" in item else {}), **converted[0]}


def _parse(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(text)  # takes NaN and half surrogate pairs
    except (ValueError, RecursionError):
        return text


def _text_part(item: Any) -> dict[str, Any]:
    return {"type": "text", "content": item if isinstance(item, str) else encode_json(item)}


def _last_user_text(messages: list[_Message]) -> str | None:
    for message in reversed(messages):
        if message.role == "user":
            return _join(message.parts)
    return None


def _first_text(messages: list[_Message]) -> str | None:
    return _join(messages[0].parts) if messages else None


def _join(parts: list[_Part]) -> str | None:
    if len(parts) == 1 and parts[0].type == "text" and isinstance(parts[0].content, str):
        return parts[0].content
    texts = [part.content for part in parts if part.type in ("text", "refusal") and isinstance(part.content, str)]
    return "\n".join(texts) if texts else None


def _calls(messages: list[_Message]) -> str | None:
    calls = [
        {"id": part.id, "name": part.name, "arguments": part.arguments}
        for message in messages[:1]
        for part in message.parts
        if part.type == "tool_call"
    ]
    return _encode(calls).decode() if calls else None


def _clean(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "replace").decode()
