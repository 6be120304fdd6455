"""Langfuse's attributes as columns."""

import json
from typing import Any

import pytest

from penstock.formats.genai import GenAiSpan
from penstock.records.span import SpanKind
from tests.formats.reading import read_span

START = 1_795_416_239_000_000_000
PREFIX = "langfuse.observation."


def read(kind: str, name: str = "span", **attributes: Any) -> GenAiSpan:
    given = {f"{PREFIX}{key.replace('__', '.')}": value for key, value in attributes.items()}
    return read_span({f"{PREFIX}type": kind, **given}, name, START)


def test_the_type_tells_the_kind() -> None:
    kinds = {
        "generation": SpanKind.INFERENCE, "embedding": SpanKind.EMBEDDING, "retriever": SpanKind.RETRIEVAL,
        "tool": SpanKind.TOOL, "agent": SpanKind.AGENT, "span": SpanKind.OTHER, "chain": SpanKind.OTHER, "event": SpanKind.OTHER,
    }  # fmt: skip
    assert {kind: read(kind).kind for kind in kinds} == kinds


def test_values_encoded_twice_are_what_they_hold() -> None:
    found = read_span(
        {
            f"{PREFIX}type": "generation",
            f"{PREFIX}input": json.dumps([{"role": "user", "content": "Hi"}]),
            f"{PREFIX}output": '"Yes"',
            f"{PREFIX}metadata.finish_reason": '"length"',
            f"{PREFIX}completion_start_time": '"2026-11-23T06:43:59.500000Z"',
            f"{PREFIX}model.parameters": '{"max_tokens": "Infinity", "temperature": 0.2}',
            f"{PREFIX}prompt.name": '"greeting"',
            f"{PREFIX}cost_details": '{"input": 0.1, "total": 0.3}',
            "langfuse.trace.metadata.segment": '"pro"',
            "langfuse.trace.tags": ["prod"],
        },
        "refund",
        START,
    )
    columns = found.columns
    assert (columns["prompt_text"], columns["response_text"], columns["finish_reason"]) == ("Hi", "Yes", "length")
    assert (columns["segment"], columns["tags"], columns["prompt_name"], columns["cost"]) == (
        "pro",
        {"prod": "true"},
        "greeting",
        0.3,
    )
    assert columns["first_token_ms"] == pytest.approx(500.0)
    assert json.loads(columns["parameters"]) == {"temperature": 0.2}


def test_what_its_usage_takes_apart_is_put_together_again() -> None:
    apart = '{"input": 18, "output": 9, "total": 33, "input_cache_read": 4, "output_reasoning": 2}'
    whole = '{"input": 22, "output": 11, "total": 33}'
    for usage in (apart, whole):
        columns = read("generation", usage_details=usage).columns
        assert (columns["input_tokens"], columns["output_tokens"]) == (22, 11)


def test_tools_on_offer_among_the_messages_are_no_messages() -> None:
    offered = {"type": "function", "function": {"name": "look", "parameters": {}}}
    given = [{"role": "user", "content": "Hi"}, {"role": "tool", "content": offered}]
    columns = read("generation", input=json.dumps(given)).columns
    assert [message["role"] for message in json.loads(columns["input_messages"])] == ["user"]
    assert json.loads(columns["parameters"])["tools"][0]["name"] == "look"
    with_tools = {"messages": [{"role": "user", "content": "Hi"}], "tools": [offered]}
    assert json.loads(read("generation", input=json.dumps(with_tools)).columns["parameters"])["tools"][0]["name"] == "look"


def test_a_failed_call_names_what_it_asked_for_and_that_it_failed() -> None:
    columns = read("generation", level="ERROR", model__name="m").columns
    assert (columns["request_model"], columns.get("response_model"), columns["error_type"]) == ("m", None, "error")


def test_tools_retrievers_and_evaluators() -> None:
    tool = read("tool", "look", input='{"a": 1}', output="7").rest
    assert (tool["gen_ai.tool.name"], tool["gen_ai.tool.call.arguments"], tool["gen_ai.tool.call.result"]) == (
        "look",
        '{"a": 1}',
        "7",
    )
    documents = json.loads(read("retriever", output='[{"id": "kb1", "content": "text"}]').columns["retrieved_documents"])
    assert documents == [{"id": "kb1", "content": "text"}]
    assert read("evaluator").columns["exposure"] == "judge"


def test_ids_that_its_handlers_put_into_metadata_are_columns() -> None:
    columns = read("generation", metadata__langfuse_session_id="s1", metadata__langfuse_user_id="jane").columns
    assert (columns["session_id"], columns["user_id"], columns.get("keys")) == ("s1", "jane", None)


def test_the_fields_of_a_streamed_response_are_not_the_users_metadata() -> None:
    fields = {"id": "resp_1", "object": "response", "status": "completed", "temperature": 0.5, "tool_choice": "auto", "flag": "a"}
    read_back = read_span(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.output": '[{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]',
            **{
                f"langfuse.observation.metadata.{name}": value if isinstance(value, str) else json.dumps(value)
                for name, value in fields.items()
            },
        },
        "span",
        1,
    )
    columns = read_back.columns
    assert (columns["response_id"], columns["finish_reason"]) == ("resp_1", "tool_call")
    assert json.loads(columns["parameters"]) == {"temperature": 0.5, "tool_choice": "auto"}
    assert columns["tags"] == {"flag": "a"} and "keys" not in columns


def test_cached_tokens_that_exceed_the_input_are_beside_it() -> None:
    def tokens(**usage: int) -> int:
        attributes = {"langfuse.observation.type": "generation", "langfuse.observation.usage_details": json.dumps(usage)}
        return int(read_span(attributes, "span", 1).columns["input_tokens"])

    assert tokens(input=10, output=5, cache_read_input_tokens=3000) == 3010
    assert tokens(input=4000, output=5, cache_read_input_tokens=3000) == 4000
