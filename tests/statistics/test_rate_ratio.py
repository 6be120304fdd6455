"""How many times as often: by hand, and with intervals that cover."""

import math

import numpy
import pytest

from penstock.statistics.rate_ratio import rate_ratio


def test_a_ratio_is_that_of_the_rates_of_all_cases():
    found = rate_ratio([2, 0], [4, 1], [0, 1], [0, 10])
    assert (found.first, found.second, found.value) == pytest.approx((0.4, 0.1, 4.0))
    assert found.interval.low < 4.0 < found.interval.high


def test_where_a_group_is_empty_or_never_does_it_nothing_is_claimed():
    for empty in (rate_ratio([0], [0], [1], [2]), rate_ratio([1], [2], [0], [3])):
        assert math.isnan(empty.value)
        assert (empty.interval.low, empty.interval.high) == (0.0, math.inf)
    never = rate_ratio([0], [5], [1], [2])
    assert (never.value, never.interval.high) == (0.0, math.inf)


def test_intervals_cover_the_true_ratio_when_users_are_in_both_groups():
    generator, covered, rounds = numpy.random.default_rng(3), 0, 400
    for _ in range(rounds):
        inclination = generator.beta(2, 8, 500)
        counts, others = generator.poisson(3, 500), generator.poisson(6, 500)
        totals, other_totals = generator.binomial(counts, inclination), generator.binomial(others, inclination / 2)
        found = rate_ratio(totals, counts, other_totals, others)
        covered += found.interval.low < 2.0 < found.interval.high
    assert 0.92 < covered / rounds < 0.98
