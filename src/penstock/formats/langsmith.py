"""LangSmith's OTel export: `langsmith.span.kind` says what a span is, whatever `gen_ai.operation.name` claims; input and output
are one JSON string each, mostly LangChain's own objects. `langsmith.trace.session_id` is a project, no conversation.
"""

from typing import Any

from penstock.formats import translation
from penstock.formats.aliases import parameter, usage_columns
from penstock.formats.json_value import decoded, decoded_map
from penstock.formats.translation import put

DIALECT = "langsmith"
MARKERS = ("langsmith.span.kind",)

_OPERATIONS = {
    "llm": "chat",
    "embedding": "embeddings",
    "retriever": "retrieval",
    "tool": "execute_tool",
    "agent": "invoke_agent",
}
_METADATA = "langsmith.metadata."
_OWN_TAGS = ("seq:step", "map:key", "graph:step", "langsmith:")


def translate(attributes: dict[str, Any], name: str) -> None:
    """Rewrite the span's attributes to the newest GenAI names."""
    kind = str(attributes.pop("langsmith.span.kind", None)).lower()
    operation = _OPERATIONS.get(kind, kind)
    if kind == "llm" and attributes.get(_METADATA + "ls_model_type") == "llm":
        operation = "text_completion"
    translation.set_operation(attributes, operation)
    if attributes.get("gen_ai.system") == "langchain":
        attributes.pop("gen_ai.system")
    put(attributes, "gen_ai.system", attributes.get(_METADATA + "ls_provider"))
    tags = attributes.pop("langsmith.span.tags", None)
    parts = [tag.strip() for tag in tags.split(",")] if isinstance(tags, str) else tags
    translation.put_tags(attributes, parts, _OWN_TAGS)
    given, answer = attributes.pop("gen_ai.prompt", None), attributes.pop("gen_ai.completion", None)
    if kind == "llm":
        _read_call(attributes, given, answer)
    elif kind == "retriever":
        translation.put_documents(attributes, answer)
        put(attributes, "gen_ai.retrieval.query.text", decoded_map(given).get("query"))
    elif kind == "tool":
        found = decoded_map(answer)
        translation.put_tool(attributes, name, given, found["output"] if len(found) == 1 and "output" in found else answer)
    elif kind != "embedding":
        put(attributes, "langsmith.input", given)
        put(attributes, "langsmith.output", answer)


def _read_call(attributes: dict[str, Any], given: Any, answer: Any) -> None:
    """The invocation's parameters stand among the metadata."""
    values = {
        name[len(_METADATA) :]: attributes.pop(name)
        for name in list(attributes)
        if name.startswith(_METADATA) and _is_parameter(name[len(_METADATA) :])
    }
    translation.put_parameters(attributes, values)
    translation.put_parameters(attributes, attributes.pop(_METADATA + "ls_invocation_params", None))
    for name in ("temperature", "max_tokens"):
        put(attributes, f"gen_ai.request.{name}", attributes.get(f"{_METADATA}ls_{name}"))
    put(attributes, "gen_ai.request.stream", attributes.pop("langsmith.request.streaming", None) in (True, "true") or None)
    translation.put_facts(attributes, usage_columns(decoded(attributes.pop(_METADATA + "usage_metadata", None))))
    put(attributes, "gen_ai.request.model", attributes.get(_METADATA + "ls_model_name"))
    put(attributes, "gen_ai.tool.definitions", decoded_map(given).get("tools"))
    translation.put_content(attributes, given, answer)


def _is_parameter(name: str) -> bool:
    return name in ("model", "model_name", "user", "tools") or parameter(name) is not None
