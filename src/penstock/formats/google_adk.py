"""Google's Agent Development Kit: the newest names, beside which request and response are one JSON string each, in Gemini's form.

Its span `call_llm` names no operation. Newer versions have a `generate_content` within, which then is the call.
"""

from collections.abc import Mapping
from typing import Any

from penstock.formats import translation
from penstock.formats.aliases import provider, usage_columns
from penstock.formats.genai import RAW
from penstock.formats.json_value import decoded_map
from penstock.formats.translation import put

DIALECT = "google-adk"
_REQUEST, _RESPONSE = "gcp.vertex.agent.llm_request", "gcp.vertex.agent.llm_response"
_ARGUMENTS, _RESULT = "gcp.vertex.agent.tool_call_args", "gcp.vertex.agent.tool_response"
_SESSION = "gcp.vertex.agent.session_id"
MARKERS = (_REQUEST, _RESPONSE, _ARGUMENTS, _RESULT, _SESSION)

_ITSELF = "gcp.vertex.agent"
_GOOGLE, _VERTEX = "gcp.gen_ai", "gcp.vertex_ai"  # any endpoint of Google's, since the name does not tell which; Vertex AI
_MODELS = {"gemini": _GOOGLE, "gemma": _GOOGLE, "claude": "anthropic"}
# What a resource's path begins with, which says where a model lies.
_COLLECTIONS = {"projects": _VERTEX, "publishers": _VERTEX, "endpoints": _VERTEX, "models": _GOOGLE, "tunedmodels": _GOOGLE}

_NOTHING = "{}"  # what stands where content is off, or where there is none
_UNKNOWN = "<not specified>"
_MERGED = "(merged tools)"  # a span that repeats what the tools of one turn gave back


def translate(attributes: dict[str, Any], _name: str) -> None:
    """Rewrite the span's attributes to the newest GenAI names."""
    put(attributes, "gen_ai.conversation.id", attributes.pop(_SESSION, None))
    _name_provider(attributes)
    if attributes.get("gen_ai.operation.name") == "execute_tool":
        _read_tool(attributes)
    elif attributes.get("gen_ai.request.model"):
        put(attributes, "gen_ai.operation.name", "generate_content")
        _read_request(attributes, _take(attributes, _REQUEST, "contents"))
        _read_response(attributes, _take(attributes, _RESPONSE, "content"))


def _name_provider(attributes: dict[str, Any]) -> None:
    """Who serves the model, which its name tells; the framework names itself."""
    model = attributes.get("gen_ai.request.model")
    found = _provider(model) if attributes.get("gen_ai.system") == _ITSELF and isinstance(model, str) else None
    if found is not None and "gen_ai.provider.name" not in attributes:
        attributes["gen_ai.system"], attributes[RAW + "provider"] = found, _ITSELF


def _provider(model: str) -> str | None:
    prefix, slash, _ = model.partition("/")
    if slash:
        return _COLLECTIONS.get(prefix.lower()) or provider(prefix)  # LiteLLM's `provider/model`
    return next((vendor for begins, vendor in _MODELS.items() if model.startswith(begins)), None)


def _take(attributes: dict[str, Any], name: str, field: str) -> dict[str, Any]:
    """The object with this field; one that was cut short or could not be written stays an attribute."""
    found = decoded_map(attributes.get(name))
    if field in found or attributes.get(name) == _NOTHING:
        del attributes[name]
    return found if field in found else {}


def _read_request(attributes: dict[str, Any], request: dict[str, Any]) -> None:
    config = decoded_map(request.get("config"))
    translation.put_parameters(attributes, {**config, "tools": _declarations(config.get("tools"))})
    instructions = translation.messages_of(config.get("system_instruction"), "system")
    put(attributes, "gen_ai.system_instructions", [part for message in instructions for part in message["parts"]] or None)
    put(attributes, "gen_ai.input.messages", translation.messages_of(request.get("contents"), "user") or None)


def _declarations(tools: Any) -> list[Any]:
    """Each function on offer; Gemini puts several into one tool."""
    found = [tool for tool in tools if isinstance(tool, Mapping)] if isinstance(tools, list) else []
    return [declared for tool in found for declared in tool.get("function_declarations") or [tool]]


def _read_response(attributes: dict[str, Any], response: dict[str, Any]) -> None:
    answer = {name: response.get(name) for name in ("content", "finish_reason")}
    put(attributes, "gen_ai.output.messages", translation.messages_of(answer, "assistant") or None)
    facts = {"response_model": response.get("model_version"), "finish_reason": response.get("finish_reason")}
    translation.put_facts(attributes, {**usage_columns(response.get("usage_metadata")), **facts})


def _read_tool(attributes: dict[str, Any]) -> None:
    for name in (_REQUEST, _RESPONSE):
        attributes.pop(name, None)  # of no model call
    if attributes.get("gen_ai.tool.name") == _MERGED:
        translation.set_operation(attributes, "merge_tools")
        return
    if attributes.get("gen_ai.tool.call.id") == _UNKNOWN:
        del attributes["gen_ai.tool.call.id"]
    arguments, result = attributes.pop(_ARGUMENTS, None), attributes.pop(_RESULT, None)
    if result != _NOTHING:
        is_unknown = decoded_map(result).get("result") == _UNKNOWN
        translation.put_tool(attributes, None, arguments, None if is_unknown else result)
