"""Requests and responses of any API, as messages."""

import json
from typing import Any

import pytest

from penstock.formats.foreign_messages import response_facts, to_messages

ASKED = [
    {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
    {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
]
TEXT = {"type": "text", "text": "Be brief."}
SYSTEM, USER = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}


def lc(name: str, kind: str, **kwargs: Any) -> dict[str, Any]:
    """A message as LangChain serialises it."""
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", name], "kwargs": {"type": kind, **kwargs}}


@pytest.mark.parametrize(
    "value",
    [
        [SYSTEM, USER],
        {"messages": [SYSTEM, USER], "model": "m", "tools": []},
        json.dumps({"messages": [SYSTEM, USER]}),
        json.dumps(json.dumps([SYSTEM, USER])),
        {"system": "Be brief.", "messages": [USER]},
        {"system": [TEXT], "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
        {"instructions": "Be brief.", "input": "Hi", "model": "m"},
        {"instructions": "Be brief.", "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]},
        {"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
        {"messages": [[lc("SystemMessage", "system", content="Be brief."), lc("HumanMessage", "human", content="Hi")]]},
        [{"type": "system", "data": {"content": "Be brief."}}, {"type": "human", "data": {"content": "Hi"}}],
        [{"type": "system", "content": "Be brief."}, {"type": "human", "content": "Hi"}],
        ASKED,
    ],
)  # fmt: skip
def test_a_request_is_messages_whoever_wrote_it(value: Any) -> None:
    assert to_messages(value, "user") == ASKED


@pytest.mark.parametrize(
    "value", ["Hi", {"input": "Hi"}, {"prompt": "Hi", "max_tokens": 3}, {"prompt": ["Hi"]}, {"query": "Hi"}, ["Hi"]]
)
def test_text_alone_is_the_users(value: Any) -> None:
    assert to_messages(value, "user") == ASKED[1:]


ANSWERED = [{"role": "assistant", "parts": [{"type": "text", "content": "Yes"}], "finish_reason": "stop"}]


@pytest.mark.parametrize(
    "value",
    [
        {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes"}}]},
        {"choices": [{"index": 0, "finish_reason": "stop", "text": "Yes"}]},
        {"candidates": [{"finishReason": "stop", "content": {"role": "model", "parts": [{"text": "Yes"}]}}]},
        {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Yes"}], "stop_reason": "stop"},
        {"generations": [[{"text": "Yes", "generation_info": {"finish_reason": "stop"}}]]},
        {
            "generations": [[{
                "text": "Yes", "message": lc("AIMessage", "ai", content="Yes", response_metadata={"finish_reason": "stop"}),
            }]]
        },
    ],
)  # fmt: skip
def test_a_response_is_messages_whoever_wrote_it(value: Any) -> None:
    assert to_messages(value, "assistant") == ANSWERED


def test_the_items_of_a_responses_answer_are_one_message_and_its_instructions_are_none() -> None:
    response = {
        "id": "resp_1", "object": "response", "model": "m-1", "instructions": "Be brief.", "status": "completed",
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes"}]},
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        ],
        "usage": {"input_tokens": 3, "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 1}},
    }  # fmt: skip
    (message,) = to_messages(response, "assistant")
    assert [part["type"] for part in message["parts"]] == ["reasoning", "text", "tool_call"]
    facts = response_facts(response)
    assert (facts["response_id"], facts["response_model"], facts["reasoning_tokens"]) == ("resp_1", "m-1", 1)
    assert facts["finish_reason"] == "tool_call"
    assert response_facts({**response, "output": response["output"][:2]})["finish_reason"] == "stop"
    cut = {**response, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert response_facts(cut)["finish_reason"] == "max_output_tokens"


def test_calls_and_their_results_keep_their_ids_through_every_form() -> None:
    openai = [
        {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": '{"a":1}'}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "7"},
    ]
    langchain = [
        lc("AIMessage", "ai", content="", tool_calls=[{"name": "look", "args": {"a": 1}, "id": "c1", "type": "tool_call"}]),
        lc("ToolMessage", "tool", content="7", tool_call_id="c1"),
    ]
    vercel = [
        {"role": "assistant", "content": [{"type": "tool-call", "toolCallId": "c1", "toolName": "look", "input": {"a": 1}}]},
        {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "c1", "output": {"type": "text", "value": "7"}}]},
    ]
    items = [
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "7"},
    ]
    call = {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "look", "arguments": {"a": 1}}]}
    answer = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "7"}]}
    for form in (openai, langchain, vercel, items):
        assert to_messages(form, "user") == [call, answer]


def test_a_call_that_langchain_tells_twice_is_one() -> None:
    used = {"type": "tool_use", "id": "c1", "name": "look", "input": {"a": 1}}
    message = lc("AIMessage", "ai", content=[used], tool_calls=[{"name": "look", "args": {"a": 1}, "id": "c1"}])
    assert len(to_messages([message], "assistant")[0]["parts"]) == 1
    hollow = {"role": "assistant", "content": [{"type": "tool_use"}], "tool_calls": message["kwargs"]["tool_calls"]}
    assert len(to_messages([hollow], "assistant")[0]["parts"]) == 1


