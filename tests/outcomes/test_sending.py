"""Reports reach a real edge as any client's would."""

import pytest

from penstock.errors import ConfigurationError
from penstock.outcomes.sending import send_reports
from penstock.replay.sender import Patience
from tests.edge.conftest import door, edge  # noqa: F401  fixtures
from tests.replay.test_run import QUICK


def report(number, **more):
    return {"request_id": f"r_{number}", "name": "outcome.tests", "value": 1, "idempotency_key": f"k{number}", **more}


def test_all_of_them_arrive_in_as_many_requests_as_it_takes(edge, door):  # noqa: F811
    assert send_reports([report(number) for number in range(1200)], edge, None) == []
    assert len(door.feedback) == 1200


def test_what_is_refused_is_told_and_costs_the_others_nothing(edge, door):  # noqa: F811
    (reason,) = send_reports([report(1), report(2, span_id="x")], edge, None)
    assert "exactly one way" in reason or "span" in reason
    assert len(door.feedback) == 1


def test_nobody_there_is_told_with_what_to_do():
    with pytest.raises(ConfigurationError, match="Nothing answers"):
        send_reports([report(1)], "http://127.0.0.1:9", None, Patience(never_answered_after_s=0.0))


def test_a_busy_edge_is_asked_again(edge, door):  # noqa: F811
    door.fill()
    door.fails_once = True
    assert send_reports([report(1)], edge, None, QUICK) == []
    assert len(door.feedback) == 1
