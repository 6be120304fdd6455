"""Which message counts as said after which answer."""

from typing import Any

import msgspec

from penstock.lake.lake import Lake
from penstock.records.interaction import Interaction
from penstock.signals.next_turn import next_turns
from tests.rows import make_interaction


def asks(number: int, start: float, text: str | None = "x", **fields: Any) -> Interaction:
    return make_interaction(number, start=start, **{"session_id": "c", "prompt_text": text, **fields})


def pairs(lake: Lake, *rows: Interaction) -> list[tuple[int, int]]:
    lake.append("interactions", rows)
    found = next_turns(lake.current("interactions")).to_pyarrow().to_pylist()
    number = {row.interaction_id: place for place, row in enumerate(rows)}
    return sorted((number[row["interaction_id"]], number[row["next_interaction_id"]]) for row in found)


def test_the_next_request_of_a_session_follows_however_long_it_took_within_a_day(lake: Lake) -> None:
    assert pairs(lake, asks(0, 0), asks(1, 3_600), asks(2, 7_200), asks(3, 200_000)) == [(0, 1), (1, 2)]


def test_another_session_prompt_or_exposure_is_no_next_turn(lake: Lake) -> None:
    rows = (
        asks(0, 0),
        asks(1, 1, session_id="d"),
        asks(2, 2, prompt_name="titles"),
        asks(3, 3, exposure="judge"),
        asks(4, 4, application="other"),
        asks(5, 5),
    )
    assert pairs(lake, *rows) == [(0, 5)]


def test_an_answer_that_failed_or_called_a_tool_is_none_that_anybody_speaks_of(lake: Lake) -> None:
    assert pairs(lake, asks(0, 0, error_type="timeout"), asks(1, 9, finish_reason="tool_calls"), asks(2, 18), asks(3, 27)) == [
        (2, 3)
    ]


def test_a_program_s_second_step_with_the_same_words_is_no_turn(lake: Lake) -> None:
    step = asks(1, 1)
    assert pairs(lake, asks(0, 0, trace_id=step.trace_id), step) == []


def test_a_turn_whose_words_were_sampled_out_stands_between_two_others(lake: Lake) -> None:
    thin = msgspec.structs.replace(asks(1, 1), prompt_text=None, content_sampled=False, sample_probability=0.5)
    assert pairs(lake, asks(0, 0), thin, asks(2, 2)) == []


def test_nothing_follows_where_it_is_not_known_who_asks(lake: Lake) -> None:
    assert pairs(lake, asks(0, 0, session_id=None), asks(1, 1, session_id=None), asks(2, 2, session_id="")) == []


def test_a_program_s_second_try_says_nothing_of_an_answer_that_nobody_can_have_read(lake: Lake) -> None:
    assert pairs(lake, asks(0, 0), asks(1, 1.5), asks(2, 30)) == [(1, 2)]
