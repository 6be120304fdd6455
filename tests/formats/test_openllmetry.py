"""OpenLLMetry's attributes as columns, old and new."""

import json

from penstock.records.span import SpanKind
from tests.formats.reading import read_span


def test_flattened_messages_are_put_together() -> None:
    read = read_span(
        {
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": '[{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "https://e.com/a"}}]',
            "gen_ai.prompt.1.role": "assistant",
            "gen_ai.prompt.1.tool_calls.0.id": "c1",
            "gen_ai.prompt.1.tool_calls.0.name": "look",
            "gen_ai.prompt.1.tool_calls.0.arguments": "{}",
            "gen_ai.prompt.2.role": "tool",
            "gen_ai.prompt.2.tool_call_id": "c1",
            "gen_ai.prompt.2.content": '[{"type": "row"}]',
            "gen_ai.completion.0.finish_reason": "stop",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "A cat.",
            "llm.is_streaming": True,
            "llm.user": "jane",
            "traceloop.association.properties.session_id": "s1",
            "traceloop.association.properties.ticket_id": "T-1",
            "llm.headers": "None",
        },
        "openai.chat",
        1,
    )  # fmt: skip
    columns = read.columns
    assert read.kind == SpanKind.INFERENCE
    assert (columns["prompt_text"], columns["response_text"], columns["finish_reason"]) == ("What is this?", "A cat.", "stop")
    assert [message["role"] for message in json.loads(columns["input_messages"])] == ["user", "assistant", "tool"]
    assert json.loads(columns["input_messages"])[2]["parts"][0]["response"] == '[{"type": "row"}]'
    assert json.loads(columns["parameters"]) == {"stream": True}
    assert (columns["provider"], read.rest["penstock.raw.provider"]) == ("openai", "OpenAI")
    assert (columns["user_id"], columns["session_id"], columns["keys"]) == ("jane", "s1", {"ticket_id": "T-1"})
    assert "llm.headers" not in read.rest


def test_wrappers_and_helpers_are_told_apart() -> None:
    kinds = {"workflow": SpanKind.OTHER, "task": SpanKind.OTHER, "agent": SpanKind.AGENT, "tool": SpanKind.TOOL}
    assert {kind: read_span({"traceloop.span.kind": kind}, "x", 1).kind for kind in kinds} == kinds
    requests = {"completion": SpanKind.INFERENCE, "embedding": SpanKind.EMBEDDING, "rerank": SpanKind.OTHER}
    assert {kind: read_span({"llm.request.type": kind}, "x", 1).kind for kind in requests} == requests


def test_a_tool_of_a_workflow_says_what_it_did() -> None:
    attributes = {"traceloop.span.kind": "tool", "traceloop.entity.name": "look", "traceloop.entity.input": '{"a": 1}',
                  "traceloop.entity.output": "7"}  # fmt: skip
    rest = read_span(attributes, "look.tool", 1).rest
    assert (rest["gen_ai.tool.name"], rest["gen_ai.tool.call.result"]) == ("look", "7")


def test_thinking_is_a_part_of_the_answer_that_it_led_to() -> None:
    columns = read_span(
        {
            "llm.request.type": "chat",
            "gen_ai.completion.0.finish_reason": "tool_use",
            "gen_ai.completion.0.role": "thinking",
            "gen_ai.completion.0.content": "Hm.",
            "gen_ai.completion.1.role": "assistant",
            "gen_ai.completion.1.content": "4",
            "gen_ai.completion.1.tool_calls.0.id": "t1",
            "gen_ai.completion.1.tool_calls.0.name": "f",
        },
        "span",
        1,
    ).columns
    (answer,) = json.loads(columns["output_messages"])
    assert [part["type"] for part in answer["parts"]] == ["reasoning", "text", "tool_call"]
    assert (columns["response_text"], columns["finish_reason"]) == ("4", "tool_call")
    assert json.loads(columns["tool_calls"])[0]["id"] == "t1"


def test_thinking_alone_is_no_text() -> None:
    columns = read_span({"gen_ai.completion.0.role": "thinking", "gen_ai.completion.0.content": "Hm."}, "span", 1).columns
    assert "response_text" not in columns and json.loads(columns["output_messages"])[0]["role"] == "assistant"


def test_what_the_user_said_stands_under_user_in_anthropics_completions() -> None:
    assert read_span({"llm.request.type": "completion", "gen_ai.prompt.0.user": "Hi"}, "span", 1).columns["prompt_text"] == "Hi"


def test_pieces_of_bedrock_were_put_down_as_json() -> None:
    said = {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": '[{"text": "Hi"}]'}
    assert read_span(said, "span", 1).columns["prompt_text"] == "Hi"
    names = {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": '[{"name": "Bob"}]'}
    assert read_span(names, "span", 1).columns["prompt_text"] == '[{"name": "Bob"}]'


def test_litellms_calls_stand_beside_the_parts_and_its_functions_are_operations() -> None:
    called = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}
    given = [
        {"role": "user", "parts": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "https://e.com/a"}}]},
        {"role": "assistant", "parts": [{"type": "text", "content": ""}], "tool_calls": [called]},
        {"role": "tool", "parts": [{"type": "text", "content": "a cat"}], "tool_call_id": "c1"},
    ]  # fmt: skip
    read = read_span(
        {
            "gen_ai.operation.name": "acompletion",
            "llm.request.type": "acompletion",
            "llm.is_streaming": "True",
            "gen_ai.cost.total_cost": 0.01,
            "gen_ai.input.messages": json.dumps(given),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [], "tool_calls": [called]}]),
            "gen_ai.system_instructions": json.dumps([{"role": "system", "parts": [{"type": "text", "content": "Be brief."}]}]),
        },
        "litellm_request",
        1,
    )
    columns = read.columns
    assert (read.kind, columns["operation"], read.rest["penstock.raw.operation"]) == (SpanKind.INFERENCE, "chat", "acompletion")
    assert (columns["prompt_text"], columns["cost"], columns["parameters"]) == ("What is this?", 0.01, '{"stream":true}')
    call = {"id": "c1", "name": "look", "arguments": {"a": 1}}
    assert json.loads(columns["tool_calls"]) == [call]
    assert [message["parts"] for message in json.loads(columns["input_messages"])][1:] == [
        [{"type": "tool_call", **call}],
        [{"type": "tool_call_response", "id": "c1", "response": "a cat"}],
    ]
    assert json.loads(columns["system_instructions"]) == [{"type": "text", "content": "Be brief."}]


def test_litellms_completion_chats_also_where_its_content_is_off() -> None:
    attributes = {"llm.request.type": "completion", "llm.is_streaming": "False", "gen_ai.system": "openai"}
    assert read_span(attributes, "litellm_request", 1).columns["operation"] == "chat"
