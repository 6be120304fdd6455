"""A rate of .30 of which .17 has arrived is found again, for delays of every shape, with intervals that cover."""

import math

import numpy
import pytest

from penstock.errors import BadInputError
from penstock.statistics.delayed_outcomes import delayed_rate, rate_given_delays
from penstock.statistics.outcome_delays import outcome_delays
from tests.statistics.simulated_delays import cohort, exponential, lognormal, weibull


def test_the_rate_is_found_that_the_arrived_half_hides():
    found = delayed_rate(cohort(50_000, 0.3, exponential(24), 48))
    assert found.naive == pytest.approx(0.1705, abs=0.003)
    assert found.rate == pytest.approx(0.30, abs=0.01)
    assert found.interval.low < 0.30 < found.interval.high
    assert found.interval.high - found.interval.low < 0.03
    assert (found.shape, found.spread, found.cases) == ("exponential", 1.0, 50_000)
    assert found.mean_delay == pytest.approx(24, abs=1.5)
    assert found.oldest_arrived == pytest.approx(1 - math.exp(-2), abs=0.02)
    assert found.mature_age == pytest.approx(24 * math.log(10), rel=0.06)
    assert found.provisional
    assert found.converged


@pytest.mark.parametrize(
    ("delays", "oldest", "shape"),
    [(weibull(0.5, 12), 96, "weibull"), (weibull(1.6, 24), 48, "weibull"), (lognormal(2, 1), 48, "lognormal")],
)
def test_the_shape_of_the_delays_is_told_from_the_data(delays, oldest, shape):
    found = delayed_rate(cohort(20_000, 0.3, delays, oldest, seed=1))
    assert found.shape == shape
    assert found.rate == pytest.approx(0.3, abs=0.02)
    assert found.misfit < 0.01


def test_a_wrong_shape_shows_as_a_misfit():
    cases = cohort(20_000, 0.3, weibull(0.5, 12), 96, seed=1)
    assert delayed_rate(cases, shape="exponential").misfit > 5 * delayed_rate(cases).misfit


@pytest.mark.parametrize(
    ("cases", "rate", "delays", "oldest"),
    [
        (500, 0.3, exponential(24), 48),
        pytest.param(2_000, 0.3, weibull(0.5, 12), 96, marks=pytest.mark.slow),
        (500, 0.3, exponential(24), 24),
    ],
)
def test_intervals_cover_the_rate_where_the_arrived_share_never_does(cases, rate, delays, oldest):
    found = [delayed_rate(cohort(cases, rate, delays, oldest, seed)) for seed in range(60)]
    assert numpy.mean([one.interval.low <= rate <= one.interval.high for one in found]) >= 0.9
    assert max(one.naive for one in found) < rate


def test_a_cohort_too_young_to_tell_says_so_by_its_interval():
    found = delayed_rate(cohort(500, 0.3, exponential(24), 4))
    assert found.provisional
    assert found.interval.low < 0.3
    assert found.interval.high > 0.9


def test_a_mature_cohort_keeps_its_plain_rate():
    found = delayed_rate(cohort(5_000, 0.3, exponential(1), 100))
    assert not found.provisional
    assert found.rate == pytest.approx(found.naive, abs=0.006)


def test_the_unit_of_time_does_not_matter():
    hours = cohort(2_000, 0.3, exponential(24), 48)
    seconds = outcome_delays(hours.delay * 3600, hours.age * 3600)
    first, second = delayed_rate(hours), delayed_rate(seconds)
    assert second.rate == pytest.approx(first.rate, rel=1e-4)
    assert second.mean_delay == pytest.approx(3600 * first.mean_delay, rel=1e-3)


@pytest.mark.parametrize("unit", [1.0, 6.0])
def test_times_in_whole_hours_or_shifts_give_the_rate_of_exact_ones(unit):
    exact = cohort(20_000, 0.3, exponential(24), 48, seed=2)
    rounded = outcome_delays(numpy.floor(exact.delay / unit) * unit, numpy.floor(exact.age / unit) * unit)
    assert rounded.resolution == unit
    found = delayed_rate(rounded)
    assert found.shape == "exponential"
    assert found.rate == pytest.approx(delayed_rate(exact).rate, abs=0.01)


