"""OpenInference (Arize, Phoenix): kinds in `openinference.span.kind`, messages and documents flattened, the rest in JSON."""

from collections.abc import Mapping
from typing import Any

from penstock.formats import translation
from penstock.formats.content_blocks import kind_of
from penstock.formats.flattened import take
from penstock.formats.foreign_messages import join_items, response_facts
from penstock.formats.json_value import decoded_map
from penstock.formats.translation import put

DIALECT = "openinference"
MARKERS = ("openinference.span.kind", "llm.input_messages.0.message.role", "llm.output_messages.0.message.role")

_OPERATIONS = {
    "LLM": "chat",
    "EMBEDDING": "embeddings",
    "RETRIEVER": "retrieval",
    "RERANKER": "retrieval",
    "TOOL": "execute_tool",
    "AGENT": "invoke_agent",
}
_LISTS = (
    "llm.input_messages",
    "llm.output_messages",
    "llm.prompts",
    "llm.choices",
    "llm.tools",
    "retrieval.documents",
    "reranker.output_documents",
    "embedding.embeddings",
)


def translate(attributes: dict[str, Any], name: str) -> None:
    """Rewrite the span's attributes to the newest GenAI names."""
    kind = str(attributes.pop("openinference.span.kind", "LLM")).upper()
    found = take(attributes, _LISTS)
    translation.set_operation(attributes, _OPERATIONS.get(kind, kind.lower()))
    translation.spread_metadata(attributes, attributes.pop("metadata", None))
    translation.put_tags(attributes, attributes.pop("tag.tags", None))
    if kind == "LLM":
        _read_call(attributes, found)
    elif kind == "EMBEDDING":
        _read_embedding(attributes, found.get("embedding.embeddings"))
    elif kind in ("RETRIEVER", "RERANKER"):
        documents = found.get("retrieval.documents") or found.get("reranker.output_documents")
        translation.put_documents(attributes, documents or attributes.get("output.value"))
    elif kind == "TOOL":
        _read_tool(attributes, name)
    elif kind == "EVALUATOR":
        put(attributes, "penstock.exposure", "judge")


def _read_call(attributes: dict[str, Any], found: dict[str, Any]) -> None:
    answer = attributes.get("output.value")
    if found.get("llm.prompts"):
        translation.set_operation(attributes, "text_completion")
    inputs = _messages(found.get("llm.input_messages"), "user") or _plain(found.get("llm.prompts"), "user")
    outputs = _messages(found.get("llm.output_messages"), "assistant") or _plain(found.get("llm.choices"), "assistant")
    outputs = join_items(outputs) if _are_items(outputs, decoded_map(answer)) else outputs
    facts = response_facts(answer)
    if outputs and facts.get("finish_reason"):
        outputs[0].setdefault("finish_reason", facts["finish_reason"])
    put(attributes, "gen_ai.input.messages", inputs or translation.messages_of(attributes.get("input.value"), "user") or None)
    put(attributes, "gen_ai.output.messages", outputs or translation.messages_of(answer, "assistant") or None)
    translation.put_parameters(attributes, attributes.pop("llm.invocation_parameters", None))
    model = attributes.pop("llm.model_name", None)
    put(attributes, "gen_ai.request.model", model)
    if answer is not None or outputs:
        translation.put_facts(attributes, facts)
        is_answer = "llm.token_count.completion" in attributes or facts.get("output_tokens") is not None
        put(attributes, "gen_ai.response.model", model if is_answer else None)
    put(attributes, "gen_ai.tool.definitions", _tools(found.get("llm.tools")))
    # The whole request and response stand here once more.
    translation.drop(attributes, ("input.value", "output.value", "input.mime_type", "output.mime_type"))


def _are_items(outputs: list[dict[str, Any]], answer: Mapping[str, Any]) -> bool:
    """Whether these are the items of one answer, reasoning, words and calls, each of which Responses gives as a message."""
    if len(outputs) < 2 or answer.get("object") == "response":
        return len(outputs) > 1
    said = [message for message in outputs if any(kind_of(part) not in ("reasoning", "tool_call") for part in message["parts"])]
    return len(said) <= 1 and "choices" not in answer


def _tools(items: Any) -> list[Any] | None:
    tools = [item.get("tool", item) for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return [tool.get("json_schema", tool) for tool in tools if isinstance(tool, dict)] or None


def _read_embedding(attributes: dict[str, Any], embeddings: Any) -> None:
    translation.put_parameters(attributes, attributes.pop("embedding.invocation_parameters", None))
    for position, item in enumerate(embeddings if isinstance(embeddings, list) else []):
        inner = item.get("embedding", item) if isinstance(item, dict) else {}
        if isinstance(inner, dict) and isinstance(inner.get("text"), str):
            attributes[f"embedding.embeddings.{position}.embedding.text"] = inner["text"]
        vector = inner.get("vector") if isinstance(inner, dict) else None
        if isinstance(vector, list):
            put(attributes, "gen_ai.embeddings.dimension.count", len(vector))
    translation.put_facts(attributes, {k: v for k, v in response_facts(attributes.get("output.value")).items() if "tokens" in k})
    # The output is the vectors; the input is the texts once more.
    translation.drop(attributes, ("input.value", "output.value", "input.mime_type", "output.mime_type"))


def _read_tool(attributes: dict[str, Any], name: str) -> None:
    put(attributes, "gen_ai.tool.call.id", attributes.pop("tool.id", None) or attributes.pop("tool_call.id", None))
    arguments = attributes.pop("input.value", None) or attributes.get("tool.parameters")
    translation.put_tool(attributes, attributes.pop("tool.name", None) or name, arguments, attributes.pop("output.value", None))


def _messages(items: Any, role: str) -> list[dict[str, Any]]:
    """Flattened messages, each step of which repeats what it is below (`message`, `tool_call`, `message_content`)."""
    if not isinstance(items, list):
        return []
    return [
        message
        for item in items
        if isinstance(item, dict)
        for message in translation.messages_of([_unnested(item.get("message", item))], role)
    ]


def _unnested(message: Any) -> dict[str, Any]:
    if not isinstance(message, dict):
        return {"content": message}
    kept = ((name, value) for name, value in message.items() if name not in ("contents", "tool_calls"))
    found = {name: value for name, value in kept if value != translation.REDACTED}
    contents = message.get("contents")
    if isinstance(contents, list):
        found["content"] = [_content(item.get("message_content", item)) for item in contents if isinstance(item, dict)]
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        found["tool_calls"] = [call.get("tool_call", call) for call in calls if isinstance(call, dict)]
    if message.get("function_call_name"):
        found["function_call"] = {"name": message["function_call_name"], "arguments": message.get("function_call_arguments_json")}
    return found


def _content(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    image = item.get("image")
    if isinstance(image, dict):
        return {**item, "image": image.get("image", image)}
    return {key: value for key, value in item.items() if key != "id" or value}


def _plain(items: Any, role: str) -> list[dict[str, Any]]:
    """Prompts and completions without roles."""
    if not isinstance(items, list):
        return []
    texts = [next(iter(item.values()), item) if isinstance(item, dict) else item for item in items]
    texts = [text.get("text", text) if isinstance(text, dict) else text for text in texts]
    return [{"role": role, "parts": [{"type": "text", "content": str(text)}]} for text in texts if text]
