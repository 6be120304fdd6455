"""Steps that several translators share: each rewrites the attributes of one span, in place, to the newest GenAI names.

What the producer already says under a newest name stands; nothing here overwrites it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from penstock.formats.aliases import parameter
from penstock.formats.foreign_messages import response_facts, to_messages
from penstock.formats.json_value import decoded, decoded_map

REDACTED = "__REDACTED__"  # what OpenInference and others leave where content is hidden
_FACTS = {
    "response_id": "gen_ai.response.id",
    "response_model": "gen_ai.response.model",
    "model_version": "openai.response.system_fingerprint",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_write.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}

_GROUPS = ("inferenceConfig", "generationConfig", "generation_config", "config")  # of Bedrock and Gemini, parameters together


def put(attributes: dict[str, Any], name: str, value: Any) -> None:
    """Say this under a newest name, unless it is said, or there is nothing to say."""
    if value is not None and value != "" and attributes.get(name) in (None, ""):
        attributes[name] = value


def set_operation(attributes: dict[str, Any], operation: str) -> None:
    """What kind of span it is, where the dialect knows better than the operation's name."""
    before = attributes.get("gen_ai.operation.name")
    if before not in (None, "", operation):
        attributes["penstock.raw.operation"] = before
    attributes["gen_ai.operation.name"] = operation


def put_content(attributes: dict[str, Any], given: Any, answer: Any) -> None:
    """The messages of a model call, out of whatever was stored as its input and output, and the facts in the latter."""
    put(attributes, "gen_ai.input.messages", messages_of(given, "user") or None)
    put(attributes, "gen_ai.output.messages", messages_of(answer, "assistant") or None)
    put_facts(attributes, response_facts(answer))


def messages_of(value: Any, role: str) -> list[dict[str, Any]]:
    """Messages out of anything; none out of what was hidden."""
    messages = [] if value == REDACTED else to_messages(value, role)
    return [message for message in messages if message["parts"] or message.get("finish_reason")]


def put_facts(attributes: dict[str, Any], facts: Mapping[str, Any]) -> None:
    """What a response says of itself, or a usage object of the tokens."""
    for name, attribute in _FACTS.items():
        put(attributes, attribute, facts.get(name))
    if facts.get("finish_reason"):
        put(attributes, "gen_ai.response.finish_reasons", [facts["finish_reason"]])


def put_parameters(attributes: dict[str, Any], values: Any) -> None:
    """A request's fields, of which those that are no parameters of the model go elsewhere or are left."""
    found = decoded_map(values)
    put(attributes, "gen_ai.request.model", found.get("model") or found.get("model_name") or found.get("modelId"))
    put(attributes, "gen_ai.request.user", found.get("user"))
    tools = found.get("tools") or decoded_map(found.get("toolConfig")).get("tools")
    put(attributes, "gen_ai.tool.definitions", tools or None)
    for group in _GROUPS:
        if decoded_map(found.get(group)):
            put_parameters(attributes, found[group])
    put(attributes, "gen_ai.request.reasoning.level", decoded_map(found.get("reasoning")).get("effort"))
    for name, value in found.items():
        known = parameter(name)
        if known is not None and value is not None and value != "Infinity" and (name != "stream" or value is True):
            put(attributes, f"gen_ai.request.{known}", value)


def put_tool(attributes: dict[str, Any], name: Any, arguments: Any, result: Any) -> None:
    """What a tool was asked and what it gave back."""
    put(attributes, "gen_ai.tool.name", name)
    put(attributes, "gen_ai.tool.call.arguments", arguments)
    put(attributes, "gen_ai.tool.call.result", result)


def put_documents(attributes: dict[str, Any], found: Any) -> None:
    """What a retrieval found, as documents of id, content, score and metadata."""
    found = decoded(found)
    if isinstance(found, Mapping):
        found = found.get("documents") or found.get("output") or found.get("results")
    documents = [document_of(item) for item in found] if isinstance(found, list) else []
    if documents:
        put(attributes, "gen_ai.retrieval.documents", documents)


def document_of(item: Any) -> dict[str, Any]:
    """One document under one set of names."""
    item = decoded(item)
    if not isinstance(item, Mapping):
        return {"content": item}
    inner = item.get("document") or item.get("kwargs")
    item = inner if isinstance(inner, Mapping) else item
    metadata = decoded(item.get("metadata"))
    found = {
        "id": _first(item, "id", "document_id", "doc_id") or (metadata.get("id") if isinstance(metadata, Mapping) else None),
        "content": _first(item, "content", "page_content", "pageContent", "text", "document"),
        "score": _first(item, "score", "relevance_score"),
        "metadata": metadata or None,
    }
    return {name: value for name, value in found.items() if value is not None} or dict(item)


def put_tags(attributes: dict[str, Any], tags: Any, ignored: tuple[str, ...] = ("\0",)) -> None:
    """Labels without a value, a list or the JSON of one."""
    tags = decoded(tags)
    for tag in [tags] if isinstance(tags, str) else tags if isinstance(tags, list) else []:
        if isinstance(tag, str) and tag and not tag.startswith(ignored):
            put(attributes, f"penstock.tag.{tag}", "true")


def spread_metadata(attributes: dict[str, Any], values: Any) -> None:
    """A JSON object of free entries, each as metadata of its own."""
    for name, value in decoded_map(values).items():
        attributes.setdefault(f"metadata.{name}", value)


def drop(attributes: dict[str, Any], names: Iterable[str]) -> None:
    """Forget what columns hold by now."""
    for name in names:
        attributes.pop(name, None)


def _first(item: Mapping[str, Any], *names: str) -> Any:
    return next((item[name] for name in names if item.get(name) is not None), None)
