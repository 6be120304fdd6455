from penstock.signals.dwell import DWELL
from tests.signals.reported import findings


def test_the_seconds_of_all_pages_are_summed() -> None:
    (found,) = findings(DWELL, {"name": "dwell", "value": 3.5}, {"name": "Dwell", "value": 4.0}, {"name": "left", "value": 1.0})
    assert (found.name, found.value, found.feedback_id, found.kind) == ("dwell", 7.5, "f1", "implicit")
    assert found.evidence == {"reported_as": "Dwell", "pages": "2"}


def test_a_page_that_was_left_open_counts_half_an_hour() -> None:
    (found,) = findings(DWELL, {"name": "dwell", "value": 40_000.0}, {"name": "dwell", "value": 10.0})
    assert (found.value, found.evidence["told_s"]) == (1810.0, "40010")


def test_what_is_no_time_has_a_reason() -> None:
    (found,) = findings(DWELL, {"name": "dwell"}, {"name": "dwell", "value": -1.0})
    assert (found.value, found.evidence["reason"]) == (None, "no number of seconds, from 0 up")


def test_the_sum_does_not_depend_on_the_order() -> None:
    seconds = [0.1, 0.2, 0.3, 1.7]
    sums = [findings(DWELL, *({"name": "dwell", "value": one} for one in order))[0].value for order in (seconds, seconds[::-1])]
    assert sums == [2.3, 2.3]
