"""OpenLLMetry (Traceloop): flattened `gen_ai.prompt.N.*` and `gen_ai.completion.N.*` until 0.4x, since then the newest names with
a few of its own beside them. LiteLLM's callback `otel` has taken these over.
"""

from typing import Any

from penstock.formats import translation
from penstock.formats.content_blocks import pieces_in
from penstock.formats.flattened import take
from penstock.formats.translation import put

DIALECT = "openllmetry"
MARKERS = (
    "gen_ai.prompt.0.role",
    "gen_ai.prompt.0.content",
    "gen_ai.completion.0.role",
    "gen_ai.completion.0.content",
    "gen_ai.completion.0.finish_reason",
    "gen_ai.is_streaming",
    "gen_ai.usage.reasoning_tokens",
    "llm.request.type",
    "llm.request.functions.0.name",
    "traceloop.span.kind",
)

_OPERATIONS = {"completion": "text_completion", "embedding": "embeddings"}
_KINDS = {"tool": "execute_tool", "agent": "invoke_agent"}
_LISTS = ("gen_ai.prompt", "gen_ai.completion", "llm.prompts", "llm.completions", "llm.request.functions")
_TRUE = (True, "True", "true")  # LiteLLM says it in words
_PARAMETERS = {"llm.top_k": "top_k", "llm.frequency_penalty": "frequency_penalty", "llm.presence_penalty": "presence_penalty",
               "llm.chat.stop_sequences": "stop_sequences", "llm.temperature": "temperature", "llm.top_p": "top_p"}  # fmt: skip


def translate(attributes: dict[str, Any], name: str) -> None:
    """Rewrite the span's attributes to the newest GenAI names."""
    found = take(attributes, _LISTS)
    kind = attributes.pop("traceloop.span.kind", None)
    request = attributes.pop("llm.request.type", None)
    if request and isinstance(attributes.get("llm.is_streaming"), str):
        put(attributes, "gen_ai.operation.name", str(request))  # LiteLLM's function, of which `completion` chats
    elif request:
        put(attributes, "gen_ai.operation.name", _OPERATIONS.get(str(request), str(request)))
    elif kind:
        put(attributes, "gen_ai.operation.name", _KINDS.get(str(kind), str(kind)))
    if kind == "tool":
        result = attributes.pop("traceloop.entity.output", None)
        arguments = attributes.pop("traceloop.entity.input", None)
        translation.put_tool(attributes, attributes.get("traceloop.entity.name") or name, arguments, result)
    if attributes.get("llm.headers") in ("None", "{}"):
        attributes.pop("llm.headers")
    for old, new in _PARAMETERS.items():
        put(attributes, f"gen_ai.request.{new}", attributes.pop(old, None))
    for old in ("gen_ai.is_streaming", "llm.is_streaming"):
        put(attributes, "gen_ai.request.stream", attributes.pop(old, None) in _TRUE or None)
    put(attributes, "gen_ai.tool.definitions", found.get("llm.request.functions"))
    _read_content(attributes, found)


def _read_content(attributes: dict[str, Any], found: dict[str, Any]) -> None:
    """An item without a role is the user's in a prompt, and the model's in a completion."""
    prompts = found.get("gen_ai.prompt") or found.get("llm.prompts")
    completions = found.get("gen_ai.completion") or found.get("llm.completions")
    put(attributes, "gen_ai.input.messages", _messages(prompts, "user") or None)
    outputs = _messages(completions, "assistant")
    put(attributes, "gen_ai.output.messages", outputs or None)
    reasons = [message["finish_reason"] for message in outputs if message.get("finish_reason")]
    put(attributes, "gen_ai.response.finish_reasons", reasons or None)


def _messages(items: Any, role: str) -> list[dict[str, Any]]:
    if not isinstance(items, list):
        return []
    return _with_thinking([message for item in items for message in translation.messages_of([_content(item)], role)])


def _with_thinking(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Anthropic's thinking stands as a message of its own before the answer that it led to."""
    found: list[dict[str, Any]] = []
    before: dict[str, Any] = {"role": "assistant", "parts": []}
    for message in messages:
        if message["role"] == "thinking":
            thoughts = [{**part, "type": "reasoning"} for part in message["parts"]]
            before = {**message, "role": "assistant", "parts": [*before["parts"], *thoughts]}
        else:
            found.append({**before, **message, "parts": [*before["parts"], *message["parts"]]})
            before = {"role": "assistant", "parts": []}
    return found + [before] * bool(before["parts"])


def _content(item: Any) -> Any:
    """Content that is a list was put down as the JSON of it; a tool's answer is text whatever it looks like."""
    if not isinstance(item, dict):
        return item
    if isinstance(item.get("user"), str) and "content" not in item:  # Anthropic's completions
        return {"role": "user", "content": item["user"]}
    pieces = pieces_in(item.get("content")) if item.get("role") != "tool" else None
    return {**item, "content": pieces} if pieces is not None else item
