"""A tool's span whose events say what it did."""

import json
from typing import Any

import pytest

from penstock.formats.genai import GenAiSpan, read_genai
from penstock.formats.span_events import read_events

DETAILS = "gen_ai.client.inference.operation.details"
ASKED = {"type": "tool_call", "name": "add", "id": "t1", "arguments": {"x": 1}}
GAVE = {"type": "tool_call_response", "id": "t1", "response": [{"text": "4"}, {"text": "2"}]}


def read(*events: tuple[str, dict[str, Any]], **attributes: str) -> GenAiSpan:
    found = read_genai({"gen_ai.operation.name": "execute_tool", **attributes})
    read_events([(name, said, 0) for name, said in events], 0, found)
    return found


@pytest.mark.parametrize(
    "events",
    [
        [
            ("gen_ai.tool.message", {"role": "tool", "content": '{"x":1}', "id": "t1"}),
            ("gen_ai.choice", {"message": '[{"text": "4"}, {"text": "2"}]', "id": "t1"}),
        ],
        [
            (DETAILS, {"gen_ai.input.messages": json.dumps([{"role": "tool", "parts": [ASKED]}])}),
            (DETAILS, {"gen_ai.output.messages": json.dumps([{"role": "tool", "parts": [GAVE]}])}),
        ],
    ],
)
def test_arguments_and_result_are_those_of_the_events(events: list[tuple[str, dict[str, Any]]]) -> None:
    found = read(*events)
    assert found.rest == {"gen_ai.tool.call.arguments": '{"x":1}', "gen_ai.tool.call.result": "4\n2"}
    own = read(*events, **{"gen_ai.tool.call.result": "own"})
    assert own.rest["gen_ai.tool.call.result"] == "own"


@pytest.mark.parametrize("result", ["plain", '[{"json": {"a": 1}}]', '[{"text": "a"}, {"json": {}}]', "[]", "[1]"])
def test_a_result_that_is_no_list_of_texts_stays_as_it_came(result: str) -> None:
    assert read(("gen_ai.choice", {"message": result})).rest == {"gen_ai.tool.call.result": result}


def test_an_event_that_says_nothing_is_kept_as_it_came() -> None:
    assert read(("gen_ai.choice", {"id": "t1"})).rest == {"event.gen_ai.choice": "", "event.gen_ai.choice.id": "t1"}
