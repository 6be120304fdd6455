"""MLflow: every value is the JSON of it in a string, so texts are quoted twice; inputs and outputs are the provider's own."""

from typing import Any

from penstock.formats import translation
from penstock.formats.aliases import PROVIDERS, parameter, provider, real_of, usage_columns
from penstock.formats.foreign_messages import response_facts
from penstock.formats.json_value import decoded, decoded_map, parsed
from penstock.formats.translation import put

DIALECT = "mlflow"
MARKERS = ("mlflow.spanType",)

_OPERATIONS = {
    "CHAT_MODEL": "chat",
    "LLM": "chat",
    "EMBEDDING": "embeddings",
    "RETRIEVER": "retrieval",
    "TOOL": "execute_tool",
    "AGENT": "invoke_agent",
}


def translate(attributes: dict[str, Any], name: str) -> None:
    """Rewrite the span's attributes to the newest GenAI names."""
    for key, value in attributes.items():
        if isinstance(value, str) and value[:1] == '"':
            attributes[key] = decoded(value)
    kind = str(attributes.pop("mlflow.spanType", None)).upper()
    translation.set_operation(attributes, _OPERATIONS.get(kind, kind.lower()))
    _read_prompt(attributes)
    translation.spread_metadata(attributes, attributes.pop("metadata", None))
    given, answer = attributes.pop("mlflow.spanInputs", None), attributes.pop("mlflow.spanOutputs", None)
    if kind in ("CHAT_MODEL", "LLM"):
        _read_call(attributes, decoded(given), answer)
    elif kind == "EMBEDDING":
        translation.put_parameters(attributes, given)
        _read_usage(attributes)
    elif kind in ("RETRIEVER", "RERANKER"):
        translation.put_documents(attributes, answer)
    elif kind == "TOOL":
        translation.put_tool(attributes, name, given, answer)
    else:
        put(attributes, "mlflow.spanInputs", given)
        put(attributes, "mlflow.spanOutputs", answer)
        if kind == "EVALUATOR":
            put(attributes, "penstock.exposure", "judge")


def _read_call(attributes: dict[str, Any], given: Any, answer: Any) -> None:
    # Autologging repeats the request's fields as attributes of their own.
    repeated = {name: parsed(attributes.pop(name)) for name in list(attributes) if _is_field(name)}
    tools = attributes.pop("mlflow.chat.tools", None) or repeated.pop("tools", None)
    if isinstance(given, dict) and "prompt" in given and "messages" not in given:
        translation.set_operation(attributes, "text_completion")
    translation.put_parameters(attributes, attributes.pop("invocation_params", None))
    translation.put_parameters(attributes, given)
    translation.put_parameters(attributes, repeated)
    put(attributes, "gen_ai.tool.definitions", tools)
    if answer is None:  # what failed has one model only, the one that was asked for
        put(attributes, "gen_ai.request.model", attributes.pop("mlflow.llm.model", None))
    _read_usage(attributes, answer)
    _read_provider(attributes)
    translation.put_content(attributes, given, answer)


def _read_provider(attributes: dict[str, Any]) -> None:
    """The client library names it, where nothing else does; a framework's name is none."""
    library = attributes.get("mlflow.message.format")
    if isinstance(library, str) and provider(library) in PROVIDERS:
        put(attributes, "mlflow.llm.provider", library)


def _read_usage(attributes: dict[str, Any], answer: Any = None) -> None:
    """MLflow's own counts, but for those of Anthropic, whose cached tokens it leaves beside the input instead of in it."""
    told, own = usage_columns(decoded(attributes.pop("mlflow.chat.tokenUsage", None))), response_facts(answer)
    if told.get("input_tokens", 0) < own.get("input_tokens", 0):
        translation.put_facts(attributes, {"input_tokens": own["input_tokens"]})
    translation.put_facts(attributes, told)
    cost = decoded_map(attributes.pop("mlflow.llm.cost", None))
    put(attributes, "gen_ai.usage.cost", real_of(cost.get("total_cost", cost.get("total"))))


def _read_prompt(attributes: dict[str, Any]) -> None:
    linked = decoded(attributes.get("mlflow.linkedPrompts"))
    if isinstance(linked, list) and linked and isinstance(linked[0], dict):
        put(attributes, "gen_ai.prompt.name", linked[0].get("name"))
        put(attributes, "gen_ai.prompt.version", linked[0].get("version"))


def _is_field(name: str) -> bool:
    return name in ("model", "tools", "user") or parameter(name) is not None
