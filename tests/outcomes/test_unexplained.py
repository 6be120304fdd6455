"""Why outcomes wait: each reason where it holds, and no value of a key in it."""

from typing import Any

import pytest

from penstock.ingest.attribution import outcome_definitions
from penstock.ingest.settle_outcomes import OutcomeSettling
from penstock.lake.lake import Lake
from penstock.outcome_settings import OutcomeSettings
from penstock.outcomes.unexplained import COLUMNS, explain
from penstock.records.feedback import Feedback
from tests.rows import make_feedback, make_interaction

HOUR = 3600.0
SETTLING = OutcomeSettling(definitions=outcome_definitions({"solved": OutcomeSettings(keys=["ticket_id"], window_h=48.0)}))


def solved(ticket: str, hour: float = 100.0, key: str = "ticket_id", **given: Any) -> Feedback:
    return make_feedback("outcome.solved", "key", ticket, key=key, happened=hour * HOUR, **{"status": "pending", **given})


def reasons(lake: Lake, *reports: Feedback) -> dict[str, int]:
    found = explain(lake, SETTLING, lake.to_rows("feedback", list(reports)).select(list(COLUMNS)))
    return {one.reason: one.reports for one in found}


@pytest.fixture
def filled(lake: Lake) -> Lake:
    carried = (("T-1", 0.0, "served"), ("T-1", 2.0, "served"), ("T-2", 90.0, "shadow"), ("T-3", 90.0, "served"))
    lake.append(
        "interactions",
        [
            make_interaction(number, start=hour * HOUR, keys={"ticket_id": ticket}, exposure=exposure)
            for number, (ticket, hour, exposure) in enumerate(carried)
        ],
    )
    return lake


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (solved("T-9"), "no interaction carries that ticket_id"),
        (
            solved(" t-1 "),
            "no interaction carries that ticket_id, though one that differs from it only in capital letters or blanks",
        ),
        (solved("T-1", key="ticketid"), "no interaction carries a key named 'ticketid'; did you mean 'ticket_id'?"),
        (solved("T-1", key="TicketID"), "no interaction carries a key named 'TicketID'; did you mean 'ticket_id'?"),
        (solved("T-1", key="order"), "no interaction carries a key named 'order'; there is ticket_id"),
        (solved("T-1"), "the nearest interaction with that ticket_id began 98 h before; window_h is 48"),
        (solved("T-1", -2.5), "every interaction with that ticket_id began after it, the nearest 2.5 h"),
        (solved("T-2"), "only shadow traffic carries that ticket_id; traffic.exposures has served"),
        (solved("T-3"), "it is not settled yet; a worker does so within seconds, `penstock signals run` at once"),
        (solved("T-3", status="expired"), "the interaction with that ticket_id came after it had expired"),
        (
            make_feedback("outcome.solved", "request", "r-1", status="pending"),
            "no interaction is known by that request",
        ),
    ],
)  # fmt: skip
def test_each_reason_where_it_holds(filled: Lake, report: Feedback, reason: str) -> None:
    assert reasons(filled, report) == {reason: 1}


def test_reports_of_one_reason_are_counted_together(filled: Lake) -> None:
    found = reasons(filled, solved("T-8"), solved("T-9"), solved("T-1", 60.0), solved("T-1", 70.0))
    assert found == {
        "no interaction carries that ticket_id": 2,
        "the nearest interaction with that ticket_id began 58 h before; window_h is 48": 2,
    }


def test_in_a_lake_without_keys_it_says_so(lake: Lake) -> None:
    (reason,) = reasons(lake, solved("T-1"))
    assert reason == "no interaction carries a key named 'ticket_id'; none carries any key (docs/contract.md)"
    assert reasons(lake) == {}
