"""What went into a model and what came out, in whichever shape a tool logged it, as messages of the newest OTel schema.

OpenAI (chat, completions, responses), Anthropic, Gemini, LangChain's serialised messages, and single texts under a usual name.
What is none of these is kept as one message that holds its JSON, so that nothing is lost.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field

from penstock.formats.messages import Messages, openai_to_otel, parse_arguments
from penstock.replay.export_values import amount, is_missing, structure, text_of, walk

_ROLES = {"human": "user", "ai": "assistant", "model": "assistant", "function": "tool", "developer": "system"}
# LangChain's classes by their last name, and what its messages call themselves
_TEXT_KEYS = ("input", "question", "query", "prompt", "text", "output", "answer", "result", "response", "completion", "content")
_DEEPEST = 8


class Answer(Struct, frozen=True, kw_only=True):
    """What an output says besides its messages."""

    messages: Messages | None = None
    facts: dict[str, Any] = field(default_factory=dict)  # by the names of INTERACTION_FIELDS


def read_messages(value: Any, role: str) -> Messages | None:
    """The messages of an input (role user) or an output (role assistant); None where there are none."""
    return _read(value, role, 0)


def read_answer(value: Any) -> Answer:
    """The messages of an output, and the finish reason, ids, model and tokens that stand in it."""
    body = structure(value)
    facts: dict[str, Any] = {}
    if isinstance(body, Mapping):
        facts = {
            "response_id": text_of(body.get("id")) if _is_response(body) else None,
            "response_model": text_of(body.get("model")) or text_of(walk(body, "llm_output", "model_name")),
            "model_version": text_of(body.get("system_fingerprint")),
            "finish_reason": _finish_reason(body),
            **read_usage(walk(body, "usage") or walk(body, "usage_metadata") or walk(body, "llm_output", "token_usage")),
        }
    return Answer(
        messages=read_messages(value, "assistant"), facts={name: fact for name, fact in facts.items() if fact is not None}
    )


def read_usage(usage: Any) -> dict[str, Any]:
    """Token counts from OpenAI's, Anthropic's, Gemini's and LangChain's names; cached tokens become part of the input."""
    usage = structure(usage)
    if not isinstance(usage, Mapping):
        return {}
    found = {
        "input_tokens": _count(usage, "input_tokens", "prompt_tokens", "promptTokens", "inputTokens", "promptTokenCount"),
        "output_tokens": _count(
            usage, "output_tokens", "completion_tokens", "completionTokens", "outputTokens", "candidatesTokenCount"
        ),
        "cached_tokens": _count(
            usage, "cached_tokens", "cache_read_input_tokens", "cachedInputTokens", "cachedContentTokenCount",
            "prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens", "input_token_details.cache_read",
        ),
        "reasoning_tokens": _count(
            usage, "reasoning_tokens", "reasoningTokens", "thoughtsTokenCount", "completion_tokens_details.reasoning_tokens",
            "output_tokens_details.reasoning_tokens", "output_token_details.reasoning",
        ),
    }  # fmt: skip
    is_anthropic = "cache_read_input_tokens" in usage and "prompt_tokens" not in usage
    if is_anthropic and found["input_tokens"] is not None:
        # Anthropic counts what was read from or written to its cache beside the input.
        found["input_tokens"] += (found["cached_tokens"] or 0) + (_count(usage, "cache_creation_input_tokens") or 0)
    return {name: count for name, count in found.items() if count is not None}


def _count(usage: Mapping[str, Any], *names: str) -> int | None:
    counts = (amount(walk(usage, *name.split("."))) for name in names)
    return next((int(count) for count in counts if count is not None and count >= 0), None)


def _is_response(body: Mapping[str, Any]) -> bool:
    return any(name in body for name in ("choices", "usage", "object", "stop_reason"))


def _finish_reason(body: Mapping[str, Any]) -> str | None:
    for name, inner in (("choices", ("finish_reason",)), ("candidates", ("finishReason",)), ("generations", ())):
        items = body.get(name)
        item = items[0] if isinstance(items, list) and items else None
        item = item[0] if isinstance(item, list) and item else item
        if isinstance(item, Mapping):
            info = item.get("generation_info") or {}
            return text_of(walk(item, *inner)) if inner else text_of(walk(info, "finish_reason"))
    return text_of(body.get("stop_reason")) or text_of(walk(body, "response_metadata", "finish_reason"))


def _read(value: Any, role: str, depth: int) -> Messages | None:
    value = structure(value) if depth == 0 else value
    if is_missing(value) or value in ([], {}, ()):
        return None
    found: Messages | None = None
    if depth < _DEEPEST and isinstance(value, list | tuple):
        found = _read_list(list(value), role, depth)
    elif depth < _DEEPEST and isinstance(value, Mapping):
        found = _read_object(value, role, depth)
    return found or [_message(role, value if isinstance(value, str) else _json(value))]


def _read_list(items: list[Any], role: str, depth: int) -> Messages | None:
    if len(items) == 1 and isinstance(items[0], list):
        return _read(items[0], role, depth + 1)  # LangChain logs a batch of one
    if not all(isinstance(item, Mapping) for item in items):
        return None
    if any(_is_message(item) for item in items):
        return [message for item in items for message in _from_item(item, role)]
    if all(item.get("type") in ("text", "tool_use", "thinking", "image", "output_text", "input_text") for item in items):
        return [{"role": role, "parts": _blocks(items)}]
    return None


def _read_object(body: Mapping[str, Any], role: str, depth: int) -> Messages | None:
    if _is_message(body):
        return _from_item(body, role)
    for name, read in _SHAPES.items():
        if isinstance(body.get(name), list) and body[name]:
            found = read(body, role, depth)
            if found:
                return found
    for name in ("messages", "input", "output"):
        if len(body) == 1 and isinstance(body.get(name), Mapping):
            return _read(body[name], role, depth + 1)
    plain = [name for name in _TEXT_KEYS if isinstance(body.get(name), str)]
    is_only_that = len(body) == 1 or "model" in body  # beside the model stand parameters
    return [_message(role, body[plain[0]])] if len(plain) == 1 and is_only_that else None


def _with_system(body: Mapping[str, Any], name: str, role: str, depth: int) -> Messages | None:
    messages = _read(body[name], role, depth + 1)
    system = next((body[key] for key in ("system", "instructions", "system_instruction") if body.get(key)), None)
    if system is None or messages is None:
        return messages
    text = _read(system, "system", depth + 1) or []
    return [{"role": "system", "parts": [part for message in text for part in message["parts"]]}, *messages]


def _choices(body: Mapping[str, Any], role: str, _depth: int) -> Messages | None:
    found: Messages = []
    for choice in body["choices"]:
        message = choice.get("message") if isinstance(choice, Mapping) else None
        if isinstance(message, Mapping):
            found += _from_item({"role": role, **message}, role)
        elif isinstance(choice, Mapping) and isinstance(choice.get("text"), str):
            found.append(_message(role, choice["text"]))
    return found or None


def _generations(body: Mapping[str, Any], role: str, _depth: int) -> Messages | None:
    """LangChain: a list for each prompt of a list of candidates."""
    first = body["generations"][0]
    candidates = first if isinstance(first, list) else body["generations"]
    found: Messages = []
    for candidate in candidates:
        if isinstance(candidate, Mapping) and isinstance(candidate.get("message"), Mapping):
            found += _from_item(candidate["message"], role)
        elif isinstance(candidate, Mapping) and isinstance(candidate.get("text"), str):
            found.append(_message(role, candidate["text"]))
    return found or None


def _candidates(body: Mapping[str, Any], role: str, _depth: int) -> Messages | None:
    contents = [item.get("content") for item in body["candidates"] if isinstance(item, Mapping)]
    return [message for item in contents if isinstance(item, Mapping) for message in _from_item(item, role)] or None


_Shape = Callable[[Mapping[str, Any], str, int], Messages | None]
_SHAPES: dict[str, _Shape] = {
    "messages": lambda body, role, depth: _with_system(body, "messages", role, depth),
    "choices": _choices,
    "generations": _generations,
    "candidates": _candidates,
    "contents": lambda body, role, depth: _with_system(body, "contents", role, depth),
    "input": lambda body, role, depth: _with_system(body, "input", role, depth),
    "output": lambda body, role, depth: _read(body["output"], role, depth + 1),
}


def _is_message(item: Mapping[str, Any]) -> bool:
    return (
        ("role" in item and any(name in item for name in ("content", "parts", "tool_calls", "function_call", "refusal")))
        or isinstance(item.get("kwargs"), Mapping)
        or (str(item.get("type")) in _LANGCHAIN_TYPES and ("content" in item or "data" in item))
        or item.get("type") in ("message", "function_call", "function_call_output", "reasoning")
    )


_LANGCHAIN_TYPES = frozenset({"human", "ai", "system", "tool", "function", "AIMessageChunk"})


def _from_item(item: Mapping[str, Any], role: str) -> Messages:
    """One message of any of the shapes, or an item of OpenAI's responses."""
    inner = item.get("kwargs") or item.get("data")
    if isinstance(inner, Mapping):
        kind = inner.get("type") or (item.get("id") or [""])[-1] or item.get("type")
        return _from_item({**inner, "type": _langchain_type(str(kind))}, role)
    if str(item.get("type")) in _LANGCHAIN_TYPES and "role" not in item:
        return _from_item({**_without_type(item), "role": _ROLES.get(str(item["type"]), str(item["type"]))}, role)
    match item.get("type"):
        case "function_call":
            call = {"type": "tool_call", "id": item.get("call_id"), "name": item.get("name")}
            return [{"role": "assistant", "parts": [{**call, "arguments": parse_arguments(item.get("arguments"))}]}]
        case "function_call_output":
            part = {"type": "tool_call_response", "id": item.get("call_id"), "response": item.get("output")}
            return [{"role": "tool", "parts": [part]}]
        case "reasoning":
            return []
    named = _ROLES.get(str(item.get("role")), str(item.get("role") or role))
    if isinstance(item.get("parts"), list):
        return [{"role": named, "parts": [_part(part) for part in item["parts"] if isinstance(part, Mapping)]}]
    if isinstance(item.get("content"), list) and any(
        isinstance(block, Mapping) and block.get("type") in ("tool_use", "tool_result", "thinking") for block in item["content"]
    ):
        return [{"role": named, "parts": _blocks(item["content"])}]
    return openai_to_otel([{**item, "role": named, **_calls(item)}])


