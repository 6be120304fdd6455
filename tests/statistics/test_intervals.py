"""Intervals against values computed by others, and at the edges of what can be counted."""

import numpy
import pytest
from scipy.stats import binomtest

from penstock.statistics.intervals import Estimate, normal_interval, two_sided_quantile, wilson_bounds, wilson_interval


def test_the_wilson_interval_agrees_with_scipy():
    theirs = binomtest(37, 120).proportion_ci(method="wilson")
    ours = wilson_interval(37, 120)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_the_wilson_interval_stays_within_zero_and_one():
    assert wilson_interval(0, 5).low == 0.0
    assert wilson_interval(5, 5).high == 1.0


def test_nothing_tried_means_nothing_known():
    nothing = wilson_interval(0, 0)
    assert (nothing.low, nothing.high) == (0.0, 1.0)


def test_many_intervals_at_once_are_the_same_as_one_by_one():
    low, high = wilson_bounds(numpy.array([[3, 0], [7, 4]]), numpy.array([[10, 0], [7, 9]]))
    assert low.shape == (2, 2)
    for place, (successes, trials) in {(0, 0): (3, 10), (0, 1): (0, 0), (1, 0): (7, 7), (1, 1): (4, 9)}.items():
        one = wilson_interval(successes, trials)
        assert (low[place], high[place]) == pytest.approx((one.low, one.high))


def test_a_95_percent_interval_reaches_1_96_standard_errors():
    interval = normal_interval(Estimate(value=1.0, variance=0.25, units=50))
    assert (interval.low, interval.high) == pytest.approx((1 - 0.98, 1 + 0.98), abs=1e-4)
    assert two_sided_quantile(0.9) == pytest.approx(1.644854, abs=1e-6)
