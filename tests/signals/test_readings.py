"""What signals are taken to say: the design's directions, and what users state instead."""

import numpy
import pytest

from penstock.errors import BadInputError
from penstock.labels.labelling_functions import FUNCTIONS
from penstock.signals.readings import BAD, GOOD, JUDGED_NAME, READINGS, outcome_reading, parse_readings, reading_of


def test_directions_are_those_of_the_design():
    higher = {name for name, reading in READINGS.items() if reading.higher_is_better}
    assert {
        "rating",
        "copy",
        "acceptance",
        "retention.*",
        "completion",
        "predicted_completion",
        "feedback",
        JUDGED_NAME,
    } == higher
    assert {"edit", "retry", "abandonment"} <= READINGS.keys() - higher


def test_a_stated_reading_replaces_the_usual_one_and_no_other():
    readings = parse_readings(["outcome.tests:good>=1, bad<1", "retry:bad>=.7"])
    assert str(readings["outcome.tests"]) == "good >=1, bad <1"
    assert [says for says, _ in readings["outcome.tests"].bounds()] == [GOOD, BAD]
    assert (readings["retry"].bad.threshold, readings["retry"].good) == (0.7, None)
    assert readings["edit"] == READINGS["edit"]


def test_an_outcome_is_read_as_its_definition_says_unless_it_is_stated():
    besides = {"outcome.paid": outcome_reading("high"), "outcome.refund": outcome_reading("low")}
    readings = parse_readings(["outcome.paid:good>=5"], besides)
    assert (str(readings["outcome.paid"]), str(readings["outcome.refund"])) == ("good >=5", "good <=0, bad >0")
    assert (besides["outcome.paid"].higher_is_better, besides["outcome.refund"].higher_is_better) == (True, False)


def test_a_bound_holds_alike_in_sql_and_in_numbers():
    bound = parse_readings(["x:good>=0.5"])["x"].good
    assert bound.sql("value") == "value >= 0.5"
    assert bound.holds(numpy.array([0.4, 0.5, numpy.nan])).tolist() == [False, True, False]


@pytest.mark.parametrize(
    "text",
    [
        "retry",
        "retry:",
        ":good>1",
        "retry:bad=1",
        "retry:bad>=x",
        "retry:bad>=1e999",
        "x:good>=0,bad<=0",
        "x:good>0,good>1",
        "x:good>0,bad>1",
    ],
)
def test_what_is_no_reading_is_refused(text):
    with pytest.raises(BadInputError, match="write NAME:good"):
        parse_readings([text])


def test_a_signal_of_a_family_is_read_as_the_family_unless_its_own_reading_is_stated():
    assert reading_of("retention.30s", READINGS) == reading_of("retention", READINGS) == READINGS["retention.*"]
    assert reading_of("retention.30s", parse_readings(["retention.30s:good>=0.9"])).good.threshold == 0.9
    assert reading_of("outcome.tests", READINGS) is None


def test_every_signal_that_a_built_in_labelling_function_reads_has_a_reading():
    assert [name for name in {function.signal for function in FUNCTIONS.values()} if reading_of(name, READINGS) is None] == []
