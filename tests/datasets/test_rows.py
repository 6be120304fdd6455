"""Making training rows."""

from typing import Any

import msgspec
import pytest

from penstock.datasets.rows import make_row, side_of
from penstock.records.dataset import Split
from tests.rows import at


def selected(**fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "parts": [{"type": "text", "content": "hello"}]}]
    given = {
        "interaction_id": "i_1", "user_id": "u_1", "session_id": "c", "started_at": at(0), "checkpoint_id": "c_1",
        "input_messages": msgspec.json.encode(messages).decode(), "prompt_text": "hello", "system_instructions": None,
        "response_text": "hi", "finish_reason": "stop", "token_logprobs": [-0.5, -0.25], "arm_probability": 0.5,
        "sample_probability": 0.5, "capture_probability": 1.0, "label_id": "l_1", "value": 1.0,
    }  # fmt: skip
    return {**given, **fields}


def line(kind: str, **fields: Any) -> dict[str, Any]:
    return msgspec.json.decode(make_row(selected(**fields), kind, 0.2).line)


def test_an_event_has_what_a_policy_gradient_needs_and_leads_back_to_its_request() -> None:
    row = line("events")
    assert (row["prompt"], row["completion"]) == ([{"role": "user", "content": "hello"}], "hi")
    assert (row["reward"], row["behaviour_logprob"], row["token_logprobs"]) == (1.0, -0.75, [-0.5, -0.25])
    assert (row["checkpoint_id"], row["arm_probability"], row["inclusion_probability"]) == ("c_1", 0.5, 0.5)
    assert (row["interaction_id"], row["label_ids"], row["user"]) == ("i_1", ["l_1"], "u_1")


def test_without_log_probabilities_an_event_says_so() -> None:
    assert line("events", token_logprobs=None)["behaviour_logprob"] is None


def test_a_kto_row_has_a_label() -> None:
    assert line("kto")["label"] is True
    assert line("kto", value=0.0)["label"] is False


def test_a_row_stands_for_as_many_as_were_left_out() -> None:
    assert make_row(selected(), "kto", 0.2).weight == 2.0


def test_system_instructions_come_first_and_tool_calls_are_text() -> None:
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": "weather?"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "t", "name": "weather", "arguments": {"in": "Rome"}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "t", "response": {"sky": "blue"}}]},
    ]
    instructions = [{"type": "text", "content": "Be brief."}]
    prompt = line(
        "kto",
        input_messages=msgspec.json.encode(messages).decode(),
        system_instructions=msgspec.json.encode(instructions).decode(),
    )["prompt"]
    assert [message["role"] for message in prompt] == ["system", "user", "assistant", "tool"]
    assert all(set(message) == {"role", "content"} and isinstance(message["content"], str) for message in prompt)
    assert "weather" in prompt[2]["content"]


@pytest.mark.parametrize("broken", [None, "", "[]", "not json", '{"role": "user"}', "[1, 2]"])
def test_messages_that_are_none_leave_the_users_words(broken: str | None) -> None:
    assert line("kto", input_messages=broken)["prompt"] == [{"role": "user", "content": "hello"}]


def test_a_user_is_on_one_side_and_the_share_holds() -> None:
    sides = [side_of(f"u_{number}", 0.2) for number in range(2000)]
    assert sides == [side_of(f"u_{number}", 0.2) for number in range(2000)]
    assert 0.17 < sides.count(Split.TEST) / 2000 < 0.23
    assert side_of("u_1", 0.0) == Split.TRAIN


def test_other_content_is_another_row() -> None:
    assert line("kto")["row_hash"] == line("kto")["row_hash"] != line("kto", response_text="other")["row_hash"]


def test_a_tabular_row_has_the_numbers_that_were_asked_about_and_how_many_rows_it_stands_for() -> None:
    asked = '{"amount": 12.5, "cards": 3, "guest": true, "age": null, "merchant": "m-1", "tags": [1]}'
    row = line("tabular", prompt_text=asked, probability=0.9, inclusion_probability=0.1)
    assert row["features"] == {"amount": 12.5, "cards": 3, "guest": True, "age": None}
    assert (row["label"], row["weight"]) == (0.9, 20.0)
    assert (row["interaction_id"], row["label_ids"], row["user"]) == ("i_1", ["l_1"], "u_1")
    assert "prompt" not in row


def test_a_tabular_row_takes_the_answer_itself_where_it_has_no_probability_and_survives_what_is_no_object() -> None:
    row = line("tabular", prompt_text="{broken", value=1.0, probability=None, inclusion_probability=1.0)
    assert (row["features"], row["label"]) == ({}, 1.0)
