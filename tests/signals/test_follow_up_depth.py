from penstock.signals.follow_up_depth import FOLLOW_UP_DEPTH
from tests.rows import make_interaction
from tests.signals.reported import findings


def test_turns_after_the_first_are_counted_once_the_session_is_over() -> None:
    turns = [make_interaction(number, session_id="s", prompt_text=f"question {number}") for number in range(3)]
    alone = make_interaction(9, session_id="t", prompt_text="only one")
    found = findings(FOLLOW_UP_DEPTH, turns=[*turns, alone])
    assert {(one.target_kind, one.target_id, one.value, one.evidence["calls"]) for one in found} == {
        ("session", "s", 2.0, "3"),
        ("session", "t", 0.0, "1"),
    }
    assert max(found, key=lambda one: one.value or 0).occurred_at == turns[-1].ended_at


def test_a_programs_steps_are_one_turn_and_the_same_words_later_another() -> None:
    steps = [make_interaction(number, session_id="s", prompt_text="go", trace_id="a" * 32) for number in range(3)]
    again = make_interaction(7, session_id="s", prompt_text="go")
    silent = make_interaction(8, session_id="s")
    (found,) = findings(FOLLOW_UP_DEPTH, turns=[*steps, again, silent])
    assert (found.value, found.evidence["calls"]) == (1.0, "4")


def test_a_session_that_may_go_on_has_no_depth_yet() -> None:
    turn = make_interaction(0, session_id="s", prompt_text="go", start=43_200 + 2 * 86_400 - 900)
    assert findings(FOLLOW_UP_DEPTH, turns=[turn]) == []


def test_what_a_shadow_or_a_judge_said_is_no_turn() -> None:
    turn = make_interaction(0, session_id="s", prompt_text="go")
    aside = [make_interaction(1, session_id="s", prompt_text=name, exposure=name) for name in ("shadow", "judge")]
    (found,) = findings(FOLLOW_UP_DEPTH, turns=[turn, *aside])
    assert (found.value, found.evidence["calls"]) == (0.0, "1")
