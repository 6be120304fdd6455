"""The Vercel AI SDK's own form (`ai.*`); its newer one is plain GenAI.

`ai.generateText` and its like wrap one call per step, `.doGenerate` or `.doStream`, which alone is the call.
"""

from typing import Any

from penstock.formats import translation
from penstock.formats.aliases import parameter, real_of
from penstock.formats.json_value import decoded
from penstock.formats.translation import put

DIALECT = "vercel-ai"
MARKERS = ("ai.operationId", "ai.model.id", "ai.toolCall.name")

_CALLS = (".doGenerate", ".doStream")
_SETTINGS = "ai.settings."
_ANSWER = ("ai.response.text", "ai.response.toolCalls", "ai.response.reasoning", "ai.response.object", "ai.response.files")
_OLD_ANSWER = {"ai.result.text": "ai.response.text", "ai.result.toolCalls": "ai.response.toolCalls",
               "ai.result.object": "ai.response.object"}  # fmt: skip


def translate(attributes: dict[str, Any], name: str) -> None:
    """Rewrite the span's attributes to the newest GenAI names."""
    operation = str(attributes.pop("ai.operationId", None) or name.partition(" ")[0])
    if operation.endswith(_CALLS):
        put(attributes, "gen_ai.operation.name", "chat")
        _read_call(attributes)
    elif operation.endswith(".doEmbed"):
        put(attributes, "gen_ai.operation.name", "embeddings")
    elif operation == "ai.toolCall":
        put(attributes, "gen_ai.operation.name", "execute_tool")
        put(attributes, "gen_ai.tool.call.id", attributes.pop("ai.toolCall.id", None))
        arguments, result = attributes.pop("ai.toolCall.args", None), attributes.pop("ai.toolCall.result", None)
        translation.put_tool(attributes, attributes.pop("ai.toolCall.name", None), arguments, result)
    else:
        put(attributes, "gen_ai.operation.name", operation)
    embeddings = attributes.pop("ai.embeddings", None) or attributes.pop("ai.embedding", None)
    if embeddings:
        vector = decoded(embeddings[0] if isinstance(embeddings, list) else embeddings)
        put(attributes, "gen_ai.embeddings.dimension.count", len(vector) if isinstance(vector, list) else None)


def _read_call(attributes: dict[str, Any]) -> None:
    for old, new in _OLD_ANSWER.items():
        put(attributes, new, attributes.pop(old, None))
    for name in [name for name in attributes if name.startswith(_SETTINGS)]:
        known = parameter(name[len(_SETTINGS) :])
        if known is not None:
            put(attributes, f"gen_ai.request.{known}", attributes.pop(name))
    for name in ("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk"):
        milliseconds = real_of(attributes.pop(name, None))
        put(attributes, "gen_ai.response.time_to_first_chunk", None if milliseconds is None else milliseconds / 1000.0)
    put(attributes, "gen_ai.tool.definitions", attributes.pop("ai.prompt.tools", None))
    given = attributes.pop("ai.prompt.messages", None) or attributes.pop("ai.prompt", None)
    put(attributes, "gen_ai.input.messages", translation.messages_of(given, "user") or None)
    put(attributes, "gen_ai.output.messages", _answer({name: attributes.pop(name, None) for name in _ANSWER}, attributes))


def _answer(found: dict[str, Any], attributes: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The pieces of the answer as one message; an object that was asked for is the answer's text."""
    if not any(found.values()):
        return None
    text = found["ai.response.text"] or found["ai.response.object"]
    message: dict[str, Any] = {"role": "assistant", "content": text, "tool_calls": found["ai.response.toolCalls"]}
    reasoning = found["ai.response.reasoning"]
    message["reasoning"] = reasoning if isinstance(reasoning, str) else None
    reason = attributes.get("ai.response.finishReason") or attributes.get("ai.finishReason")
    return [{**item, **({"finish_reason": reason} if reason else {})} for item in translation.messages_of([message], "assistant")]
