"""What people read of stored messages."""

import json
from typing import Any

import pytest

from penstock.formats.message_readings import read_prompt, read_response

TEXT = {"type": "text", "content": "hello"}


def _stored(*messages: tuple[str, list[Any]]) -> str:
    return json.dumps([{"role": role, "parts": parts} for role, parts in messages])


def test_the_prompt_is_the_newest_user_turn_and_not_the_history() -> None:
    older, newer = {"type": "text", "content": "first"}, {"type": "text", "content": "second"}
    assert read_prompt(_stored(("user", [older]), ("assistant", [TEXT]), ("user", [newer]))) == "second"


def test_what_a_tool_gave_back_is_no_turn_of_the_users() -> None:
    answer = {"type": "tool_call_response", "id": "c", "response": "7"}
    assert read_prompt(_stored(("user", [TEXT]), ("assistant", []), ("user", [answer]))) == "hello"


def test_parts_of_one_turn_are_joined_and_those_without_text_left_out() -> None:
    parts = [TEXT, {"type": "uri", "modality": "image", "uri": "x"}, {"type": "text", "content": "there"}]
    assert read_prompt(_stored(("user", parts))) == "hello\nthere"


def test_an_answer_is_its_text_and_its_tool_calls() -> None:
    call = {"type": "tool_call", "id": "c1", "name": "look", "arguments": '{"at": 1}'}
    text, calls = read_response(_stored(("assistant", [{"type": "reasoning", "content": "hm"}, TEXT, call])))
    assert text == "hello"
    assert json.loads(calls or "") == [{"id": "c1", "name": "look", "arguments": {"at": 1}}]


def test_of_several_answers_the_first_counts() -> None:
    assert read_response(_stored(("assistant", [TEXT]), ("assistant", [{"type": "text", "content": "other"}])))[0] == "hello"


@pytest.mark.parametrize(
    "stored", [None, "[]", _stored(("assistant", [])), '[{"role": "user"}]', '[{"role": "user", "parts": 1}]']
)
def test_without_text_there_is_nothing_to_read(stored: str | None) -> None:
    assert read_prompt(stored) is None
    assert read_response(stored) == (None, None)


def test_what_is_no_list_of_messages_stands_for_itself() -> None:
    assert read_prompt("[REDACTION_FAILED]") == "[REDACTION_FAILED]"
    assert read_response("[REDACTION_FAILED]") == ("[REDACTION_FAILED]", None)
