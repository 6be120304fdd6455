"""What a tool was asked and what it gave back, where the events of its span alone say so: a message to the tool and a choice, or
parts of messages. It becomes the attributes that others put on such a span.
"""

from collections.abc import Mapping
from typing import Any

from penstock.formats.aliases import text_of
from penstock.formats.foreign_messages import to_messages
from penstock.formats.genai import GenAiSpan
from penstock.formats.json_value import decoded
from penstock.formats.message_events import CHOICE, CONTENT_EVENT, TOOL_MESSAGE


def read_tool_event(name: str, attributes: Mapping[str, Any], read: GenAiSpan) -> bool:
    """Add the arguments or the result of a tool's call, unless the span says them itself; tells whether the event holds any."""
    arguments = result = None
    if name == TOOL_MESSAGE:
        arguments = attributes.get("content")
    elif name == CHOICE:
        result = attributes.get("message")
    elif name == CONTENT_EVENT:
        arguments = _of_part(attributes.get("gen_ai.input.messages"), "tool_call", "arguments")
        result = _of_part(attributes.get("gen_ai.output.messages"), "tool_call_response", "response")
    found = {"arguments": text_of(arguments), "result": text_of(_texts(result))}
    for what, text in found.items():
        if text is not None:
            read.rest.setdefault(f"gen_ai.tool.call.{what}", text)
    return any(text is not None for text in found.values())


def _of_part(messages: Any, kind: str, field: str) -> Any:
    """What the first part of this kind holds."""
    parts = (part for message in to_messages(messages, "tool") for part in message["parts"])
    return next((part.get(field) for part in parts if part.get("type") == kind), None)


def _texts(value: Any) -> Any:
    """A result that is blocks of text as the text."""
    blocks = decoded(value)
    if not isinstance(blocks, list) or not blocks:
        return value
    texts = [block.get("text") for block in blocks if isinstance(block, Mapping) and len(block) == 1]
    return "\n".join(map(str, texts)) if len(texts) == len(blocks) and None not in texts else value