def test_times_of_0_among_exact_ones_are_taken():
    exact = cohort(5_000, 0.3, exponential(24), 48, seed=3)
    delay = numpy.where(exact.delay < 0.2, 0.0, exact.delay)
    assert delayed_rate(outcome_delays(delay, exact.age)).rate == pytest.approx(delayed_rate(exact).rate, abs=0.03)


def test_a_handful_of_outcomes_gets_the_simplest_shape_and_a_wide_interval():
    found = delayed_rate(cohort(25, 0.3, exponential(24), 48, seed=4))
    assert found.shape == "exponential"
    assert found.interval.high - found.interval.low > 0.3


def test_all_at_once_and_all_arrived_are_no_special_case():
    found = delayed_rate(outcome_delays([0.0] * 30, [5.0] * 30))
    assert found.rate == pytest.approx(1.0, abs=1e-3)
    assert found.interval.low < 0.95


def test_a_million_cases_are_fitted():
    found = delayed_rate(cohort(1_000_000, 0.3, exponential(24), 96, seed=1))
    assert found.rate == pytest.approx(0.3, abs=0.003)
    assert found.interval.low < 0.3 < found.interval.high


def test_delays_that_are_known_from_older_cases_correct_the_young_ones_with_an_honest_interval():
    covered = 0
    for seed in range(200):
        known = numpy.random.default_rng(10_000 + seed).exponential(24, 100)
        estimate, interval = rate_given_delays(cohort(2_000, 0.3, exponential(24), 48, seed), known)
        assert estimate.value == pytest.approx(0.3, abs=0.12)
        covered += interval.low <= 0.3 <= interval.high
    assert covered / 200 > 0.92


def test_known_delays_have_to_be_some_and_short_enough():
    cases = outcome_delays([math.nan, 1.0], [2.0, 3.0])
    for known, said in (([], "0 known delays"), ([-1.0], r"the least -1\.0"), ([math.nan], "nan"), ([9.0], "the shortest known")):
        with pytest.raises(BadInputError, match=said):
            rate_given_delays(cases, known)


def test_a_cohort_without_outcomes_and_a_shape_nobody_knows_are_refused():
    with pytest.raises(BadInputError, match="None of 2 cases"):
        delayed_rate(outcome_delays([math.nan] * 2, [1.0, 2.0]))
    with pytest.raises(BadInputError, match="'gamma' is none of"):
        delayed_rate(outcome_delays([1.0], [2.0]), shape="gamma")


@pytest.mark.parametrize("unit", [0.0, 6.0])
def test_cases_in_parts_give_the_rate_and_the_interval_of_whole_ones(unit):
    exact = cohort(300, 0.3, exponential(24), 48, seed=7)
    delay, age = (numpy.floor(times / unit) * unit if unit else times for times in (exact.delay, exact.age))
    whole = outcome_delays(delay, age)
    parts = outcome_delays(numpy.repeat(delay, 3), numpy.repeat(age, 3), whole.resolution, weight=numpy.full(900, 1 / 3))
    one, other = delayed_rate(whole), delayed_rate(parts)
    assert (other.rate, other.interval.low, other.interval.high) == pytest.approx(
        (one.rate, one.interval.low, one.interval.high), rel=1e-3
    )
    assert (other.naive, other.cases, other.shape) == (pytest.approx(one.naive), pytest.approx(one.cases), one.shape)


def test_known_delays_in_parts_say_as_much_as_whole_ones():
    whole, known = cohort(300, 0.3, exponential(24), 48, seed=7), numpy.random.default_rng(1).exponential(24, 50)
    parts = outcome_delays(numpy.repeat(whole.delay, 2), numpy.repeat(whole.age, 2), weight=numpy.full(600, 0.5))
    (one, reach), (other, reached) = (
        rate_given_delays(whole, known), rate_given_delays(parts, numpy.repeat(known, 2), known_weights=numpy.full(100, 0.5)),
    )  # fmt: skip
    assert (other.value, other.variance, other.units) == (pytest.approx(one.value), pytest.approx(one.variance), one.units)
    assert (reached.low, reached.high) == pytest.approx((reach.low, reach.high))
