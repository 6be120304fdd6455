"""Shares of unevenly drawn cases: their intervals cover the truth as often as they claim, whatever was drawn more often."""

import math

import numpy
import pytest

from penstock.statistics.cluster import NO_UNITS
from penstock.statistics.intervals import wilson_interval
from penstock.statistics.weighted_share import share_of_sums, weighted_share


def test_evenly_drawn_cases_have_the_interval_of_wilson():
    found = weighted_share([1, 1, 0, 1], [5.0] * 4)
    assert (found.value, found.effective_number, found.units) == pytest.approx((0.75, 4.0, 4))
    expected = wilson_interval(3, 4)
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high))


def test_cases_alike_have_the_interval_of_as_many_as_their_weights_leave():
    found = weighted_share([1, 1, 1], [8.0, 1.0, 1.0])
    assert (found.value, found.effective_number) == pytest.approx((1.0, 100 / 66))
    assert weighted_share([0, 0], [1.0, 1.0], ["a", "a"]).effective_number == pytest.approx(1.0)


def test_of_nothing_nothing_is_known():
    found = weighted_share([], [])
    assert math.isnan(found.value)
    assert (found.interval.low, found.interval.high, share_of_sums(NO_UNITS).effective_number) == (0.0, 1.0, 0.0)


def test_ten_alike_cases_of_every_user_count_as_one():
    hits, users = numpy.random.default_rng(1).random(100) < 0.4, numpy.arange(100)
    once = weighted_share(hits, numpy.ones(100), users)
    tenfold = weighted_share(numpy.repeat(hits, 10), numpy.ones(1_000), numpy.repeat(users, 10))
    assert (tenfold.value, tenfold.effective_number) == pytest.approx((once.value, once.effective_number))


@pytest.mark.parametrize(
    ("share", "drawn_good", "drawn_bad", "kish_covers"),
    [(0.1, 0.05, 0.5, "too rarely"), (0.9, 0.05, 0.5, "too often"), (0.5, 0.1, 0.3, "either"), (0.8, 0.2, 0.2, "either")],
)
def test_intervals_cover_whatever_was_drawn_more_often(share, drawn_good, drawn_bad, kish_covers):
    generator, covered, by_kish, rounds = numpy.random.default_rng(5), 0, 0, 1_000
    for _ in range(rounds):
        good = generator.random(2_500) < share
        probability = numpy.where(good, drawn_good, drawn_bad)
        drawn = generator.random(2_500) < probability
        weight = 1.0 / probability[drawn]
        found = weighted_share(good[drawn], weight)
        covered += found.interval.low < share < found.interval.high
        number = weight.sum() ** 2 / (weight**2).sum()
        kish = wilson_interval(found.value * number, number)
        by_kish += kish.low < share < kish.high
    assert 0.935 < covered / rounds < 0.97
    if kish_covers != "either":
        assert by_kish / rounds < 0.75 if kish_covers == "too rarely" else by_kish / rounds > 0.99
