"""Every way in which a waiting report may name an interaction that has come, and nothing else."""

from datetime import timedelta

import pytest

from penstock.ingest.waiting_reports import reports_to_look_at
from penstock.lake.lake import Lake
from penstock.records.feedback import Feedback
from tests.rows import LATER, make_feedback, make_interaction

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
LONG_AGO = timedelta(days=400)


def candidates(lake: Lake, *reports: Feedback) -> set[str]:
    lake.append("feedback", list(reports))
    answering = make_interaction(
        1, trace_id=TRACE, span_id=SPAN, request_id="req", response_id="resp", session_id="chat", keys={"order": "7"}
    )
    moved = lake.to_rows("interactions", [answering])
    found = reports_to_look_at(lake, moved, min(report.known_at for report in reports) - LONG_AGO)
    return set(found.column("feedback_id").to_pylist())


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("trace", TRACE),
        ("trace", "0af76519-16cd-43dd-8448-eb211c80319c"),
        ("run", "0AF76519-16CD-43DD-8448-EB211C80319C"),
        ("request", "req"),
        ("response", "resp"),
        ("session", "chat"),
        ("key", "7"),
        ("span", f"{TRACE}:{SPAN}"),
        ("span", f":{SPAN.upper()}"),
        ("span", f"{TRACE}:00000000000000ff"),
    ],
)
def test_whoever_waits_for_it_by_one_of_its_names_is_looked_at(lake: Lake, kind: str, target: str) -> None:
    waiting = make_feedback("r", kind, target, status="pending")
    assert candidates(lake, waiting, make_feedback("r", "request", "another", status="pending")) == {waiting.feedback_id}


def test_what_is_settled_is_looked_at_only_where_a_call_more_could_change_it(lake: Lake) -> None:
    ambiguous = make_feedback("a", "request", "req", status="ambiguous")
    on_the_trace = make_feedback("r2", "trace", TRACE, status="matched")
    above = make_feedback("r3", "span", f"{TRACE}:00000000000000ff", status="matched", reason="below")
    left_alone = [
        make_feedback("r4", "request", "req", status="matched"),
        make_feedback("r5", "span", f"{TRACE}:{SPAN}", status="matched"),
        make_feedback("r6", "trace", TRACE, status="expired"),
        make_feedback("r7", "request", "req", status="received"),
    ]
    found = candidates(lake, ambiguous, on_the_trace, above, *left_alone)
    assert found == {ambiguous.feedback_id, on_the_trace.feedback_id, above.feedback_id}


def test_those_whose_time_is_up_are_looked_at_whatever_has_come(lake: Lake) -> None:
    overdue, young = (
        make_feedback("r1", "request", "x", status="pending"),
        make_feedback("r2", "request", "y", status="pending", known_at=LATER + LONG_AGO),
    )
    nothing = lake.to_rows("interactions", [])
    assert reports_to_look_at(lake, nothing, overdue.known_at).num_rows == 0
    lake.append("feedback", [overdue, young])
    assert reports_to_look_at(lake, nothing, overdue.known_at).column("feedback_id").to_pylist() == [overdue.feedback_id]
