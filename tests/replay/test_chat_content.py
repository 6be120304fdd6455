"""Inputs and outputs in every shape that tools log them in."""

import json
from typing import Any

import pytest

from penstock.replay.chat_content import read_answer, read_messages, read_usage

HI = {"role": "user", "parts": [{"type": "text", "content": "Hi"}]}
HO = {"role": "assistant", "parts": [{"type": "text", "content": "Ho"}]}
SERIALIZED = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain", "schema", "messages", "HumanMessage"],
    "kwargs": {"content": "Hi"},
}


@pytest.mark.parametrize(
    "value",
    [
        "Hi",
        [{"role": "user", "content": "Hi"}],
        {"messages": [{"role": "user", "content": "Hi"}], "model": "m"},
        json.dumps({"messages": [{"role": "user", "content": "Hi"}]}),
        {"messages": [[SERIALIZED]]},
        {"messages": [{"type": "human", "content": "Hi"}]},
        {"messages": [{"type": "human", "data": {"content": "Hi"}}]},
        {"input": "Hi"},
        {"question": "Hi"},
        {"model": "m", "input": "Hi"},
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]},
        {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
        [{"type": "text", "text": "Hi"}],
        [HI],
        "[{'role': 'user', 'content': 'Hi'}]",
        '"Hi"',
    ],
)
def test_an_input_is_a_user_message(value: Any) -> None:
    assert read_messages(value, "user") == [HI]


@pytest.mark.parametrize(
    "value",
    [
        "Ho",
        {"role": "assistant", "content": "Ho"},
        {"choices": [{"message": {"role": "assistant", "content": "Ho"}}]},
        {"choices": [{"text": "Ho"}]},
        {"generations": [[{"text": "Ho"}]]},
        {"generations": [[{"message": {"id": ["AIMessage"], "kwargs": {"content": "Ho"}}}]]},
        {"output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Ho"}]}]},
        {"output": {"role": "assistant", "content": "Ho"}},
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "Ho"}]}}]},
        {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Ho"}]},
    ],
)
def test_an_output_is_an_assistant_message(value: Any) -> None:
    assert read_messages(value, "assistant") == [HO]


@pytest.mark.parametrize(
    "value",
    [
        {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Ho"}], "stop_reason": "stop"},
        {"choices": [{"message": {"role": "assistant", "content": "Ho"}, "finish_reason": "stop"}]},
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "Ho"}]}, "finishReason": "stop"}]},
        {"generations": [[{"text": "Ho", "generation_info": {"finish_reason": "stop"}}]]},
    ],
)
def test_a_message_says_why_it_ended(value: Any) -> None:
    answer = read_answer(value)
    assert answer.messages == [{**HO, "finish_reason": "stop"}]
    assert answer.facts["finish_reason"] == "stop"


def test_several_prompts_are_one_text() -> None:
    (message,) = read_messages(["a", "b"], "user") or []
    assert message == {"role": "user", "parts": [{"type": "text", "content": "a\nb"}]}


def test_pieces_of_no_known_shape_are_the_parts_of_one_message() -> None:
    (message,) = read_messages(["a", 7], "user") or []
    assert [part["content"] for part in message["parts"]] == ["a", "7"]


def test_a_system_prompt_beside_the_messages_comes_first() -> None:
    found = read_messages({"system": "Be brief.", "messages": [{"role": "user", "content": "Hi"}]}, "user")
    assert found == [{"role": "system", "parts": [{"type": "text", "content": "Be brief."}]}, HI]


@pytest.mark.parametrize(
    "value",
    [
        [{"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"a": 1}'}}]}],
        [{"role": "assistant", "content": "", "tool_calls": [{"id": "c", "name": "f", "args": {"a": 1}, "type": "tool_call"}]}],
        [{"role": "assistant", "content": "", "tool_calls": [{"tool_id": "c", "name": "f", "arguments": {"a": 1}}]}],
        [{"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}]}],
        {"output": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a": 1}'}]},
    ],
)
def test_tool_calls_of_every_vendor_are_alike(value: Any) -> None:
    (message,) = read_messages(value, "assistant") or []
    assert message["parts"] == [{"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}]


@pytest.mark.parametrize("value", [None, "", [], {}, float("nan")])
def test_nothing_is_no_message(value: Any) -> None:
    assert read_messages(value, "user") is None


@pytest.mark.parametrize(
    "value", [{"ticket": 7, "lines": ["a"]}, {"lines": ["a", 7]}, 7, {"messages": 7}, {"choices": [7]}, {"generations": [[]]}]
)
def test_what_has_no_known_shape_is_kept_as_its_json(value: Any) -> None:
    (message,) = read_messages(value, "user") or []
    assert json.loads(message["parts"][0]["content"]) == value


def test_nesting_without_end_is_kept_as_text() -> None:
    value: Any = "Hi"
    for _ in range(50):
        value = {"input": [value]}
    assert read_messages(value, "user")


def test_an_output_tells_ids_model_reason_and_tokens() -> None:
    body = {"id": "c1", "model": "m-1", "system_fingerprint": "fp", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    answer = read_answer({**body, "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "Ho"}}]})
    assert answer.messages == [{**HO, "finish_reason": "stop"}]
    assert answer.facts == {
        "response_id": "c1",
        "response_model": "m-1",
        "model_version": "fp",
        "finish_reason": "stop",
        "input_tokens": 3,
        "output_tokens": 2,
    }


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}, (9, 2, 4)),
        ({"input_tokens": 9, "output_tokens": 2, "input_token_details": {"cache_read": 4}}, (9, 2, 4)),
        ({"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2}, (9, 2, 4)),
        ({"promptTokenCount": 9, "candidatesTokenCount": 2, "cachedContentTokenCount": 4}, (9, 2, 4)),
        ({"prompt_tokens": "9", "completion_tokens": -1}, (9, None, None)),
        ("no usage", (None, None, None)),
    ],
)
def test_cached_tokens_are_part_of_the_input_whoever_counts(usage: Any, expected: tuple[int | None, ...]) -> None:
    found = read_usage(usage)
    assert tuple(found.get(name) for name in ("input_tokens", "output_tokens", "cached_tokens")) == expected
