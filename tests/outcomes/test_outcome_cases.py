"""Which interactions an outcome's rates are of."""

from datetime import timedelta
from typing import Any

import pytest

from penstock.ingest.attribution import outcome_definitions
from penstock.ingest.settle_feedback import settle_feedback
from penstock.ingest.settle_outcomes import OutcomeSettling
from penstock.lake.lake import Lake
from penstock.outcome_settings import OutcomeSettings
from penstock.outcomes.outcome_cases import read_cases
from penstock.records.clock import WriterClock
from tests.rows import T0, make_feedback, make_interaction

HOUR = 3600.0


def cases_of(lake: Lake, clock: WriterClock, rule: str) -> dict[int, tuple[Any, ...]]:
    settings = OutcomeSettings(keys=["ticket", "order"], window_h=48.0, rule=rule)  # type: ignore[arg-type]
    (definition,) = outcome_definitions({"solved": settings})
    settle_feedback(lake, clock, 999.0, outcomes=OutcomeSettling(definitions=[definition]))
    numbers = {make_interaction(number).interaction_id: number for number in range(10)}
    rows = read_cases(lake, definition, ["served"], T0 + timedelta(hours=100)).to_pylist()
    return {numbers[row["interaction_id"]]: (row["value"], row["delay_h"], row["age_h"], row["weight"]) for row in rows}


def arrive(lake: Lake) -> None:
    seven, eight = {"ticket": "7"}, {"ticket": "8"}
    lake.append("interactions", [
        make_interaction(0, start=0.0, keys=seven), make_interaction(1, start=10 * HOUR, keys=seven),
        make_interaction(2, start=30 * HOUR, keys=seven), make_interaction(3, start=0.0, keys=eight),
        make_interaction(4, start=40 * HOUR, keys=eight), make_interaction(5, start=0.0),
        make_interaction(6, start=0.0, keys={"ticket": "9"}, exposure="replay"),
        make_interaction(7, start=HOUR, keys={"ticket": "10", "order": "1"}), make_interaction(8, start=200 * HOUR, keys=seven),
    ])  # fmt: skip
    lake.append("feedback", [make_feedback("outcome.solved", "key", "7", key="ticket", happened=20 * HOUR, value=1.0)])


def test_with_last_a_key_is_one_case_the_one_with_the_outcome_or_the_one_that_would_get_it(
    lake: Lake, clock: WriterClock
) -> None:
    arrive(lake)
    assert cases_of(lake, clock, "last") == {
        1: (1.0, 10.0, 90.0, 1.0), 4: (None, None, 60.0, 1.0), 7: (None, None, 99.0, 1.0),
    }  # fmt: skip


def test_with_first_it_is_the_first(lake: Lake, clock: WriterClock) -> None:
    arrive(lake)
    assert cases_of(lake, clock, "first") == {
        0: (1.0, 20.0, 100.0, 1.0), 3: (None, None, 100.0, 1.0), 7: (None, None, 99.0, 1.0),
    }  # fmt: skip


def test_with_all_a_key_is_one_case_in_the_parts_that_share_the_outcome_or_would_get_it(lake: Lake, clock: WriterClock) -> None:
    arrive(lake)
    found = cases_of(lake, clock, "all")
    assert {number: (case[1], case[3]) for number, case in found.items()} == {
        0: (20.0, 0.5), 1: (10.0, 0.5), 3: (None, 0.5), 4: (None, 0.5), 7: (None, 1.0),
    }  # fmt: skip


def test_with_decay_an_older_part_is_smaller_and_what_the_window_leaves_out_is_none(lake: Lake, clock: WriterClock) -> None:
    arrive(lake)
    lake.append("interactions", [make_interaction(9, start=90 * HOUR, keys={"ticket": "8"})])
    found = cases_of(lake, clock, "decay")
    assert found[0][3] == pytest.approx(1 / (1 + 2 ** (10 / 24)))
    assert found[1][3] == pytest.approx(1 - found[0][3])
    assert set(found) == {0, 1, 7, 9}
    assert found[9][3] == 1.0