def test_fields_that_nobody_knows_stay_on_messages_of_the_newest_form() -> None:
    message = {"role": "user", "parts": [{"type": "text", "content": "Hi", "cache": True}], "name": "ana"}
    assert to_messages([message], "user") == [message]


@pytest.mark.parametrize("value", [None, "", [], {}, '""', "[]"])
def test_nothing_is_no_message(value: Any) -> None:
    assert to_messages(value, "user") == []


@pytest.mark.parametrize("value", [7, True, {"rows": 3}, [1, 2], [None], {"messages": {"messages": {"messages": "x"}}}])
def test_anything_else_is_kept_as_text(value: Any) -> None:
    (message,) = to_messages(value, "user")
    assert message["parts"][0]["content"]


def test_langchains_record_tells_what_the_provider_said() -> None:
    metadata = {
        "id": "chatcmpl-1", "model_name": "m-1", "system_fingerprint": "fp", "finish_reason": "tool_calls",
        "token_usage": {"prompt_tokens": 3, "completion_tokens": 4},
    }  # fmt: skip
    message = lc("AIMessage", "ai", content="Yes", id="run--1", response_metadata=metadata)
    facts = response_facts({"generations": [[{"text": "Yes", "message": message}]], "llm_output": None})
    assert facts == {
        "response_id": "chatcmpl-1", "response_model": "m-1", "model_version": "fp", "finish_reason": "tool_calls",
        "input_tokens": 3, "output_tokens": 4,
    }  # fmt: skip
    assert response_facts("text") == response_facts({"id": "no-response"}) == {}


def test_reasoning_kept_back_is_no_part_of_the_answer() -> None:
    output = [{"type": "reasoning", "summary": [], "encrypted_content": "x"}, {"type": "message", "content": "Ho"}]
    (message,) = to_messages({"output": output}, "assistant")
    assert message["parts"] == [{"type": "text", "content": "Ho"}]
    assert to_messages({"output": output[:1]}, "assistant") == []


@pytest.mark.parametrize("value", [{"messages": 7}, {"choices": [7]}, {"choices": []}])
def test_what_only_looks_like_a_provider_s_is_kept_as_json(value: dict[str, object]) -> None:
    (message,) = to_messages(value, "user")
    assert json.loads(message["parts"][0]["content"]) == value


def test_an_answer_that_is_a_list_of_objects_is_the_text_of_it() -> None:
    (answer,) = to_messages('[{"name":"a"},{"name":"b"}]', "assistant")
    assert answer["parts"] == [{"type": "text", "content": '[{"name":"a"},{"name":"b"}]'}]
    assert to_messages([{"role": "assistant", "content": ""}], "assistant")[0]["parts"] == []


def test_llama_index_holds_its_text_in_blocks() -> None:
    message = {"role": "user", "additional_kwargs": {}, "blocks": [{"block_type": "text", "text": "Hi"}]}
    assert to_messages([message], "user") == ASKED[1:]


def test_a_response_of_bedrock_says_why_it_ended_and_what_it_took() -> None:
    response = {
        "output": {
            "message": {"role": "assistant", "content": [{"text": "Let me"}, {"toolUse": {"toolUseId": "t", "name": "w"}}]}
        },
        "stopReason": "tool_use",
        "usage": {"inputTokens": 10, "outputTokens": 3, "totalTokens": 13},
    }
    (answer,) = to_messages(response, "assistant")
    assert [part["type"] for part in answer["parts"]] == ["text", "tool_call"]
    assert response_facts(response) == {"finish_reason": "tool_use", "input_tokens": 10, "output_tokens": 3}
    through_langchain = {
        "generations": [[{"message": {"kwargs": {"content": "x", "response_metadata": {"stopReason": "end_turn"}}}}]]
    }
    assert response_facts(through_langchain) == {"finish_reason": "end_turn"}


def test_a_response_of_gemini_in_pythons_spelling() -> None:
    response = {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Yes"}]}, "finish_reason": "STOP"}],
        "usage_metadata": {
            "prompt_token_count": 3,
            "candidates_token_count": 4,
            "thoughts_token_count": 2,
            "cached_content_token_count": 1,
        },
        "model_version": "gemini-2.5-pro-001",
    }
    assert response_facts(response) == {
        "response_model": "gemini-2.5-pro-001", "finish_reason": "STOP",
        "input_tokens": 3, "output_tokens": 4, "reasoning_tokens": 2, "cached_tokens": 1,
    }  # fmt: skip
    request = {"model": "m", "contents": "Hi", "config": {"system_instruction": "Be brief.", "temperature": 0.5}}
    assert to_messages(request, "user") == ASKED


def test_a_response_of_cohere() -> None:
    response = {
        "id": "c1", "finish_reason": "COMPLETE", "message": {"role": "assistant", "content": [{"type": "text", "text": "Yes"}]},
        "usage": {"billed_units": {"input_tokens": 1, "output_tokens": 1}, "tokens": {"input_tokens": 7, "output_tokens": 2}},
    }  # fmt: skip
    assert to_messages(response, "assistant")[0]["parts"] == [{"type": "text", "content": "Yes"}]
    assert response_facts(response) == {"response_id": "c1", "finish_reason": "COMPLETE", "input_tokens": 7, "output_tokens": 2}
