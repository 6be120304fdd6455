"""What young cases say is counted for as long as they were watched; what cannot be is refused."""

import math

import numpy
import pytest
from scipy.stats import CensoredData, ecdf

from penstock.errors import BadInputError
from penstock.statistics.intervals import wilson_interval
from penstock.statistics.outcome_delays import arrival_curve, outcome_delays, rate_within
from tests.statistics.simulated_delays import cohort, exponential


def test_the_curve_of_arrivals_agrees_with_scipy():
    cases = cohort(300, 0.6, exponential(10), 30)
    came = ~numpy.isnan(cases.delay)
    theirs = ecdf(CensoredData(uncensored=cases.delay[came], right=cases.age[~came])).cdf
    time, share = arrival_curve(cases)
    assert share == pytest.approx(theirs.evaluate(time))


def test_the_rate_within_a_horizon_counts_the_young_and_covers_the_truth():
    truth, covered, naive = 0.3 * (1 - math.exp(-1)), 0, 0
    for seed in range(200):
        cases = cohort(1_000, 0.3, exponential(24), 48, seed)
        within = rate_within(cases, 24)
        covered += within.interval.low <= truth <= within.interval.high
        naive += truth <= wilson_interval(float((cases.delay <= 24).sum()), 1_000).high
    assert covered / 200 > 0.92
    assert naive / 200 < 0.2


def test_cases_all_watched_to_the_horizon_give_the_plain_share_and_its_wilson_interval():
    within = rate_within(outcome_delays([1.0, 2.0, 9.0, math.nan, math.nan], [10.0] * 5), 5.0)
    expected = wilson_interval(2, 5)
    assert within.rate == pytest.approx(0.4)
    assert (within.interval.low, within.interval.high) == pytest.approx((expected.low, expected.high))
    assert within.watched == 3


def test_no_outcome_and_nothing_but_outcomes_still_have_intervals_of_some_width():
    none = rate_within(outcome_delays([math.nan] * 20, [10.0] * 20), 5.0)
    assert (none.rate, none.interval.low) == (0.0, 0.0)
    assert 0.1 < none.interval.high < 0.3
    every = rate_within(outcome_delays([1.0] * 20, [10.0] * 20), 5.0)
    assert (every.rate, every.interval.high) == (1.0, 1.0)
    assert every.interval.low < 1.0


def test_a_horizon_nobody_was_watched_for_is_refused():
    with pytest.raises(BadInputError, match=r"watched for 11\.0: the oldest case is 10"):
        rate_within(outcome_delays([1.0], [10.0]), 11.0)


def test_the_grid_that_times_lie_on_is_seen_and_can_be_stated():
    hours = numpy.arange(200) % 48
    assert outcome_delays(numpy.full(200, numpy.nan), hours * 0.25).resolution == 0.25
    assert outcome_delays(numpy.full(200, numpy.nan), hours, resolution=0.0).resolution == 0.0
    assert cohort(200, 0.5, exponential(5), 10).resolution == 0.0
    with pytest.raises(BadInputError, match=r"resolution is -1"):
        outcome_delays([1.0], [2.0], resolution=-1.0)


@pytest.mark.parametrize(
    ("delay", "age", "said"),
    [
        ([], [], "0 cases"),
        ([1.0], [2.0, 3.0], "shape"),
        ([math.nan], [math.nan], "Case 0 is nan old"),
        ([math.nan, 1.0], [math.inf, 2.0], "Case 0 is inf old"),
        ([math.nan], [-1.0], r"is -1\.0 old"),
        ([1.0, 3.0], [2.0, 2.0], r"case 1 came after 3\.0"),
        ([-1.0], [2.0], r"came after -1\.0"),
    ],
)
def test_cases_that_cannot_be_are_refused_with_the_value(delay, age, said):
    with pytest.raises(BadInputError, match=said):
        outcome_delays(delay, age)


def in_parts(cases, parts=3):
    """The same cases, each in so many parts."""
    weight = numpy.full(parts * len(cases.age), 1.0 / parts)
    return outcome_delays(numpy.repeat(cases.delay, parts), numpy.repeat(cases.age, parts), weight=weight)


def test_a_case_in_parts_says_as_much_as_a_whole_one():
    whole = cohort(200, 0.4, exponential(24), 48)
    parts = in_parts(whole)
    assert parts.number == pytest.approx(200)
    numpy.testing.assert_allclose(arrival_curve(parts), arrival_curve(whole))
    one, other = rate_within(whole, 24.0), rate_within(parts, 24.0)
    assert (other.rate, other.interval.low, other.interval.high, other.watched) == pytest.approx(
        (one.rate, one.interval.low, one.interval.high, one.watched)
    )


@pytest.mark.parametrize("weight", [[1.0], [1.0, 0.0], [1.0, math.nan]])
def test_a_weight_that_is_none_is_refused(weight):
    with pytest.raises(BadInputError, match="weights have shape"):
        outcome_delays([1.0, math.nan], [2.0, 2.0], weight=weight)
