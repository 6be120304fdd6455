"""Outcomes by key, attributed in a real lake, whatever comes first."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from penstock.ingest.attribution import outcome_definitions
from penstock.ingest.settle_feedback import SettledFeedback, settle_feedback
from penstock.ingest.settle_outcomes import OutcomeSettling
from penstock.lake.lake import Lake
from penstock.outcome_settings import OutcomeSettings
from penstock.records.clock import WriterClock
from penstock.records.feedback import Feedback
from tests.rows import make_feedback, make_interaction
from tests.stages import Now

HOUR = 3600.0


def by(rule: str = "last", **given: Any) -> OutcomeSettling:
    settings = OutcomeSettings(keys=["ticket"], rule=rule, **{"window_h": 48.0, **given})  # type: ignore[arg-type]
    return OutcomeSettling(definitions=outcome_definitions({"solved": settings}))


def settle(lake: Lake, clock: WriterClock, outcomes: OutcomeSettling, max_rows: int = 1000) -> SettledFeedback:
    return settle_feedback(lake, clock, 24.0, max_rows, outcomes=outcomes)


def solved(hour: float, value: float | None = 1.0, ticket: str = "7", **given: Any) -> Feedback:
    return make_feedback("outcome.solved", "key", ticket, key="ticket", happened=hour * HOUR, value=value, **given)


def touch(number: int, hour: float, ticket: str = "7", **given: Any) -> Any:
    return make_interaction(number, start=hour * HOUR, keys={"ticket": ticket}, session_id=f"c{number}", **given)


def given_to(lake: Lake) -> dict[float, tuple[str, dict[int, float]]]:
    """What became of each report, by the hour at which it happened: its status and interactions, by number."""
    numbers = {make_interaction(number).interaction_id: number for number in range(9)}
    rows: Sequence[Feedback] = lake.to_records("feedback", lake.current("feedback"))
    found = {}
    for row in rows:
        shares = {row.interaction_id: 1.0} if row.interaction_id else row.attribution or {}
        hour = (row.occurred_at - make_interaction(0, start=0.0).started_at) / timedelta(hours=1)
        found[hour] = (row.status, {numbers[one]: pytest.approx(share) for one, share in shares.items()})
    return found


def test_an_outcome_that_several_explain_is_attributed_where_it_used_to_be_ambiguous(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [touch(0, 0.0), touch(1, 5.0), touch(2, 20.0)])
    lake.append("feedback", [solved(10.0), make_feedback("outcome.other", "key", "7", key="ticket")])
    assert settle(lake, clock, by()) == SettledFeedback(attributed=1, ambiguous=1)
    (row,) = lake.to_records("feedback", lake.current("feedback").filter(lake.current("feedback").status == "attributed"))
    assert (row.interaction_id, row.session_id, row.attribution) == (touch(1, 5.0).interaction_id, "c1", None)
    version = lake.version("feedback")
    assert settle(lake, clock, by()) == SettledFeedback()
    assert lake.version("feedback") == version


def test_shares_of_several_sum_to_one_and_stand_on_one_row(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [touch(0, 0.0), touch(1, 24.0)])
    lake.append("feedback", [solved(24.0)])
    assert settle(lake, clock, by("decay", half_life_h=24.0)) == SettledFeedback(attributed=1)
    assert given_to(lake) == {24.0: ("attributed", {0: 1 / 3, 1: 2 / 3})}


def test_a_revision_supersedes_and_may_move_the_outcome(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [touch(0, 0.0), touch(1, 10.0)])
    lake.append("feedback", [solved(5.0)])
    settle(lake, clock, by())
    assert given_to(lake) == {5.0: ("attributed", {0: 1.0})}
    lake.append("feedback", [solved(20.0, 0.0)])
    assert settle(lake, clock, by()) == SettledFeedback(attributed=1, superseded=1)
    assert given_to(lake) == {5.0: ("superseded", {}), 20.0: ("attributed", {1: 1.0})}


def test_a_better_last_touch_that_comes_late_takes_the_outcome_over(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [touch(0, 0.0)])
    lake.append("feedback", [solved(20.0)])
    settle(lake, clock, by())
    lake.append("interactions", [touch(1, 10.0), touch(2, 30.0), touch(3, 10.0, "another")])
    assert settle(lake, clock, by()) == SettledFeedback(attributed=1)
    assert given_to(lake) == {20.0: ("attributed", {1: 1.0})}


def test_an_outcome_that_no_interaction_explains_waits_and_expires(lake: Lake, clock: WriterClock, now: Now) -> None:
    lake.append("interactions", [touch(0, 30.0)])
    lake.append("feedback", [solved(20.0)])
    assert settle(lake, clock, by()) == SettledFeedback(pending=1)
    assert settle(lake, clock, by()) == SettledFeedback()
    now.time += timedelta(hours=25)
    assert settle(lake, clock, by()) == SettledFeedback(expired=1)
    (row,) = lake.to_records("feedback", lake.current("feedback"))
    assert row.reason == "The key ticket '7' named nothing for 24 h"
    assert settle(lake, clock, by()) == SettledFeedback()


def test_our_own_traffic_takes_no_outcome(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [touch(0, 0.0), touch(1, 1.0, exposure="shadow")])
    lake.append("feedback", [solved(20.0)])
    settle(lake, clock, by())
    assert given_to(lake) == {20.0: ("attributed", {0: 1.0})}


def test_an_interaction_that_loses_the_key_or_is_merged_loses_the_outcome(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [touch(0, 0.0), touch(1, 1.0), touch(2, 2.0)])
    lake.append("feedback", [solved(20.0)])
    settle(lake, clock, by())
    lake.append("interactions", [touch(2, 2.0, "another", revision=1)])
    assert settle(lake, clock, by()) == SettledFeedback(attributed=1)
    assert given_to(lake) == {20.0: ("attributed", {1: 1.0})}
    lake.append("interactions", [touch(1, 1.0, revision=1, merged_into=touch(0, 0.0).interaction_id)])
    assert settle(lake, clock, by()) == SettledFeedback(attributed=1)
    assert given_to(lake) == {20.0: ("attributed", {0: 1.0})}


def test_a_definition_that_is_new_or_changed_is_applied_to_what_there_is(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [touch(0, 0.0), touch(1, 10.0)])
    lake.append("feedback", [solved(20.0), solved(5.0, ticket="none")])
    assert settle_feedback(lake, clock, 24.0) == SettledFeedback(ambiguous=1, pending=1)
    assert settle(lake, clock, by()) == SettledFeedback(attributed=1)
    assert settle(lake, clock, by("first")) == SettledFeedback(attributed=1)
    assert given_to(lake)[20.0] == ("attributed", {0: 1.0})
    assert settle(lake, clock, by("first")) == SettledFeedback()


def test_a_report_without_a_value_has_that_of_its_definition_and_sent_again_is_the_same(lake: Lake, clock: WriterClock) -> None:
    outcomes = by(value=0.5)
    lake.append("interactions", [touch(0, 0.0)])
    lake.append("feedback", [solved(20.0, None)])
    settle(lake, clock, outcomes)
    lake.append("feedback", [solved(20.0, None)])
    assert settle(lake, clock, outcomes) == SettledFeedback()
    (row,) = lake.to_records("feedback", lake.current("feedback"))
    assert (row.value, row.revision) == (0.5, 1)


def test_a_report_sent_again_with_other_content_keeps_what_it_is_about(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [touch(0, 0.0)])
    lake.append("feedback", [solved(20.0, idempotency_key="one")])
    settle(lake, clock, by())
    lake.append("feedback", [solved(20.0, 0.0, idempotency_key="one")])
    assert settle(lake, clock, by()) == SettledFeedback(attributed=1)
    (row,) = lake.to_records("feedback", lake.current("feedback"))
    assert (row.value, row.interaction_id) == (0.0, touch(0, 0.0).interaction_id)


def test_a_report_that_names_another_key_leaves_the_old_one_to_the_reports_before_it(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [touch(0, 0.0), touch(1, 1.0, "8")])
    lake.append("feedback", [solved(10.0), solved(20.0, 0.0, idempotency_key="row")])
    settle(lake, clock, by())
    assert given_to(lake) == {10.0: ("superseded", {}), 20.0: ("attributed", {0: 1.0})}
    lake.append("feedback", [solved(20.0, 0.0, "8", idempotency_key="row")])
    assert settle(lake, clock, by()) == SettledFeedback(attributed=2)
    assert given_to(lake) == {10.0: ("attributed", {0: 1.0}), 20.0: ("attributed", {1: 1.0})}
    lake.append("feedback", [solved(20.0, 0.0, "none", idempotency_key="row")])
    assert settle(lake, clock, by()) == SettledFeedback(pending=1)
    assert given_to(lake)[20.0] == ("pending", {})


def test_chunks_of_any_size_give_the_same(lake: Lake, clock: WriterClock) -> None:
    for number in range(4):
        lake.append("interactions", [touch(number, number * 2.0)])
        lake.append("feedback", [solved(number * 2.0 + 1.0)])
    settle(lake, clock, by("all"), max_rows=1)
    assert given_to(lake) == {
        1.0: ("superseded", {}), 3.0: ("superseded", {}), 5.0: ("superseded", {}),
        7.0: ("attributed", {0: 0.25, 1: 0.25, 2: 0.25, 3: 0.25}),
    }  # fmt: skip


@pytest.mark.parametrize("between", [by("all"), OutcomeSettling()])
def test_a_definition_that_is_put_back_as_it_was_is_applied_to_everything_again(
    lake: Lake, clock: WriterClock, between: OutcomeSettling
) -> None:
    lake.append("interactions", [touch(0, 0.0), touch(1, 5.0)])
    lake.append("feedback", [solved(10.0)])
    settle(lake, clock, by())
    settle(lake, clock, between)
    lake.append("feedback", [solved(11.0, ticket="8")])
    settle(lake, clock, between)
    lake.append("interactions", [touch(2, 10.5, ticket="8"), touch(3, 9.0, ticket="8")])
    settle(lake, clock, between)
    settle(lake, clock, by())
    assert given_to(lake) == {10.0: ("attributed", {1: 1.0}), 11.0: ("attributed", {2: 1.0})}
    version = lake.version("feedback")
    assert settle(lake, clock, by()) == SettledFeedback()
    assert lake.version("feedback") == version


def test_without_definitions_nothing_is_committed_for_them(lake: Lake, clock: WriterClock) -> None:
    version = lake.version("feedback")
    assert settle(lake, clock, OutcomeSettling()) == SettledFeedback()
    assert lake.version("feedback") == version
