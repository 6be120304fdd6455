"""One message per event."""

from typing import Any

import pytest

from penstock.formats.message_events import messages_of_event, messages_of_events

CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}


def text(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": content}]}


@pytest.mark.parametrize("role", ["system", "user", "assistant"])
def test_the_name_says_the_role(role: str) -> None:
    assert messages_of_event(f"gen_ai.{role}.message", {"content": "Hi"}, {}) == [text(role, "Hi")]


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ({"content": "Hi"}, {}),
        ('{"content": "Hi"}', {}),
        ("Hi", {}),
        (None, {"content": "Hi"}),
        (None, {"gen_ai.event.content": '{"content": "Hi", "role": "user"}'}),
        (None, {"gen_ai.message.content": "Hi", "gen_ai.message.role": "user"}),
    ],
)
def test_the_message_stands_in_the_body_or_in_the_attributes(body: Any, attributes: dict[str, Any]) -> None:
    assert messages_of_event("gen_ai.user.message", body, attributes) == [text("user", "Hi")]


def test_a_tools_message_answers_the_call_that_it_names() -> None:
    for name in ("id", "tool_call_id"):
        (message,) = messages_of_event("gen_ai.tool.message", {"content": "7", name: "c1"}, {})
        assert message == {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "7"}]}


def test_blocks_of_a_tools_message_that_answer_calls_are_read_as_such() -> None:
    content = '[{"type": "tool_result", "tool_use_id": "c1", "content": "7"}]'
    (message,) = messages_of_event("gen_ai.tool.message", None, {"content": content})
    assert message["parts"] == [{"type": "tool_call_response", "id": "c1", "response": "7"}]


def test_a_choice_is_what_the_model_said() -> None:
    body = {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "tool_calls": [CALL]}}
    (message,) = messages_of_event("gen_ai.choice", body, {})
    assert message["parts"] == [{"type": "tool_call", "id": "c1", "name": "look", "arguments": {"a": 1}}]
    assert message["finish_reason"] == "tool_calls"
    beside = {"index": 0, "finish_reason": "stop", "message": '{"content": "Hi"}'}
    assert messages_of_event("gen_ai.choice", None, beside) == [{**text("assistant", "Hi"), "finish_reason": "stop"}]


def test_the_oldest_form_holds_all_messages_in_one_event() -> None:
    asked = '[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]'
    prompt = ("gen_ai.content.prompt", None, {"gen_ai.prompt": asked})
    completion = ("gen_ai.content.completion", None, {"gen_ai.completion": '[{"role": "assistant", "content": "Yes"}]'})
    assert messages_of_events([prompt, completion]) == (
        [text("system", "Be brief."), text("user", "Hi")],
        [text("assistant", "Yes")],
    )


def test_geminis_content_says_the_role_and_the_parts() -> None:
    said = {"role": "model", "parts": [{"text": "Hello", "thought": None}]}
    assert messages_of_event("gen_ai.user.message", {"content": said}, {}) == [text("assistant", "Hello")]
    assert messages_of_event("gen_ai.user.message", {"content": {"parts": [{"text": "Hi"}]}}, {}) == [text("user", "Hi")]
    instructions = {"content": {"role": "user", "parts": [{"text": "Be brief."}]}}
    assert messages_of_event("gen_ai.system.message", instructions, {}) == [text("system", "Be brief.")]
    (answer,) = messages_of_event("gen_ai.choice", {"index": 0, "content": said, "finish_reason": "STOP"}, {})
    assert answer == {**text("assistant", "Hello"), "finish_reason": "STOP"}
    called = {"content": {"role": "model", "parts": [{"function_call": {"name": "look", "args": {"a": 1}}}]}}
    (asked,) = messages_of_event("gen_ai.choice", called, {})
    assert asked["parts"] == [{"type": "tool_call", "id": None, "name": "look", "arguments": {"a": 1}}]


def test_choices_without_a_finish_reason_are_pieces_of_one_answer() -> None:
    def choice(index: int, *parts: dict[str, Any], **ending: str) -> tuple[str, Any, dict[str, Any]]:
        return "gen_ai.choice", {"index": index, "content": {"role": "model", "parts": list(parts)}, **ending}, {}

    call = {"function_call": {"id": "c1", "name": "look", "args": {}}}
    streamed = [
        choice(0, {"text": "Hel"}),
        choice(1, {"text": "lo"}),
        choice(2, call, finish_reason="STOP"),
        choice(3, {"text": "Yo"}),
    ]
    _, (first, second) = messages_of_events(streamed)
    assert first["parts"] == [
        {"type": "text", "content": "Hello"},
        {"type": "tool_call", "id": "c1", "name": "look", "arguments": {}},
    ]
    assert (first["finish_reason"], second) == ("STOP", text("assistant", "Yo"))
    completions = [("gen_ai.content.completion", None, {"gen_ai.completion": answer}) for answer in ("one", "two")]
    assert messages_of_events(completions)[1] == [text("assistant", "one"), text("assistant", "two")]


@pytest.mark.parametrize(
    "body",
    [{"content": "<elided>"}, None, {}, {"role": "user"}, {"id": "c1"}, {"index": 0, "finish_reason": "stop", "message": {}}],
)
def test_an_event_whose_content_was_not_captured_has_no_message(body: Any) -> None:
    for name in ("gen_ai.user.message", "gen_ai.tool.message", "gen_ai.choice"):
        assert messages_of_event(name, body, {}) == []


def test_litellms_records_hold_the_whole_message_beside_its_text() -> None:
    asked = {"role": "system", "content": "Be brief."}
    gave = {"role": "tool", "tool_call_id": "c1", "content": "12"}
    answer = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Twelve"}}
    inputs, outputs = messages_of_events(
        [
            ("gen_ai.content.prompt", asked, {"gen_ai.prompt": "Be brief."}),
            ("gen_ai.content.prompt", gave, {"gen_ai.prompt": "12"}),
            ("gen_ai.content.completion", answer, {"message.content": "Twelve"}),
            ("gen_ai.content.completion", {**answer, "index": 1}, {}),
        ]
    )
    assert inputs == [
        text("system", "Be brief."),
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "12"}]},
    ]
    assert outputs == [{**text("assistant", "Twelve"), "finish_reason": "stop"}] * 2
    elided = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}}
    assert messages_of_event("gen_ai.content.prompt", {"role": "user"}, {}) == []
    assert messages_of_event("gen_ai.content.completion", elided, {}) == []
