"""completion, from what was reported."""

from typing import Any

import pytest

from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.signals.completion import COMPLETION, DONE
from penstock.signals.definition import Finding
from penstock.signals.run import run_signals
from tests.rows import make_interaction, matched
from tests.signals.reported import findings


def only(*reports: dict[str, Any]) -> Finding:
    (found,) = findings(COMPLETION, *reports)
    return found


@pytest.mark.parametrize("name", DONE)
def test_whatever_says_that_it_got_done_is_completion(name: str) -> None:
    found = only({"name": f"outcome.{name}", "value": 1.0})
    assert (found.name, found.kind, found.value, found.feedback_id) == ("completion", "outcome", 1.0, "f0")
    assert found.evidence == {"reported_as": f"outcome.{name}"}


def test_a_part_of_it_is_a_value_in_between() -> None:
    assert only({"name": "outcome.task_completed", "value": 0.25}).value == 0.25


def test_of_several_reports_the_one_that_happened_last_counts() -> None:
    solved, reopened = {"name": "outcome.resolved", "value": 1.0}, {"name": "outcome.reopened", "value": 1.0}
    assert only({**solved, "at": 10}, {**reopened, "at": 20}).value == 0.0
    assert only({**solved, "at": 30}, {**reopened, "at": 20}).value == 1.0


def test_that_it_was_not_reopened_says_nothing() -> None:
    solved = {"name": "outcome.resolved", "value": 0.5, "at": 10}
    assert only(solved, {"name": "outcome.reopened", "value": 0.0, "at": 20}).value == 0.5
    assert findings(COMPLETION, {"name": "outcome.reopened", "value": 0.0}) == []


def test_a_reopening_without_a_value_is_one() -> None:
    assert only({"name": "outcome.reopened"}).value == 0.0


def test_what_is_no_completion_is_kept_without_a_value_and_says_why() -> None:
    assert only({"name": "outcome.success", "value": 5.0}).evidence["reason"] == "a completion lies between 0 and 1"
    without = only({"name": "outcome.success"})
    assert (without.value, without.evidence["reason"]) == (None, "no value was given")


def test_other_outcomes_and_other_reports_are_none() -> None:
    assert findings(COMPLETION, {"name": "outcome.revenue", "value": 1.0}, {"name": "completed", "value": 1.0}) == []


def test_a_ticket_that_is_reopened_later_amends_what_was_found(lake: Lake, clock: WriterClock) -> None:
    one = make_interaction(0)
    lake.append("interactions", [one])
    lake.append("feedback", [matched("outcome.resolved", one, value=1.0, happened=10)])
    assert run_signals(lake, clock) == {"completion": 1, "outcome.resolved": 1}
    lake.append("feedback", [matched("outcome.resolved", one, value=0.0, happened=90_000)])
    assert run_signals(lake, clock) == {"completion": 1, "outcome.resolved": 1}
    (row,) = [row for row in lake.to_records("signals", lake.current("signals")) if row.name == "completion"]
    assert (row.value, row.revision) == (0.0, 1)
    assert row.evidence["happened_at"].startswith("2026-03-02")


def test_an_outcome_that_several_share_says_how_large_each_ones_share_is() -> None:
    assert only({"name": "outcome.solved", "value": 1.0, "weight": 1 / 3}).evidence["weight"] == "0.333333"
    assert only({"name": "outcome.solved", "value": 1.0, "weight": 0.00025}).evidence["weight"] == "0.000250"
