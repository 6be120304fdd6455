"""A quantile of parts is that of what they are parts of."""

import math

import numpy
import pytest

from penstock.statistics.weighted_quantile import weighted_quantile


def test_with_equal_weights_it_is_the_plain_one():
    values = numpy.random.default_rng(0).normal(size=37)
    for share in (0.0, 0.5, 0.9, 1.0):
        assert weighted_quantile(values, numpy.full(37, 0.25), share) == pytest.approx(numpy.quantile(values, share))


def test_parts_weigh_less():
    values, weights = [0.0] * 10 + [5.0] * 30, [1.0] * 10 + [1 / 30] * 30
    assert numpy.quantile(values, 0.9) == 5.0
    assert weighted_quantile(values, weights, 0.5) == 0.0


def test_of_one_it_is_that_one_and_of_none_none():
    assert weighted_quantile([3.0], [0.2], 0.9) == 3.0
    assert math.isnan(weighted_quantile([], [], 0.9))
