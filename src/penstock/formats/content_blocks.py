"""One piece of a message, whoever's API it was written for, as a part of the newest OTel schema.

Blocks of OpenAI (chat and Responses), Anthropic, Gemini, Bedrock, LangChain and the AI SDK are told apart by their type and
fields; an unknown one stays as it came, so that nothing is lost.
"""

from collections.abc import Callable, Mapping
from typing import Any

from penstock.formats.json_value import decoded
from penstock.formats.messages import content_part, media_part, parse_arguments

Part = dict[str, Any]

_TEXTS = frozenset({"text", "input_text", "output_text"})
_REASONING = frozenset({"reasoning", "thinking", "redacted_thinking"})
CALLS = frozenset({"tool_call", "tool_use", "tool-call", "function_call", "function", "custom_tool_call", "server_tool_use"})
ANSWERS = frozenset({"tool_call_response", "tool_result", "tool-result", "function_call_output", "custom_tool_call_output"})


def kind_of(item: Any) -> str:
    """The type that a piece names; empty where it names none."""
    kind = item.get("type") if isinstance(item, Mapping) else None
    return kind if isinstance(kind, str) else ""


def block(item: Any) -> Part:
    """A part of this piece."""
    if not isinstance(item, Mapping):
        return {"type": "text", "content": item if isinstance(item, str) else str(item)}
    kind = kind_of(item)
    if not kind:
        return _untyped(item)
    return next((read(item) for kinds, read in _BY_KIND if kind in kinds), None) or content_part(item)


def call_part(item: Mapping[str, Any]) -> Part:
    """A tool call under any of its names, its arguments as an object where they are JSON."""
    if item.get("type") == "tool_call" and "arguments" in item:
        return {**item, "arguments": parse_arguments(item["arguments"])}
    function = item.get("function") or item.get("custom")
    inner: Mapping[str, Any] = function if isinstance(function, Mapping) else item
    arguments = _first(inner, "arguments", "args", "input")
    return {
        "type": "tool_call",
        "id": _first(item, "call_id", "id", "toolCallId", "tool_call_id", "tool_id", "toolUseId"),
        "name": _first(inner, "name", "toolName"),
        "arguments": parse_arguments(arguments),
    }


def answer_part(item: Mapping[str, Any]) -> Part:
    """What a tool gave back, under any of its names."""
    if item.get("type") == "tool_call_response":
        kept = {name: value for name, value in item.items() if name != "result"}
        return {**kept, "response": item.get("response", item.get("result"))}
    response = _first(item, "response", "result", "output", "content")
    if isinstance(response, Mapping) and response.get("type") in ("json", "text", "error-text", "error-json"):
        response = response.get("value", response)
    identifier = _first(item, "id", "tool_use_id", "toolCallId", "call_id", "tool_call_id")
    return {"type": "tool_call_response", "id": identifier, "response": response}


def _first(item: Mapping[str, Any], *names: str) -> Any:
    return next((item[name] for name in names if item.get(name) is not None), None)


def _text(item: Mapping[str, Any]) -> Part:
    if "content" in item:
        return dict(item)
    text = item.get("text")
    return {"type": "text", "content": text if text is not None else ""}


def _reasoning(item: Mapping[str, Any]) -> Part:
    summary = item.get("summary")
    if isinstance(summary, list):
        texts = [str(part.get("text") or "") for part in summary if isinstance(part, Mapping)]
        return {"type": "reasoning", "content": "\n".join(texts)}
    return {"type": "reasoning", "content": _first(item, "content", "thinking", "reasoning", "text", "data") or ""}


def _media(item: Mapping[str, Any]) -> Part:
    """An image or a file: OTel's own parts stay, a link or its content is taken out of the others."""
    source = item.get("source")
    media_type = _first(item, "mediaType", "mimeType", "media_type", "mime_type")
    if isinstance(source, Mapping):  # Anthropic
        address, media_type = _first(source, "url", "data"), source.get("media_type")
    else:
        address = _first(item, "image", "image_url", "data", "url", "file_data")
    if isinstance(address, Mapping):
        address = _first(address, "url", "image_url", "data") or _first(address.get("image") or {}, "url")
    if not isinstance(address, str):
        return dict(item)
    modality = str(media_type).partition("/")[0] if media_type else "image" if "image" in str(item.get("type")) else "document"
    if "://" in address[:12] or address.startswith("data:"):
        return media_part(modality, address)
    return {"type": "blob", "modality": modality, "mime_type": media_type, "content": address}


