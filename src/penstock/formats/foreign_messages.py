"""Whatever was put down as the input or the output of a model call, as messages of the newest OTel schema.

Instrumentations store the provider's request and response, a framework's own messages, or plain text. Shapes are told apart by
their fields: OpenAI chat, completions and Responses, Anthropic, Gemini, LangChain, the AI SDK. What is none of them becomes text.
"""

from collections.abc import Mapping
from typing import Any

from penstock.formats.aliases import text_of, usage_columns
from penstock.formats.content_blocks import ANSWERS, CALLS, answer_part, block, call_part, kind_of
from penstock.formats.json_value import decoded
from penstock.formats.messages import Messages

_ROLES = {
    "human": "user", "ai": "assistant", "model": "assistant", "bot": "assistant", "AIMessageChunk": "assistant",
    "HumanMessageChunk": "user", "SystemMessageChunk": "system", "ToolMessageChunk": "tool", "ToolMessage": "tool",
    "HumanMessage": "user", "AIMessage": "assistant", "SystemMessage": "system", "function": "tool",
}  # fmt: skip
_MOST_DEPTH = 8


def to_messages(value: Any, role: str, depth: int = 0) -> Messages:
    """Messages out of anything; what names no role itself has this one."""
    value = decoded(value)
    if value is None or value == "" or value == [] or _is_empty(value):
        return []
    if depth > _MOST_DEPTH or not isinstance(value, list | Mapping):
        return [{"role": role, "parts": [{"type": "text", "content": text_of(value) or ""}]}]
    if isinstance(value, list):
        return _from_list(value, role, depth)
    return _from_mapping(value, role, depth)


def _is_empty(value: Any) -> bool:
    """An object that says nothing: none of its fields holds a value."""
    return isinstance(value, Mapping) and all(item is None for item in value.values())


def response_facts(value: Any) -> dict[str, Any]:
    """What a provider's response, or LangChain's record of one, says beside its messages."""
    value = decoded(value)
    found: dict[str, Any] = {}
    for source in _responses(value):
        usage = source.get("usage") or source.get("token_usage") or source.get("usage_metadata") or source.get("usageMetadata")
        found = {**usage_columns(usage), **found}
        for name, keys in _FACTS:
            text = next((text for key in keys if isinstance(text := source.get(key), str) and text), None)
            if text is not None:
                found.setdefault(name, text)
    return found


def tool_outcome(value: Any) -> tuple[Any, str | None]:
    """What a tool gave back, and which call it answers where it says so: LangChain wraps both into a message of its own."""
    value = decoded(value)
    inner = value.get("output", value) if isinstance(value, Mapping) else value
    message = _unwrapped(inner)
    if "tool_call_id" not in message or "content" not in message:
        return value, None
    identifier = message["tool_call_id"]
    return decoded(message["content"]), identifier if isinstance(identifier, str) else None


_FACTS = (
    ("response_id", ("id", "responseId", "response_id")),
    ("response_model", ("model", "model_name", "modelVersion", "model_version")),
    ("model_version", ("system_fingerprint",)),
    ("finish_reason", ("finish_reason", "stop_reason", "finishReason", "stopReason")),
)


def _responses(value: Any) -> list[Mapping[str, Any]]:
    """The objects within a response that describe it, the most telling first."""
    if not isinstance(value, Mapping):
        return []
    generation = _generation(value)
    if generation is not None:
        message = _unwrapped(generation.get("message"))
        described: list[Any] = [message.get("response_metadata"), generation.get("generation_info"), _only_usage(message)]
        return [item for item in described if isinstance(item, Mapping)]
    if isinstance(value.get("output"), Mapping):
        return [*_responses(value["output"]), {name: value.get(name) for name in ("stopReason", "usage")}]
    plain = _unwrapped(value)
    if isinstance(plain.get("response_metadata"), Mapping):
        return [plain["response_metadata"], _only_usage(plain)]
    choices = value.get("choices") or value.get("candidates")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    is_response = bool(first) or value.get("object") in ("response", "text_completion") or value.get("type") == "message"
    is_response = is_response or (isinstance(value.get("message"), Mapping) and "finish_reason" in value)  # Cohere
    ending = {name: first.get(name) for name in ("finish_reason", "finishReason")}
    return [value, ending, _ending(value)] if is_response else [_only_usage(value)]


def _ending(value: Mapping[str, Any]) -> dict[str, Any]:
    """Why a Responses answer ended, which it says by its status and by what it holds."""
    details, items = value.get("incomplete_details"), value.get("output")
    if isinstance(details, Mapping):
        return {"finish_reason": details.get("reason")}
    if value.get("status") != "completed":
        return {}
    calls = isinstance(items, list) and any(kind_of(item) in CALLS for item in items)
    return {"finish_reason": "tool_call" if calls else "stop"}


