from penstock.signals.outcome import OUTCOME
from tests.signals.reported import findings


def test_an_outcome_keeps_its_name_and_the_value_as_sent() -> None:
    found = findings(
        OUTCOME, {"name": "outcome.tests", "value": 0.0}, {"name": "outcome.revenue", "value": -12.5, "text": "refund"}
    )
    assert {(one.name, one.value, one.text, one.kind) for one in found} == {
        ("outcome.tests", 0.0, None, "outcome"),
        ("outcome.revenue", -12.5, "refund", "outcome"),
    }


def test_the_outcome_that_happened_last_counts_whatever_the_order_of_arrival() -> None:
    (found,) = findings(
        OUTCOME, {"name": "outcome.tests", "value": 1.0, "at": 50}, {"name": "outcome.tests", "value": 0.0, "at": 5}
    )
    assert found.value == 1.0


def test_an_outcome_without_a_value_is_kept_as_unknown_and_not_as_bad() -> None:
    (found,) = findings(OUTCOME, {"name": "outcome.ticket", "text": "closed"})
    assert (found.value, found.text) == (None, "closed")


def test_an_outcome_that_several_share_keeps_its_value_and_says_how_large_each_ones_share_is() -> None:
    (found,) = findings(OUTCOME, {"name": "outcome.solved", "value": 1.0, "weight": 0.25})
    assert (found.value, found.evidence) == (1.0, {"reported_as": "outcome.solved", "weight": "0.250000"})
