"""Which dialect a span speaks, and that whatever it says, it is read."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.formats import aliases, google_adk, langfuse, langsmith, mlflow, openinference, openllmetry, pydantic_ai, vercel_ai
from penstock.formats.dialects import read_span
from penstock.records.span import SpanKind

START = 1_700_000_000_000_000_000


@pytest.mark.parametrize(
    ("attributes", "dialect"),
    [
        ({}, "none"),
        ({"http.request.method": "POST"}, "none"),
        ({"gen_ai.provider.name": "openai"}, "genai"),
        ({"gen_ai.system": "openai"}, "genai-legacy"),
        ({"gen_ai.prompt": "[]", "gen_ai.system": "openai"}, "genai-legacy"),
        ({"openinference.span.kind": "LLM"}, "openinference"),
        ({"gen_ai.prompt.0.role": "user", "gen_ai.system": "OpenAI"}, "openllmetry"),
        ({"gen_ai.is_streaming": False, "gen_ai.provider.name": "openai"}, "openllmetry"),
        ({"ai.operationId": "ai.generateText", "gen_ai.system": "openai.chat"}, "vercel-ai"),
        ({"logfire.msg": "x", "gen_ai.provider.name": "openai"}, "pydantic-ai"),
        ({"langfuse.observation.type": "generation", "gen_ai.system": "openai"}, "langfuse"),
        ({"langsmith.span.kind": "llm", "gen_ai.prompt": "{}", "gen_ai.system": "openai"}, "langsmith"),
        ({"mlflow.spanType": '"LLM"'}, "mlflow"),
        ({"llm.something": "new"}, "unknown"),
        ({"lk.agent": "x"}, "unknown"),
        ({"gcp.vertex.agent.llm_request": "{}", "gen_ai.system": "gcp.vertex.agent", "logfire.msg": "call_llm"}, "google-adk"),
        ({"gcp.vertex.agent.event_id": "e", "gen_ai.system": "gemini"}, "genai-legacy"),
    ],
)
def test_the_attributes_tell_the_dialect(attributes: dict[str, Any], dialect: str) -> None:
    assert read_span(attributes, "span", START).dialect == dialect


def test_attributes_are_left_as_they_were() -> None:
    attributes = {"openinference.span.kind": "LLM", "llm.model_name": "m", "metadata": "{}"}
    read_span(attributes, "span", START)
    assert attributes == {"openinference.span.kind": "LLM", "llm.model_name": "m", "metadata": "{}"}


_MODULES = (google_adk, langfuse, langsmith, mlflow, openinference, openllmetry, vercel_ai, pydantic_ai)
_NAMES = [
    *(marker for module in _MODULES for marker in module.MARKERS), *aliases.ATTRIBUTES, "gen_ai.prompt", "gen_ai.completion",
    "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions", "events",
    "llm.input_messages.0.message", "llm.input_messages.0.message.contents.0.message_content.type", "llm.prompts.0",
    "llm.output_messages.0.message.tool_calls.0.tool_call.id", "llm.tools.0.tool", "retrieval.documents.0", "output.value",
    "retrieval.documents.0.document.metadata", "embedding.embeddings.0.embedding.vector", "input.value", "metadata", "tag.tags",
    "llm.invocation_parameters", "gen_ai.prompt.0.tool_calls.0.id", "langfuse.observation.input", "langfuse.observation.output",
    "langfuse.observation.usage_details", "langfuse.observation.model.parameters", "langfuse.observation.metadata",
    "langfuse.observation.completion_start_time", "langfuse.trace.tags", "mlflow.spanInputs", "mlflow.spanOutputs",
    "mlflow.chat.tokenUsage", "mlflow.linkedPrompts", "mlflow.llm.cost", "langsmith.span.tags", "request_data", "response_data",
    "langsmith.metadata.usage_metadata", "ai.prompt.messages", "ai.response.toolCalls", "ai.embeddings", "ai.prompt.tools",
    "tool_arguments", "model_request_parameters", "penstock.exposure", "penstock.key.a", "baggage.user_id", "ticket_id",
]  # fmt: skip
_KEYS = st.sampled_from(
    [
        "role", "content", "parts", "type", "messages", "generations", "choices", "message", "kwargs", "data", "tool_calls", "id",
        "function", "arguments", "name", "output", "input", "usage", "documents", "metadata", "finish_reason", "text", "image",
        "source", "candidates", "system", "function_call", "event.name", "summary", "tools", "model",
    ]
)  # fmt: skip
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["user", "tool", "text", "tool_call", "tool_result", "reasoning", "image", "ai", "gen_ai.choice", "[", '"x"']
    ),
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=4)), max_leaves=10
)
_KINDS = st.sampled_from(["LLM", "EMBEDDING", "RETRIEVER", "TOOL", "generation", "retriever", "tool", "llm", "ai.x.doGenerate"])
_ATTRIBUTES = st.one_of(_VALUES, _KINDS, _VALUES.map(json.dumps), _VALUES.map(json.dumps).map(json.dumps))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(_NAMES), _ATTRIBUTES, max_size=8))
def test_whatever_a_span_says_it_is_read_and_what_is_kept_is_well_formed(attributes: dict[str, Any]) -> None:
    read = read_span(attributes, "span", START)
    assert isinstance(read.kind, SpanKind)
    assert all(isinstance(value, str) for value in read.rest.values())
    for column in ("input_messages", "output_messages", "tool_calls", "parameters", "system_instructions"):
        if read.columns.get(column) is not None:
            json.loads(read.columns[column])
    for column in ("tags", "keys"):
        assert all(isinstance(value, str) for value in read.columns.get(column, {}).values())
    assert not [problem for problem in read.problems if "misshapen" in problem]


OPENLLMETRY = {
    "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Write a haiku",
    "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "A haiku",
}  # fmt: skip
OPENINFERENCE = {
    "openinference.span.kind": "LLM", "llm.model_name": "m",
    "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "Write a haiku",
    "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": "A haiku",
}  # fmt: skip


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ({"langsmith.span.kind": "LLM", "langsmith.metadata.user_id": "u1"}, OPENLLMETRY),  # as LangSmith's guide has it
        ({"langfuse.observation.type": "generation", "user.id": "u1"}, OPENLLMETRY),
        ({"langfuse.observation.type": "generation", "user.id": "u1"}, OPENINFERENCE),
        ({"mlflow.spanType": '"CHAT_MODEL"', "user.id": "u1"}, OPENINFERENCE),
    ],
)
def test_what_one_dialect_does_not_say_is_read_of_another_on_the_same_span(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    read = read_span({**outer, **inner}, "span", START)
    assert read.kind == SpanKind.INFERENCE and read.problems == []
    assert json.loads(read.columns["input_messages"])[0]["parts"][0]["content"] == "Write a haiku"
    assert json.loads(read.columns["output_messages"])[0]["parts"][0]["content"] == "A haiku"
    assert read.columns["user_id"] == "u1"
    assert ("llm.model_name" in inner) == ("request_model" in read.columns)
    assert not [name for name in read.rest if name.startswith(("gen_ai.prompt.", "llm.input_messages"))]


def test_what_one_dialect_says_stands_whatever_another_says() -> None:
    said = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.input": '"Hi"',
        "langfuse.observation.output": '"Yes"',
    }
    columns = read_span({**said, **OPENLLMETRY}, "span", START).columns
    assert "Write a haiku" not in columns["input_messages"]
    assert read_span({"langsmith.span.kind": "chain", **OPENLLMETRY}, "span", START).kind == SpanKind.OTHER