def _langchain_type(kind: str) -> str:
    known = {"HumanMessage": "human", "AIMessage": "ai", "AIMessageChunk": "ai", "SystemMessage": "system", "ToolMessage": "tool"}
    return known.get(kind, kind if kind in _LANGCHAIN_TYPES else "human")


def _without_type(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "type"}


def _calls(item: Mapping[str, Any]) -> dict[str, Any]:
    """Tool calls as OpenAI writes them, from LangChain's and Datadog's {name, args | arguments, id | tool_id}."""
    calls = item.get("tool_calls") or walk(item, "additional_kwargs", "tool_calls")
    if not isinstance(calls, list) or not calls:
        return {}
    found = []
    for call in calls:
        if isinstance(call, Mapping) and "function" not in call:
            arguments = call.get("args", call.get("arguments"))
            call = {"id": call.get("id") or call.get("tool_id"), "function": {"name": call.get("name"), "arguments": arguments}}
        found.append(call)
    return {"tool_calls": found}


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part of the newest schema as it is, or one of Gemini's."""
    if "type" not in part and isinstance(part.get("text"), str):
        return {"type": "text", "content": part["text"]}
    call = part.get("functionCall") or part.get("function_call")
    if isinstance(call, Mapping):
        return {"type": "tool_call", "id": call.get("id"), "name": call.get("name"), "arguments": call.get("args")}
    return dict(part)


def _blocks(blocks: list[Any]) -> Messages:
    """Anthropic's content blocks."""
    parts: Messages = []
    for block in blocks:
        match block.get("type") if isinstance(block, Mapping) else None:
            case "text" | "output_text" | "input_text":
                parts.append({"type": "text", "content": block.get("text")})
            case "thinking":
                parts.append({"type": "reasoning", "content": block.get("thinking")})
            case "tool_use":
                parts.append(
                    {"type": "tool_call", "id": block.get("id"), "name": block.get("name"), "arguments": block.get("input")}
                )
            case "tool_result":
                parts.append({"type": "tool_call_response", "id": block.get("tool_use_id"), "response": block.get("content")})
            case None:
                parts.append({"type": "text", "content": str(block)})
            case _:
                parts.append(dict(block))
    return parts


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
