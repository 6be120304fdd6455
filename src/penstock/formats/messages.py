"""Messages in the newest OTel schema ({role, parts}), to and from OpenAI's, and what people read of them.

Unknown part types and fields are kept as they came, so that nothing is lost on the way through.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

Messages = list[dict[str, Any]]
_TEXTS = ("text", "reasoning")


def prompt_text(messages: Sequence[Mapping[str, Any]]) -> str | None:
    """The text of the last user message."""
    for message in reversed(messages):
        if message.get("role") == "user" and not _is_tool_answer(message):
            return _join_text(message.get("parts"))
    return None


def _is_tool_answer(message: Mapping[str, Any]) -> bool:
    """Some producers let the user say what a tool gave back; that is no turn of the user's."""
    parts = _parts(message)
    return bool(parts) and all(part.get("type") == "tool_call_response" for part in parts)


def response_text(messages: Sequence[Mapping[str, Any]]) -> str | None:
    """The text of the first output message, reasoning left out."""
    return _join_text(messages[0].get("parts")) if messages else None


def tool_calls(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The tool calls of the output messages: id, name, arguments."""
    return [
        {"id": part.get("id"), "name": part.get("name"), "arguments": parse_arguments(part.get("arguments"))}
        for message in messages
        for part in _parts(message)
        if part.get("type") == "tool_call"
    ]


def openai_to_otel(messages: Sequence[Mapping[str, Any]]) -> Messages:
    """OpenAI chat messages as OTel messages."""
    return [_from_openai(message) for message in messages]


def otel_to_openai(messages: Sequence[Mapping[str, Any]]) -> Messages:
    """OTel messages as OpenAI chat messages, the form that chat templates take."""
    return [converted for message in messages for converted in _to_openai(message)]


def _from_openai(message: Mapping[str, Any]) -> dict[str, Any]:
    role = message.get("role") or "user"
    if role == "tool":
        parts = [{"type": "tool_call_response", "id": message.get("tool_call_id"), "response": message.get("content")}]
    else:
        parts = [
            *_reasoning_parts(message),
            *_content_parts(message.get("content")),
            *_refusal_parts(message),
            *_call_parts(message),
        ]
    name = message.get("name")
    return {"role": role, "parts": parts, **({"name": name} if name else {})}


def _reasoning_parts(message: Mapping[str, Any]) -> Messages:
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    return [{"type": "reasoning", "content": reasoning}] if isinstance(reasoning, str) else []


def _refusal_parts(message: Mapping[str, Any]) -> Messages:
    refusal = message.get("refusal")
    return [{"type": "refusal", "content": refusal}] if isinstance(refusal, str) and refusal else []


def _content_parts(content: Any) -> Messages:
    if isinstance(content, str):
        return [{"type": "text", "content": content}] if content else []
    return [content_part(part) for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []


def content_part(part: Mapping[str, Any]) -> dict[str, Any]:
    """One piece of OpenAI's content; an unknown one stays as it came."""
    kind = part.get("type")
    if kind in ("text", "input_text", "output_text"):
        return {"type": "text", "content": part.get("text")}
    if kind == "refusal":
        told = (part.get(name) for name in ("content", "refusal", "text"))
        return {"type": "refusal", "content": next((text for text in told if text is not None), None)}
    if kind == "image_url":
        image = part.get("image_url")
        return media_part("image", image.get("url") if isinstance(image, Mapping) else image)
    if kind == "input_audio" and isinstance(part.get("input_audio"), Mapping):
        audio = part["input_audio"]
        return {"type": "blob", "modality": "audio", "mime_type": f"audio/{audio.get('format')}", "content": audio.get("data")}
    if kind == "file" and isinstance(part.get("file"), Mapping) and part["file"].get("file_id"):
        return {"type": "file", "modality": "document", "file_id": part["file"]["file_id"]}
    return dict(part)


def media_part(modality: str, address: Any) -> dict[str, Any]:
    """A data: address is content and so a blob; any other is a link."""
    text = str(address or "")
    if not text.startswith("data:"):
        return {"type": "uri", "modality": modality, "uri": text}
    head, _, content = text.removeprefix("data:").partition(",")
    return {"type": "blob", "modality": modality, "mime_type": head.partition(";")[0] or None, "content": content}


def _call_parts(message: Mapping[str, Any]) -> Messages:
    calls = message.get("tool_calls")
    found = [call for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []
    if isinstance(message.get("function_call"), Mapping):
        found.append({"function": message["function_call"]})
    return [_call_part(call) for call in found]


def _call_part(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function") or call.get("custom")
    described: Mapping[str, Any] = function if isinstance(function, Mapping) else call
    arguments = described.get("arguments", described.get("input"))
    return {"type": "tool_call", "id": call.get("id"), "name": described.get("name"), "arguments": parse_arguments(arguments)}


def parse_arguments(arguments: Any) -> Any:
    """Tool arguments as an object where their text is JSON, else as they came."""
    if not isinstance(arguments, str):
        return arguments
    try:
        parsed = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return arguments
    return parsed if isinstance(parsed, dict) else arguments


def _to_openai(message: Mapping[str, Any]) -> Messages:
    parts = _parts(message)
    answers = [part for part in parts if part.get("type") == "tool_call_response"]
    if answers:
        return [{"role": "tool", "tool_call_id": part.get("id"), "content": _answer_text(part)} for part in answers]
    role = message.get("role") or "user"
    calls = [_to_openai_call(part) for part in parts if part.get("type") == "tool_call"]
    text = _join_text(parts)
    converted: dict[str, Any] = {"role": role, "content": text if text is not None or calls else ""}
    if calls:
        converted["tool_calls"] = calls
    if message.get("name"):
        converted["name"] = message["name"]
    return [converted]


def _to_openai_call(part: Mapping[str, Any]) -> dict[str, Any]:
    arguments = part.get("arguments")
    text = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments if arguments is not None else {}).decode()
    return {"id": part.get("id"), "type": "function", "function": {"name": part.get("name"), "arguments": text}}


def _answer_text(part: Mapping[str, Any]) -> str:
    answer = part.get("response", part.get("result"))
    return answer if isinstance(answer, str) else msgspec.json.encode(answer).decode()


def _parts(message: Mapping[str, Any]) -> Messages:
    parts = message.get("parts")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _join_text(parts: Any) -> str | None:
    texts = [
        part["content"]
        for part in (parts if isinstance(parts, list) else [])
        if isinstance(part, Mapping) and part.get("type") in ("text", "refusal") and isinstance(part.get("content"), str)
    ]
    return "\n".join(texts) if texts else None


def joined_pieces(messages: Messages) -> Messages:
    """Answers of which each piece of a stream stands as a message with an empty finish reason, as one message each."""
    answers: Messages = []
    is_open = False
    for message in messages:
        if is_open and message.get("role") == answers[-1].get("role"):
            answers[-1] = continued(answers[-1], message)
        else:
            answers.append(message)
        is_open = message.get("finish_reason") == ""
    return answers


def continued(begun: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    """One message of both; text that was cut goes on without a break."""
    before, after = list(begun["parts"]), list(piece["parts"])
    if before and after and before[-1].get("type") in _TEXTS and after[0].get("type") == before[-1]["type"]:
        texts = (part.get("content") or "" for part in (before[-1], after.pop(0)))
        before[-1] = {**before[-1], "content": "".join(map(str, texts))}
    return {**begun, **piece, "parts": before + after}
