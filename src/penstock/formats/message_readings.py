"""What people read of stored messages: the last thing the user said, the answer, the tools it asked for.

A span does not carry these beside its messages, which would double it; they are read when it is settled.
"""

from typing import Any

import msgspec
from msgspec import Struct

from penstock.formats.json_value import encode_json
from penstock.formats.messages import Messages, parse_arguments, prompt_text, response_text, tool_calls


class _Part(Struct, gc=False):
    """What is read of a part; msgspec passes over the rest."""

    type: Any = None
    content: Any = None
    id: Any = None
    name: Any = None
    arguments: Any = None


class _Message(Struct, gc=False):
    """What is read of a message."""

    parts: list[_Part]
    role: Any = None


_ANSWER = "tool_call_response"
_decode = msgspec.json.Decoder(list[_Message]).decode


def read_prompt(input_messages: str | None) -> str | None:
    """The text of the newest user turn; what is no list of messages stands for itself."""
    if input_messages is None:
        return None
    try:
        messages = _decode(input_messages)
    except (msgspec.MsgspecError, RecursionError):
        found = _decode_anyhow(input_messages)
        return input_messages if found is None else prompt_text(found)
    for message in reversed(messages):
        if message.role == "user" and not _is_tool_answer(message.parts):
            return _join(message.parts)
    return None


def read_response(output_messages: str | None) -> tuple[str | None, str | None]:
    """The text of the answer, and its tool calls as JSON; what is no list of messages stands for itself."""
    if output_messages is None:
        return None, None
    try:
        messages = _decode(output_messages)
    except (msgspec.MsgspecError, RecursionError):
        found = _decode_anyhow(output_messages)
        if found is None:
            return output_messages, None
        calls = tool_calls(found[:1])
        return response_text(found[:1]), encode_json(calls) if calls else None
    if not messages:
        return None, None
    parts = messages[0].parts
    return _join(parts), _calls(parts)


def _decode_anyhow(text: str) -> Messages | None:
    try:
        return msgspec.json.decode(text, type=list[dict[str, Any]])
    except (msgspec.MsgspecError, RecursionError):
        return None


def _is_tool_answer(parts: list[_Part]) -> bool:
    """Some producers let the user say what a tool gave back; that is no turn of the user's."""
    return bool(parts) and parts[0].type == _ANSWER and all(part.type == _ANSWER for part in parts)


def _join(parts: list[_Part]) -> str | None:
    if len(parts) == 1 and parts[0].type == "text" and isinstance(parts[0].content, str):
        return parts[0].content
    texts = [part.content for part in parts if part.type in ("text", "refusal") and isinstance(part.content, str)]
    return "\n".join(texts) if texts else None


def _calls(parts: list[_Part]) -> str | None:
    calls = [
        {"id": part.id, "name": part.name, "arguments": parse_arguments(part.arguments)}
        for part in parts
        if part.type == "tool_call"
    ]
    return encode_json(calls) if calls else None
