"""Langfuse's SDK: `langfuse.observation.*`, JSON in strings, some of it twice; the type says what a span is."""

from typing import Any

from penstock.formats import translation
from penstock.formats.aliases import real_of, usage_columns
from penstock.formats.foreign_messages import response_facts
from penstock.formats.json_value import decoded, decoded_map, parsed
from penstock.formats.translation import put

DIALECT = "langfuse"
MARKERS = ("langfuse.observation.type",)

_OPERATIONS = {
    "generation": "chat",
    "embedding": "embeddings",
    "retriever": "retrieval",
    "tool": "execute_tool",
    "agent": "invoke_agent",
}
_PREFIX = "langfuse.observation."
_RESPONSES = (
    "id", "object", "created_at", "completed_at", "status", "background", "billing", "conversation", "error",
    "incomplete_details", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "moderation",
    "parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_retention", "reasoning",
    "safety_identifier", "service_tier", "store", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p",
    "truncation",
)  # fmt: skip


def translate(attributes: dict[str, Any], name: str) -> None:
    """Rewrite the span's attributes to the newest GenAI names."""
    kind = str(decoded(attributes.pop(_PREFIX + "type", None))).lower()
    if kind in _OPERATIONS or "gen_ai.operation.name" not in attributes:
        translation.set_operation(attributes, _OPERATIONS.get(kind, kind))
    _read_responses(attributes)
    translation.put_tags(attributes, attributes.pop("langfuse.trace.tags", None))
    for holder in ("langfuse.trace.metadata", _PREFIX + "metadata"):
        translation.spread_metadata(attributes, attributes.pop(holder, None))
    for named in ("prompt.name", "prompt.version"):
        if _PREFIX + named in attributes:
            attributes[_PREFIX + named] = decoded(attributes[_PREFIX + named])
    if str(attributes.get(_PREFIX + "level")).upper() == "ERROR":
        put(attributes, "error.type", attributes.get("exception.type") or "error")
    if kind == "generation":
        _read_call(attributes)
    elif kind == "embedding":
        _read_model(attributes)
        translation.drop(attributes, (_PREFIX + "output",))  # the vectors
    elif kind == "retriever":
        translation.put_documents(attributes, attributes.pop(_PREFIX + "output", None))
    elif kind == "tool":
        arguments, result = attributes.pop(_PREFIX + "input", None), attributes.pop(_PREFIX + "output", None)
        translation.put_tool(attributes, name, arguments, result)
    elif kind == "evaluator":
        put(attributes, "penstock.exposure", "judge")


def _read_call(attributes: dict[str, Any]) -> None:
    given, answer = attributes.pop(_PREFIX + "input", None), attributes.pop(_PREFIX + "output", None)
    given = _without_tools(attributes, decoded(given))
    put(attributes, "gen_ai.system", decoded(attributes.get(_PREFIX + "metadata.ls_provider")))
    reason = decoded(attributes.pop(_PREFIX + "metadata.finish_reason", None))
    put(attributes, "gen_ai.response.finish_reasons", [reason] if isinstance(reason, str) else None)
    put(attributes, "gen_ai.tool.definitions", decoded_map(given).get("tools"))
    translation.put_content(attributes, given, answer)
    outputs = attributes.get("gen_ai.output.messages")
    if isinstance(reason, str) and isinstance(outputs, list):
        attributes["gen_ai.output.messages"] = [{"finish_reason": reason, **message} for message in outputs]
    put(attributes, "penstock.first_token_at", decoded(attributes.pop(_PREFIX + "completion_start_time", None)))
    _read_model(attributes, answer)


def _read_responses(attributes: dict[str, Any]) -> None:
    """Of a streamed Responses answer all fields but its output become metadata, as if they were the user's own."""
    prefix = _PREFIX + "metadata."
    if decoded(attributes.get(prefix + "object")) != "response":
        return
    told = {name: decoded(attributes.pop(prefix + name)) for name in _RESPONSES if prefix + name in attributes}
    translation.put_facts(attributes, response_facts({**told, "output": decoded(attributes.get(_PREFIX + "output"))}))
    translation.put_parameters(attributes, {name: parsed(value) for name, value in told.items() if name != "tools"})
    put(attributes, "gen_ai.tool.definitions", told.get("tools") or None)


def _without_tools(attributes: dict[str, Any], given: Any) -> Any:
    """Its LangChain handler puts the tools on offer behind the messages, as if tools had said them."""
    if not isinstance(given, list):
        return given
    offered = [item["content"] for item in given if _offers_a_tool(item)]
    put(attributes, "gen_ai.tool.definitions", offered or None)
    return [item for item in given if not _offers_a_tool(item)]


def _offers_a_tool(item: Any) -> bool:
    content = item.get("content") if isinstance(item, dict) and item.get("role") == "tool" else None
    return isinstance(content, dict) and isinstance(content.get("function"), dict)


def _read_model(attributes: dict[str, Any], answer: Any = None) -> None:
    """There is one name for the model: the response's where there was one, so it is that of both."""
    model = decoded(attributes.pop(_PREFIX + "model.name", None))
    usage = usage_columns(decoded(attributes.pop(_PREFIX + "usage_details", None)))
    translation.put_parameters(attributes, attributes.pop(_PREFIX + "model.parameters", None))
    put(attributes, "gen_ai.request.model", model)
    translation.put_facts(attributes, usage)
    if answer is not None or usage:
        put(attributes, "gen_ai.response.model", response_facts(answer).get("response_model") or model)
    cost = decoded_map(attributes.pop(_PREFIX + "cost_details", None))
    put(attributes, "gen_ai.usage.cost", real_of(cost.get("total")))
