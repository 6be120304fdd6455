"""The AI SDK's own attributes as columns."""

import json
from typing import Any

from penstock.formats.genai import GenAiSpan
from penstock.records.span import SpanKind
from tests.formats.reading import read_span


def read(operation: str, **attributes: Any) -> GenAiSpan:
    return read_span({"ai.operationId": operation, **attributes}, operation, 1)


def test_only_what_calls_the_model_is_a_call() -> None:
    kinds = {
        "ai.generateText": SpanKind.OTHER, "ai.generateText.doGenerate": SpanKind.INFERENCE, "ai.streamText": SpanKind.OTHER,
        "ai.streamText.doStream": SpanKind.INFERENCE, "ai.generateObject.doGenerate": SpanKind.INFERENCE,
        "ai.embed": SpanKind.OTHER, "ai.embedMany.doEmbed": SpanKind.EMBEDDING, "ai.toolCall": SpanKind.TOOL,
    }  # fmt: skip
    assert {operation: read(operation).kind for operation in kinds} == kinds


def test_a_stream_in_an_older_spelling() -> None:
    call = {"toolCallId": "c1", "toolName": "look", "args": {"a": 1}}
    found = read(
        "ai.streamText.doStream",
        **{
            "ai.prompt.messages": json.dumps([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]),
            "ai.response.text": "Yes",
            "ai.response.toolCalls": json.dumps([call]),
            "ai.response.finishReason": "tool-calls",
            "ai.response.msToFirstChunk": 12.5,
            "ai.usage.promptTokens": 3,
            "ai.usage.completionTokens": 4,
            "ai.settings.maxTokens": 100,
            "ai.settings.maxRetries": 2,
            "ai.model.provider": "anthropic.messages",
            "ai.model.id": "claude",
            "ai.telemetry.metadata.userId": "jane",
            "ai.telemetry.metadata.sessionId": "s1",
            "ai.telemetry.metadata.plan": "gold",
            "ai.prompt.tools": ['{"type": "function", "name": "look", "inputSchema": {"type": "object"}}'],
        },
    )
    columns = found.columns
    assert (columns["prompt_text"], columns["response_text"], columns["finish_reason"]) == ("Hi", "Yes", "tool_call")
    assert (columns["first_token_ms"], columns["input_tokens"], columns["output_tokens"]) == (12.5, 3, 4)
    assert (columns["provider"], columns["request_model"]) == ("anthropic", "claude")
    assert (columns["user_id"], columns["session_id"], columns["tags"]) == ("jane", "s1", {"plan": "gold"})
    assert json.loads(columns["tool_calls"]) == [{"id": "c1", "name": "look", "arguments": {"a": 1}}]
    tools = [{"type": "function", "name": "look", "parameters": {"type": "object"}}]
    assert json.loads(columns["parameters"]) == {"max_tokens": 100, "tools": tools}
    assert found.rest["ai.settings.maxRetries"] == "2"


def test_an_object_that_was_asked_for_is_the_answers_text() -> None:
    columns = read("ai.generateObject.doGenerate", **{"ai.response.object": '{"city": "Paris"}'}).columns
    assert columns["response_text"] == '{"city": "Paris"}'


def test_a_tool_call_and_vectors() -> None:
    attributes = {"ai.toolCall.name": "look", "ai.toolCall.id": "c1", "ai.toolCall.args": "{}", "ai.toolCall.result": "7"}
    tool = read("ai.toolCall", **attributes).rest
    assert (tool["gen_ai.tool.name"], tool["gen_ai.tool.call.id"], tool["gen_ai.tool.call.result"]) == ("look", "c1", "7")
    found = read("ai.embedMany.doEmbed", **{"ai.embeddings": [json.dumps([0.25] * 512)], "ai.usage.tokens": 3})
    assert (found.rest["gen_ai.embeddings.dimension.count"], found.columns["input_tokens"]) == ("512", 3)
    assert "0.25" not in str(found.rest)
