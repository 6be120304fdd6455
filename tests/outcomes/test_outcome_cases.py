"""Which interactions an outcome's rates are of."""

from datetime import timedelta
from typing import Any

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
    numbers = {make_interaction(number).interaction_id: number for number in range(9)}
    rows = read_cases(lake, definition, ["served"], T0 + timedelta(hours=100)).to_pylist()
    return {numbers[row["interaction_id"]]: (row["value"], row["delay_h"], row["age_h"]) for row in rows}


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
    assert cases_of(lake, clock, "last") == {1: (1.0, 10.0, 90.0), 4: (None, None, 60.0), 7: (None, None, 99.0)}


def test_with_first_it_is_the_first(lake: Lake, clock: WriterClock) -> None:
    arrive(lake)
    assert cases_of(lake, clock, "first") == {0: (1.0, 20.0, 100.0), 3: (None, None, 100.0), 7: (None, None, 99.0)}


def test_with_all_every_interaction_that_carries_a_key_is_one(lake: Lake, clock: WriterClock) -> None:
    arrive(lake)
    found = cases_of(lake, clock, "all")
    assert set(found) == {0, 1, 2, 3, 4, 7}
    assert [found[number][1] for number in range(3)] == [20.0, 10.0, None]