def _only_usage(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value.get(name) for name in ("usage", "usage_metadata")}


def _generation(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    generations = value.get("generations")
    while isinstance(generations, list) and generations:
        generations = generations[0]
    return generations if isinstance(generations, Mapping) else None


def _from_list(items: list[Any], role: str, depth: int) -> Messages:
    if all(isinstance(item, list) for item in items):  # LangChain's batches: a span is about the first
        return to_messages(items[0], role, depth + 1)
    if all(isinstance(item, str) for item in items) and role == "user":
        return [{"role": role, "parts": [{"type": "text", "content": "\n".join(items)}]}]
    if not all(isinstance(item, Mapping) for item in items):
        return [{"role": role, "parts": [block(decoded(item)) for item in items]}]
    messages = [_message(item, role) for item in items if not _is_silent(item)]
    if not any(map(_says_something, messages)) and not any(_is_message(item) or kind_of(item) for item in items):
        return [
            {"role": role, "parts": [{"type": "text", "content": text_of(items) or ""}]}
        ]  # an answer that is a list of objects
    return (
        join_items(messages) if messages and any(kind_of(item) in _ITEMS for item in items) and role == "assistant" else messages
    )


_BODIES = (("input", "prompt", "prompts", "query", "question", "text"), ("output", "response", "text", "result"))
_ONLY_ALONE = frozenset({"query", "question", "text", "response", "result"})
_ITEMS = CALLS | {"message", "reasoning", "function_call_output"}


def _is_silent(item: Mapping[str, Any]) -> bool:
    """Reasoning that its provider kept to itself."""
    return kind_of(item) == "reasoning" and "role" not in item and not block(item).get("content")


def _says_something(message: Mapping[str, Any]) -> bool:
    return bool(message["parts"] or message.get("finish_reason"))


def join_items(messages: Messages) -> Messages:
    """The items of one answer, which Responses lists side by side, as the one message that they are."""
    if len({message["role"] for message in messages}) > 1:
        return messages
    return [{**messages[0], "parts": [part for message in messages for part in message["parts"]]}]


def _from_mapping(value: Mapping[str, Any], role: str, depth: int) -> Messages:
    generation = _generation(value)
    if generation is not None:
        return [_langchain_generation(generation)]
    for name in ("choices", "candidates"):
        if _holds_objects(value.get(name)):
            return [_choice(item) for item in value[name] if isinstance(item, Mapping)]
    system = next((found for holder in (value, value.get("config")) if (found := _instructions(holder))), None)
    # A response repeats the instructions that it followed; they are no part of the answer.
    before = to_messages(system, "system", depth + 1) if system and role == "user" else []
    for name in ("messages", "contents", "message"):
        if value.get(name) and isinstance(value[name], str | list | Mapping):
            return before + to_messages(value[name], role, depth + 1)
    if _is_message(value):
        return [*before, _message(value, role)]
    for name in _BODIES[role == "assistant"]:
        if value.get(name) is not None and (name not in _ONLY_ALONE or len(value) == 1):
            return before + to_messages(value[name], role, depth + 1)
    return [{"role": role, "parts": [{"type": "text", "content": text_of(dict(value)) or ""}]}]


def _instructions(value: Any) -> Any:
    names = ("system", "instructions", "systemInstruction", "system_instruction") if isinstance(value, Mapping) else ()
    return next((value[name] for name in names if value.get(name)), None)


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, Mapping) for item in value)


def _is_message(value: Mapping[str, Any]) -> bool:
    return any(name in value for name in ("role", "parts", "content", "kwargs", "tool_calls", "blocks")) or (
        "data" in value and kind_of(value) in _ROLES
    )


def _choice(item: Mapping[str, Any]) -> dict[str, Any]:
    inner = item.get("message") or item.get("content")
    message = _message(inner if isinstance(inner, Mapping) else {"content": item.get("text") or inner}, "assistant")
    reason = item.get("finish_reason") or item.get("finishReason")
    return {**message, **({"finish_reason": reason} if reason else {})}


def _langchain_generation(generation: Mapping[str, Any]) -> dict[str, Any]:
    inner = generation.get("message")
    message = _message(inner if isinstance(inner, Mapping) else {"content": generation.get("text")}, "assistant")
    reason = response_facts({"generations": [[generation]]}).get("finish_reason")
    return {**message, **({"finish_reason": reason} if reason else {})}


