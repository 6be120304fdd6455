"""pydantic-ai's and Logfire's attributes as columns."""

import json

from penstock.records.span import SpanKind
from tests.formats.reading import read_span


def test_the_first_form_has_its_messages_in_a_list_of_events() -> None:
    events = [
        {"event.name": "gen_ai.system.message", "content": "Be brief.", "role": "system", "gen_ai.message.index": 0},
        {"event.name": "gen_ai.user.message", "content": "Hi", "role": "user", "gen_ai.message.index": 0},
        {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "content": "Yes"}},
    ]
    attributes = {"model_request_parameters": "{}", "events": json.dumps(events), "gen_ai.operation.name": "chat"}
    read = read_span({**attributes, "gen_ai.usage.details.reasoning_tokens": 2, "operation.cost": 0.5}, "chat m", 1)
    columns = read.columns
    assert (columns["prompt_text"], columns["response_text"]) == ("Hi", "Yes")
    assert json.loads(columns["system_instructions"]) == [{"type": "text", "content": "Be brief."}]
    assert (columns["reasoning_tokens"], columns["cost"]) == (2, 0.5)


def test_agents_and_tools_of_older_forms_name_no_operation() -> None:
    agent = {"agent_name": "a", "all_messages_events": "[]", "gen_ai.usage.input_tokens": 70}
    assert read_span(agent, "agent run", 1).kind == SpanKind.AGENT
    tool = {"logfire.msg": "running tool: look", "gen_ai.tool.name": "look", "tool_arguments": '{"a": 1}', "tool_response": "7"}
    read = read_span(tool, "running tool", 1)
    assert (read.kind, read.rest["gen_ai.tool.call.result"]) == (SpanKind.TOOL, "7")


def test_tools_on_offer_are_read_where_only_the_request_names_them() -> None:
    offered = {"function_tools": [{"name": "look", "parameters_json_schema": {"type": "object"}, "description": "Look"}]}
    attributes = {"model_request_parameters": json.dumps(offered), "gen_ai.operation.name": "chat"}
    (tool,) = json.loads(read_span(attributes, "chat m", 1).columns["parameters"])["tools"]
    assert tool == {"type": "function", "name": "look", "description": "Look", "parameters": {"type": "object"}}


def test_logfires_request_and_response() -> None:
    attributes = {
        "request_data": '{"messages": [{"role": "user", "content": "Hi"}], "model": "m", "temperature": 0.5, "user": "jane"}',
        "response_data": '{"message": {"role": "assistant", "content": "Yes"}, "usage": {"prompt_tokens": 3}}',
        "gen_ai.request.model": "m",
        "gen_ai.response.finish_reasons": '["stop"]',
        "logfire.span_type": "span",
    }
    read = read_span(attributes, "Chat Completion", 1)
    columns = read.columns
    assert read.kind == SpanKind.INFERENCE
    assert (columns["prompt_text"], columns["response_text"], columns["finish_reason"]) == ("Hi", "Yes", "stop")
    assert (columns["input_tokens"], columns["user_id"]) == (3, "jane")
    assert "jane" not in str(read.rest)


def test_a_stream_of_logfire_is_one_call_however_many_records_it_has() -> None:
    opened = {"request_data": '{"model": "m"}', "gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    ended = {**opened, "logfire.span_type": "log", "response_data": '{"combined_chunk_content": "Yes", "chunk_count": 3}'}
    records = [
        {**opened, "logfire.span_type": "pending_span"},
        {**opened, "logfire.span_type": "span"},
        ended,
        {**opened, "logfire.span_type": "span", "logfire.level_num": 17},  # another one, which failed
    ]
    kinds = [read_span(record, "Chat Completion", 1).kind for record in records]
    assert kinds == [SpanKind.OTHER, SpanKind.OTHER, SpanKind.INFERENCE, SpanKind.INFERENCE]
    assert read_span(ended, "streaming response", 1).columns["response_text"] == "Yes"
