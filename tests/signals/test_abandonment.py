"""abandonment: what a session's end says, and what its user's return adds."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.interaction import Interaction
from penstock.records.signal import Signal
from penstock.signals.abandonment import ABANDONMENT, SATISFIED_BY_THANKS, UNSATISFIED
from penstock.signals.definition import Finding
from penstock.signals.run import run_signals
from tests.rows import at, make_interaction
from tests.signals.behaved import findings_of

ASKED = "how do I reset the password of my router"
DAY = 86_400.0


def turn(
    number: int, start: float, asked: str | None = ASKED, told: str | None = "Hold the button.", **fields: Any
) -> Interaction:
    given = {"session_id": "c", "user_id": "u", "prompt_text": asked, "response_text": told, "finish_reason": "stop"}
    return make_interaction(number, start=start, **{**given, **fields})


def run(lake: Lake, clock: WriterClock, *rows: Interaction, after: float = 10 * DAY) -> dict[str, int]:
    lake.append("interactions", list(rows))
    return run_signals(lake, clock, definitions={"abandonment": ABANDONMENT}, as_of=at(after))


def found(lake: Lake, session: str = "c") -> Signal:
    (row,) = [row for row in lake.to_records("signals", lake.current("signals")) if row.target_id == session]
    return row


def judged(*rows: Interaction) -> Finding:
    """What is found of the session `c`."""
    (row,) = [row for row in findings_of(ABANDONMENT, list(rows), at(10 * DAY)) if row.target_id == "c"]
    return row


def opening(told: str = "Is it the white one?") -> Interaction:
    return turn(0, 0, "my router is locked", told)


@pytest.mark.parametrize(
    ("fields", "ending", "end"),
    [
        ({}, "finished", "natural"),
        ({"asked": "great, thanks a lot!"}, "thanks", "natural"),
        ({"asked": "thanks, but how do I reset it?"}, "finished", "natural"),
        ({"told": "Which router is it?"}, "question", "mid"),
        ({"told": "Hold the button. Is there anything else I can help you with?"}, "finished", "natural"),
        ({"told": None}, "no answer", "mid"),
        ({"told": "  ", "finish_reason": None}, "no answer", "mid"),
        ({"error_type": "timeout", "told": None}, "failed", "mid"),
        ({"finish_reason": "content_filter"}, "failed", "mid"),
        ({"finish_reason": "tool_calls"}, "tool call", "mid"),
        ({"told": None, "tool_calls": '[{"name":"reset"}]'}, "tool call", "mid"),
        ({"finish_reason": "length"}, "cut off", "mid"),
        ({"asked": None, "told": None, "content_sampled": False}, "unknown", "unknown"),
    ],
)
def test_how_a_session_ended(fields: dict[str, Any], ending: str, end: str) -> None:
    row = judged(opening(), turn(1, 60, **fields))
    assert (row.evidence["ending"], row.evidence["end"]) == (ending, end)
    assert (row.target_kind, row.interaction_id, row.session_id, row.kind) == ("session", None, "c", "implicit")
    assert row.occurred_at == at(61)


@pytest.mark.parametrize("told", ["Hold the button.", "Which router is it?", None])
def test_leaving_alone_is_ambiguous_and_has_no_value(told: str | None) -> None:
    row = judged(opening(), turn(1, 60, told=told))
    assert (row.value, row.evidence["reading"], row.evidence["returned"]) == (None, "ambiguous", "no")


def test_thanks_are_good_as_long_as_nobody_comes_back() -> None:
    thanked = turn(1, 60, "thank you, that's all")
    assert (judged(opening(), thanked).value, judged(opening(), thanked).evidence["reading"]) == (SATISFIED_BY_THANKS, "good")
    row = judged(opening(), thanked, turn(2, 3_600, "is my router locked for other people", session_id="d"))
    assert (row.value, row.evidence["reading"], row.evidence["returned"]) == (None, "ambiguous", "same topic")


def test_one_request_with_an_answer_is_no_conversation_that_was_left() -> None:
    assert findings_of(ABANDONMENT, [turn(0, 0)], at(DAY)) == []
    back = turn(1, 600, "what else can a router do with its password", session_id="d")
    assert judged(turn(0, 0), back).evidence["reading"] == "negative"


def test_a_return_to_the_same_topic_within_a_day_turns_it_negative(lake: Lake, clock: WriterClock) -> None:
    run(lake, clock, opening(), turn(1, 60))
    back = turn(2, 60 + DAY, "the password of the router is still unknown", session_id="d")
    assert run(lake, clock, back) == {"abandonment": 1}
    row = found(lake)
    assert (row.value, row.evidence["reading"], row.revision) == (UNSATISFIED["finished"], "negative", 1)
    assert (row.evidence["returned"], row.evidence["return_after_s"]) == ("same topic", str(int(DAY) - 1))
    assert row.evidence["next_interaction_id"] == back.interaction_id


def test_a_return_after_a_day_leaves_it_ambiguous(lake: Lake, clock: WriterClock) -> None:
    run(lake, clock, opening(), turn(1, 60))
    assert run(lake, clock, turn(2, 61 + DAY, ASKED, session_id="d")) == {}
    assert (found(lake).value, found(lake).evidence["returned"]) == (None, "no")


def test_a_return_to_another_topic_leaves_it_ambiguous_and_says_so() -> None:
    row = judged(opening(), turn(1, 60), turn(2, 900, "a recipe for lentil soup", session_id="d"))
    assert (row.value, row.evidence["reading"], row.evidence["returned"]) == (None, "ambiguous", "other topic")


def test_the_same_request_again_outweighs_thanks() -> None:
    row = judged(turn(0, 0), turn(1, 60, "thanks!"), turn(2, 900, ASKED, session_id="d"))
    assert (row.evidence["reading"], row.evidence["returned"]) == ("negative", "same request")


def test_nobody_is_known_to_have_returned_without_a_user() -> None:
    rows = [opening(), turn(1, 60), turn(2, 900, ASKED, session_id="d")]
    row = judged(*(msgspec.structs.replace(row, user_id=None) for row in rows))
    assert (row.value, row.evidence["returned"]) == (None, "user unknown")


def test_a_return_whose_words_were_sampled_out_is_of_an_unknown_topic() -> None:
    row = judged(opening(), turn(1, 60), turn(2, 900, None, None, session_id="d", content_sampled=False))
    assert (row.value, row.evidence["returned"]) == (None, "topic unknown")


def test_another_application_of_the_same_user_is_no_return() -> None:
    row = judged(opening(), turn(1, 60), turn(2, 900, ASKED, session_id="d", application="other"))
    assert row.evidence["returned"] == "no"


def test_a_session_that_may_still_go_on_has_not_been_left(lake: Lake, clock: WriterClock) -> None:
    assert run(lake, clock, opening(), turn(1, 60), after=100) == {}
    assert run(lake, clock, after=1_800) == {}
    assert run(lake, clock, after=1_900) == {"abandonment": 1}
    assert run(lake, clock, after=2_000) == {}


def test_a_session_that_goes_on_after_a_pause_is_not_left_until_it_is_quiet_again(lake: Lake, clock: WriterClock) -> None:
    run(lake, clock, opening(), turn(1, 60, told="Which router is it?"), after=60)
    assert run(lake, clock, after=2_000) == {"abandonment": 1}
    assert run(lake, clock, turn(2, 2_400, "the white one"), after=2_500) == {"abandonment": 1}
    assert "withdrawn" in found(lake).evidence
    assert run(lake, clock, after=4_300) == {"abandonment": 1}
    row = found(lake)
    assert (row.evidence["ending"], row.revision) == ("finished", 2)
    assert row.evidence["happened_at"] == at(2_401).isoformat()


def test_a_turn_that_comes_late_before_the_last_changes_nothing(lake: Lake, clock: WriterClock) -> None:
    run(lake, clock, opening(), turn(2, 60))
    before = found(lake)
    assert run(lake, clock, turn(1, 30, "hello?")) == {}
    assert found(lake) == before


def test_a_shadow_of_the_last_turn_is_not_the_end() -> None:
    row = judged(opening(), turn(1, 60), turn(2, 61, error_type="timeout", exposure="shadow"))
    assert row.evidence["ending"] == "finished"


@pytest.mark.slow
def test_any_order_of_arrival_ends_in_the_same_signals(lake: Lake, clock: WriterClock) -> None:
    rows = [
        turn(number, number * 2_000.0, ASKED if number < 4 else "a recipe for soup", session_id=f"c{number // 2}")
        for number in range(6)
    ]
    run(lake, clock, *rows)
    expected = sorted((row.target_id, row.value or -1.0, row.evidence["returned"]) for row in held(lake))
    other = Lake(lake.root.parent / "other", lake.settings)
    other.create()
    for row in reversed(rows):
        run(other, clock, row)
    assert sorted((row.target_id, row.value or -1.0, row.evidence["returned"]) for row in held(other)) == expected
    assert {reading for _, _, reading in expected} >= {"same request", "other topic"}


def held(lake: Lake) -> list[Signal]:
    return [row for row in lake.to_records("signals", lake.current("signals")) if "withdrawn" not in row.evidence]


def test_its_time_is_when_the_session_ended() -> None:
    long = msgspec.structs.replace(turn(1, 60), ended_at=at(60) + timedelta(seconds=40))
    row = judged(opening(), long)
    assert row.occurred_at == at(100)