def _unwrapped(item: Any) -> Mapping[str, Any]:
    """LangChain's messages without their envelope, `kwargs` of a serialised object or `data` of an older form."""
    if not isinstance(item, Mapping):
        return {}
    identifier = item.get("id")
    for name in ("kwargs", "data"):
        if isinstance(item.get(name), Mapping):
            named = identifier[-1] if isinstance(identifier, list) and identifier else item.get("type")
            return {"type": named, **item[name]}
    return item


def _message(item: Mapping[str, Any], role: str) -> dict[str, Any]:
    item = _unwrapped(item)
    content = item.get("content")
    if isinstance(content, Mapping) and isinstance(content.get("parts"), list):  # Gemini's, which has the role in it
        item = {"role": role, **{name: value for name, value in item.items() if name != "content"}, **_said(content)}
    kind = kind_of(item)
    if kind in CALLS and "role" not in item:
        return {"role": "assistant", "parts": [call_part(item)]}
    if kind in ANSWERS and "role" not in item:
        return {"role": "tool", "parts": [answer_part(item)]}
    if kind == "reasoning":
        return {"role": "assistant", "parts": [block(item)]}
    if isinstance(item.get("parts"), list) and isinstance(item.get("role"), str):
        role = _ROLES.get(item["role"], item["role"])
        rest = {name: value for name, value in item.items() if name not in _BESIDE_PARTS}
        return {**rest, "role": role, "parts": _with_calls(item, [block(part) for part in item["parts"]])}
    named = item.get("role") or (kind if kind in _ROLES or kind in ("system", "tool", "user", "assistant") else role)
    found = {"role": _ROLES.get(str(named), str(named)), "parts": _parts(item, str(named))}
    for name in ("name", "finish_reason"):
        if isinstance(item.get(name), str) and item[name]:
            found[name] = item[name]
    if isinstance(item.get("stop_reason"), str):
        found.setdefault("finish_reason", item["stop_reason"])
    return found


def _said(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if value is not None}


_BESIDE_PARTS = ("tool_calls", "tool_call_id")  # where LiteLLM leaves OpenAI's fields


def _with_calls(item: Mapping[str, Any], parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts of a message together with the calls, or the call that it answers, which it names beside them."""
    if item.get("tool_calls"):
        return _without_repeats([part for part in parts if part.get("content") != ""], _calls(item))
    identifier = item.get("tool_call_id")
    if identifier is None or any(kind_of(part) == "tool_call_response" for part in parts):
        return parts
    texts = [part.get("content") for part in parts if kind_of(part) == "text"]
    response = "\n".join(map(str, texts)) if len(texts) == len(parts) else parts
    return [{"type": "tool_call_response", "id": identifier, "response": response}]


def _parts(item: Mapping[str, Any], role: str) -> list[dict[str, Any]]:
    if isinstance(item.get("parts"), list):
        return _with_calls(item, [block(part) for part in item["parts"]])
    identifier = item.get("tool_call_id")
    if identifier is not None or role in ("tool", "function"):
        content = item.get("content")
        if not (isinstance(content, list) and any(kind_of(block(part)) == "tool_call_response" for part in content)):
            return [{"type": "tool_call_response", "id": identifier or item.get("id"), "response": content}]
    reasoning = item.get("reasoning_content") or item.get("reasoning")
    parts = [{"type": "reasoning", "content": reasoning}] if isinstance(reasoning, str) else []
    parts += _content(next((item[name] for name in ("content", "text", "blocks") if item.get(name) is not None), None))
    refusal = item.get("refusal")
    parts += [{"type": "refusal", "content": refusal}] if isinstance(refusal, str) and refusal else []
    return _without_repeats(parts, _calls(item))


def _without_repeats(parts: list[dict[str, Any]], calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts and these calls; Anthropic's through LangChain stand among both."""
    parts = [part for part in parts if kind_of(part) != "tool_call" or part.get("id") or part.get("name")]
    told = [part.get("id") for part in parts if kind_of(part) == "tool_call"]
    return parts + [call for call in calls if call["id"] is None or call["id"] not in told]


def _content(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "content": content}] if content else []
    if isinstance(content, Mapping):
        content = [content]
    return [block(part) for part in content] if isinstance(content, list) else []


def _calls(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    additional = item.get("additional_kwargs")
    for source in (item, additional if isinstance(additional, Mapping) else {}):
        calls = decoded(source.get("tool_calls") or source.get("toolCalls"))
        if isinstance(calls, list) and calls:
            return [call_part(call) for call in calls if isinstance(call, Mapping)]
        if isinstance(source.get("function_call"), Mapping):
            return [call_part(source["function_call"])]
    return []
