"""The tools that a model was offered, as the newest convention describes them: type, name, description, parameters."""

from collections.abc import Mapping
from typing import Any

from penstock.formats.json_value import decoded

_SCHEMAS = ("parameters", "inputSchema", "input_schema", "parameters_json_schema", "json_schema")


def read_tools(value: Any) -> list[dict[str, Any]] | None:
    """Tool definitions in any form, a list or the JSON of one; None where there is none to be read."""
    items = decoded(value)
    if isinstance(items, Mapping):
        items = [items]
    if not isinstance(items, list):
        return None
    tools = [tool for item in items if (tool := _tool(decoded(item))) is not None]
    return tools or None


def _tool(item: Any) -> dict[str, Any] | None:
    """OpenAI and Bedrock nest the function, Anthropic and the AI SDK name the schema otherwise, some store its JSON."""
    if not isinstance(item, Mapping):
        return None
    function = item.get("function") or item.get("toolSpec")
    inner: Mapping[str, Any] = function if isinstance(function, Mapping) else item
    schema = next((decoded(inner[name]) for name in _SCHEMAS if inner.get(name) is not None), None)
    tool = {
        "type": item.get("type") or "function",
        "name": inner.get("name"),
        "description": inner.get("description"),
        "parameters": schema,
    }
    if tool["name"] is None:
        return dict(item)
    return {name: value for name, value in tool.items() if value is not None}
