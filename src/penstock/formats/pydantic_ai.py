"""pydantic-ai and Logfire: the newest GenAI names since version 2 of its form, and a few of its own; before, lists of events.

Logfire's own instrumentation of model clients stores the request and the response as JSON.
"""

from typing import Any

from penstock.formats import translation
from penstock.formats.aliases import count_of, usage_columns
from penstock.formats.json_value import decoded, decoded_map
from penstock.formats.message_events import messages_of_events
from penstock.formats.translation import put, put_facts

DIALECT = "pydantic-ai"
MARKERS = (
    "logfire.json_schema",
    "logfire.msg",
    "model_request_parameters",
    "pydantic_ai.all_messages",
    "all_messages_events",
    "gen_ai.agent.call.id",
    "request_data",
)
_ERROR_LEVEL = 17


def translate(attributes: dict[str, Any], name: str) -> None:
    """Rewrite the span's attributes to the newest GenAI names."""
    attributes.pop("logfire.json_schema", None)
    translation.spread_metadata(attributes, attributes.pop("metadata", None))
    if "gen_ai.operation.name" not in attributes:
        _guess_operation(attributes)
    if attributes.get("logfire.span_type") == "pending_span":
        translation.set_operation(attributes, "pending")  # says that a span has begun, which is still to come
    if "events" in attributes:
        _read_events(attributes)
    if "request_data" in attributes:
        _read_client(attributes)
    put_facts(attributes, usage_columns(decoded(attributes.pop("gen_ai.usage.raw", None))))
    if "tool_arguments" in attributes or "tool_response" in attributes:
        arguments, result = attributes.pop("tool_arguments", None), attributes.pop("tool_response", None)
        translation.put_tool(attributes, name, arguments, result)
    if "gen_ai.tool.definitions" not in attributes and "model_request_parameters" in attributes:
        offered = decoded_map(attributes["model_request_parameters"])
        put(attributes, "gen_ai.tool.definitions", offered.get("function_tools") or None)


def _guess_operation(attributes: dict[str, Any]) -> None:
    """What an older form left unsaid."""
    if "agent_name" in attributes or "all_messages_events" in attributes or "pydantic_ai.all_messages" in attributes:
        attributes["gen_ai.operation.name"] = "invoke_agent"
    elif "gen_ai.tool.name" in attributes:
        attributes["gen_ai.operation.name"] = "execute_tool"
    elif "request_data" in attributes and "gen_ai.request.model" in attributes:
        is_embedding = "embedding" in str(attributes["gen_ai.request.model"])
        attributes["gen_ai.operation.name"] = "embeddings" if is_embedding else "chat"


def _read_events(attributes: dict[str, Any]) -> None:
    events = decoded(attributes.pop("events"))
    items = [item for item in events if isinstance(item, dict)] if isinstance(events, list) else []
    inputs, outputs = messages_of_events((str(item.get("event.name")), item, {}) for item in items)
    put(attributes, "gen_ai.input.messages", inputs or None)
    put(attributes, "gen_ai.output.messages", outputs or None)


def _read_client(attributes: dict[str, Any]) -> None:
    """Logfire's `request_data` and `response_data`, the latter of which is the response without its envelope."""
    request, response = decoded_map(attributes.pop("request_data")), decoded_map(attributes.pop("response_data", None))
    translation.put_parameters(attributes, request)
    failed = (count_of(attributes.get("logfire.level_num")) or 0) >= _ERROR_LEVEL
    answered = response or "gen_ai.output.messages" in attributes or "gen_ai.usage.raw" in attributes
    if attributes.get("logfire.span_type") == "span" and not answered and not failed:
        # It was a stream: this span ended when the answer began, and the record that follows at its end is the call.
        translation.set_operation(attributes, "open_stream")
    text = response.get("combined_chunk_content")
    translation.put_content(attributes, request, response if text is None else text)
