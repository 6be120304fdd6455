from typing import Any

import pytest

from penstock.records.interaction import Interaction
from penstock.signals.regenerate import REGENERATE, REGENERATE_REPORT
from tests.rows import make_interaction
from tests.signals.reported import findings

FIRST = {"prompt_text": "tell me a joke", "session_id": "s", "start": 0}


def pair(**second: Any) -> list[Interaction]:
    first = {name.removeprefix("first_"): second.pop(name) for name in list(second) if name.startswith("first_")}
    return [make_interaction(0, **{**FIRST, **first}), make_interaction(1, **{**FIRST, "start": 20, **second})]


@pytest.mark.parametrize("name", ["regenerate", "Regenerated", "regeneration"])
def test_a_button_says_so(name: str) -> None:
    (found,) = findings(REGENERATE_REPORT, {"name": name})
    assert (found.name, found.value, found.evidence["found_by"]) == ("regenerate", 1.0, "report")
    assert findings(REGENERATE_REPORT, {"name": name}, {"name": name, "value": 0.0}) == []


def test_the_same_words_again_in_the_same_session_say_so_as_well() -> None:
    turns = pair()
    (found,) = findings(REGENERATE, turns=turns)
    assert (found.name, found.value, found.target_id, found.source) == ("regenerate", 1.0, turns[0].interaction_id, "behaviour")
    assert found.occurred_at == turns[1].started_at
    assert found.evidence == {"found_by": "behaviour", "next_interaction_id": turns[1].interaction_id}


@pytest.mark.parametrize(
    "second",
    [
        {"start": 2.5}, {"start": 0.5}, {"first_error_type": "timeout"}, {"first_finish_reason": "tool_calls"},
        {"prompt_text": "tell me a story"}, {"session_id": "t"}, {"start": 3000}, {"trace_id": make_interaction(0).trace_id},
        {"application": "other"},
        {"first_input_tokens": 10, "input_tokens": 60, "first_response_model": "m", "response_model": "m"},
    ],
)  # fmt: skip
def test_a_network_retry_or_another_request_is_none(second: dict[str, Any]) -> None:
    assert findings(REGENERATE, turns=pair(**second)) == []


def test_as_many_tokens_or_those_of_another_model_are_no_objection() -> None:
    alike = {"first_input_tokens": 10, "input_tokens": 10, "first_response_model": "m", "response_model": "m"}
    assert len(findings(REGENERATE, turns=pair(**alike))) == 1
    assert len(findings(REGENERATE, turns=pair(**{**alike, "input_tokens": 12, "response_model": "n"}))) == 1


def test_going_on_twice_asks_for_no_other_answer() -> None:
    turns = [make_interaction(number, session_id="s", start=number * 60.0, prompt_text="Go on.") for number in range(2)]
    assert findings(REGENERATE, turns=turns) == []