def _untyped(item: Mapping[str, Any]) -> Part:
    """Gemini's parts and Bedrock's, known by their one field; LangChain's text blocks come without a type too."""
    if isinstance(item.get("text"), str):
        return {"type": "reasoning" if item.get("thought") is True else "text", "content": item["text"]}
    for name, read in (("functionCall", call_part), ("function_call", call_part)):
        if isinstance(item.get(name), Mapping):
            return read(item[name])
    for name in ("functionResponse", "function_response"):
        if isinstance(item.get(name), Mapping):
            answer = item[name]
            return {"type": "tool_call_response", "id": answer.get("id"), "response": answer.get("response")}
    for name in ("inlineData", "inline_data"):
        if isinstance(item.get(name), Mapping):
            return _media({"type": "file", **item[name]})
    bedrock = next((read(item[name]) for name, read in _BEDROCK.items() if isinstance(item.get(name), Mapping)), None)
    if bedrock is not None:
        return bedrock
    return {"type": "unknown", **{str(name): decoded(value) for name, value in item.items()}}


def _bedrock_answer(item: Mapping[str, Any]) -> Part:
    """A tool's result is a list of pieces, nearly always of one."""
    content = item.get("content")
    pieces = (
        [_first(piece, "text", "json") or piece for piece in content if isinstance(piece, Mapping)]
        if isinstance(content, list)
        else []
    )
    response = pieces[0] if len(pieces) == 1 else pieces or content
    return {"type": "tool_call_response", "id": item.get("toolUseId"), "response": response}


def _bedrock_reasoning(item: Mapping[str, Any]) -> Part:
    told = item.get("reasoningText")
    return {"type": "reasoning", "content": (told.get("text") if isinstance(told, Mapping) else told) or ""}


def _bedrock_media(modality: str) -> Callable[[Mapping[str, Any]], Part]:
    def read(item: Mapping[str, Any]) -> Part:
        source = item.get("source")
        held: Mapping[str, Any] = source if isinstance(source, Mapping) else {}
        location = held.get("s3Location")
        if isinstance(location, Mapping):
            return media_part(modality, location.get("uri"))
        return {"type": "blob", "modality": modality, "mime_type": item.get("format"), "content": held.get("bytes")}

    return read


# Of Bedrock's Converse: pieces of one field each, which is the kind.
_BEDROCK: dict[str, Callable[[Mapping[str, Any]], Part]] = {
    "toolUse": call_part,
    "toolResult": _bedrock_answer,
    "reasoningContent": _bedrock_reasoning,
    **{modality: _bedrock_media(modality) for modality in ("image", "document", "video", "audio")},
}
_FIELDS = {"text", "cachePoint", "guardContent", "citationsContent", "interruptResponse", *_BEDROCK}
_PARTS = frozenset({"text", "reasoning", "refusal", "tool_call", "tool_call_response", "uri", "blob", "file"})


def pieces_in(text: Any) -> list[Any] | None:
    """The pieces of a message whose list was put down as JSON; None for any other text, which somebody may have said."""
    if not isinstance(text, str) or text[:2] not in ("[{", "[ "):
        return None
    pieces = decoded(text)
    return pieces if isinstance(pieces, list) and pieces and all(map(_is_piece, pieces)) else None


def _is_piece(item: Any) -> bool:
    if not isinstance(item, Mapping):
        return False
    return block(item).get("type") in _PARTS if kind_of(item) else len(item) == 1 and not _FIELDS.isdisjoint(item)


_BY_KIND: tuple[tuple[frozenset[str], Callable[[Mapping[str, Any]], Part]], ...] = (
    (_TEXTS, _text),
    (_REASONING, _reasoning),
    (CALLS, call_part),
    (ANSWERS, answer_part),
    (frozenset({"image", "input_image", "file", "input_file", "document"}), _media),
)
