"""What spans of Google's Agent Development Kit say."""

import json
from typing import Any

import pytest

from penstock.records.span import SpanKind
from tests.formats.reading import read_span

CALLED = {"function_call": {"id": "c1", "name": "look", "args": {"at": 1}}}
REQUEST = {
    "model": "gemini-2.5-flash",
    "config": {
        "system_instruction": "Be brief.",
        "temperature": 0.2,
        "max_output_tokens": 64,
        "tools": [
            {"function_declarations": [{"name": "look", "description": "d", "parameters": {"type": "OBJECT"}}, {"name": "go"}]}
        ],
    },
    "contents": [{"role": "user", "parts": [{"text": "Where?"}]}],
}
RESPONSE = {
    "content": {"role": "model", "parts": [{"text": "Let me look."}, CALLED]},
    "model_version": "gemini-2.5-flash-001",
    "finish_reason": "STOP",
    "usage_metadata": {"total_token_count": 7},
}
CALL: dict[str, Any] = {
    "gen_ai.system": "gcp.vertex.agent",
    "gen_ai.request.model": "gemini-2.5-flash",
    "gcp.vertex.agent.session_id": "s1",
}
ITSELF = {"penstock.raw.provider": "gcp.vertex.agent"}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look", "gcp.vertex.agent.llm_request": "{}"}


def test_the_call_is_read_from_its_request_and_its_response() -> None:
    said = {"gcp.vertex.agent.llm_request": json.dumps(REQUEST), "gcp.vertex.agent.llm_response": json.dumps(RESPONSE)}
    read = read_span({**CALL, **said}, "call_llm", 1)
    columns = read.columns
    assert (read.kind, read.dialect, columns["operation"]) == (SpanKind.INFERENCE, "google-adk", "generate_content")
    assert (columns["session_id"], columns["response_model"], columns["finish_reason"]) == ("s1", "gemini-2.5-flash-001", "stop")
    assert (columns["prompt_text"], columns["response_text"]) == ("Where?", "Let me look.")
    assert json.loads(columns["tool_calls"]) == [{"id": "c1", "name": "look", "arguments": {"at": 1}}]
    assert set(json.loads(columns["output_messages"])[0]) == {"role", "parts", "finish_reason"}
    assert json.loads(columns["system_instructions"]) == [{"type": "text", "content": "Be brief."}]
    parameters = json.loads(columns["parameters"])
    assert (parameters["temperature"], parameters["max_tokens"]) == (0.2, 64)
    assert [tool["name"] for tool in parameters["tools"]] == ["look", "go"]
    assert not read.rest.keys() & said.keys()


@pytest.mark.parametrize("said", [{}, {"gcp.vertex.agent.llm_request": "{}", "gcp.vertex.agent.llm_response": "{}"}])
def test_a_call_without_content_is_still_one(said: dict[str, str]) -> None:
    read = read_span({**CALL, **said}, "call_llm", 1)
    assert (read.kind, read.columns["content_present"], read.rest) == (SpanKind.INFERENCE, False, ITSELF)


def test_what_was_cut_short_stays_an_attribute() -> None:
    cut = {
        "gcp.vertex.agent.llm_request": '{"truncated": true, "payload_prefix": "{"}',
        "gcp.vertex.agent.llm_response": "<not serializable>",
    }
    read = read_span({**CALL, **cut}, "call_llm", 1)
    assert (read.columns["content_present"], read.rest) == (False, {**cut, **ITSELF})


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gemini-2.5-flash", "gcp.gen_ai"),
        ("models/gemini-2.5-flash", "gcp.gen_ai"),
        ("projects/p/locations/l/publishers/google/models/gemini-2.5-flash", "gcp.vertex_ai"),
        ("claude-sonnet-4-5", "anthropic"),
        ("openai/gpt-4o", "openai"),
        ("azure/gpt-4o", "azure.ai.openai"),
        ("my_vendor/m", "my_vendor"),
    ],
)
def test_the_models_name_tells_the_provider_and_the_frameworks_own_is_kept(model: str, provider: str) -> None:
    read = read_span({**CALL, "gen_ai.request.model": model}, "call_llm", 1)
    assert (read.columns["provider"], read.rest) == (provider, ITSELF)


def test_a_provider_that_is_said_stands_and_one_that_nothing_tells_stays() -> None:
    said = read_span({**CALL, "gen_ai.provider.name": "gcp.vertex_ai"}, "call_llm", 1)
    unknown = read_span({**CALL, "gen_ai.request.model": "my-model"}, "call_llm", 1)
    assert (said.columns["provider"], unknown.columns["provider"]) == ("gcp.vertex_ai", "gcp.vertex.agent")


def test_a_tool_says_what_it_was_asked_and_what_it_gave_back() -> None:
    said = {"gcp.vertex.agent.tool_call_args": '{"at": 1}', "gcp.vertex.agent.tool_response": '{"result": "here"}'}
    read = read_span({**TOOL, **said, "gen_ai.tool.call.id": "c1"}, "execute_tool look", 1)
    expected = {"id": "c1", "arguments": '{"at": 1}', "result": '{"result": "here"}'}
    assert read.kind == SpanKind.TOOL
    assert read.rest == {"gen_ai.tool.name": "look", **{f"gen_ai.tool.call.{name}": text for name, text in expected.items()}}


def test_what_a_tool_leaves_unsaid_is_none() -> None:
    off = {
        "gcp.vertex.agent.tool_call_args": "{}",
        "gcp.vertex.agent.tool_response": "{}",
        "gen_ai.tool.call.id": "<not specified>",
    }
    assert read_span({**TOOL, **off}, "execute_tool look", 1).rest == {"gen_ai.tool.name": "look"}
    failed = {"gcp.vertex.agent.tool_call_args": '{"at": 1}', "gcp.vertex.agent.tool_response": '{"result": "<not specified>"}'}
    rest = read_span({**TOOL, **failed}, "execute_tool look", 1).rest
    assert rest == {"gen_ai.tool.name": "look", "gen_ai.tool.call.arguments": '{"at": 1}'}


def test_a_span_that_repeats_what_several_tools_gave_back_is_no_tool() -> None:
    merged = {**TOOL, "gen_ai.tool.name": "(merged tools)", "gcp.vertex.agent.tool_response": "{}"}
    assert read_span(merged, "execute_tool (merged)", 1).kind == SpanKind.OTHER
