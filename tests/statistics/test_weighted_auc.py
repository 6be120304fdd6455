"""The AUC: by hand, as scikit-learn has it, and with intervals that cover."""

import math

import numpy
import pytest
from scipy.special import ndtr
from sklearn.metrics import roc_auc_score

from penstock.statistics.weighted_auc import weighted_auc


def test_ties_count_half():
    found = weighted_auc([1.0, 0.5, 0.5, 0.0], [True, True, False, False], numpy.ones(4), numpy.arange(4))
    assert found.value == pytest.approx(0.875)


def test_it_agrees_with_scikit_learn_weights_included():
    generator = numpy.random.default_rng(0)
    good, value, weight = generator.random(300) < 0.4, generator.integers(0, 9, 300), generator.random(300) + 0.1
    found = weighted_auc(value, good, weight, numpy.arange(300))
    assert found.value == pytest.approx(roc_auc_score(good, value, sample_weight=weight))


def test_one_class_alone_tells_nothing():
    found = weighted_auc([1.0, 0.0], [True, True], [1.0, 1.0], [0, 1])
    assert math.isnan(found.value)
    assert (found.interval.low, found.interval.high) == (0.0, 1.0)


def test_intervals_cover_when_the_bad_were_drawn_more_often():
    generator, truth, covered, rounds = numpy.random.default_rng(4), float(ndtr(1 / numpy.sqrt(2))), 0, 400
    for _ in range(rounds):
        good = generator.random(3_000) < 0.8
        probability = numpy.where(good, 0.05, 0.3)
        drawn = generator.random(3_000) < probability
        value = generator.normal(good.astype(float), 1.0)[drawn]
        found = weighted_auc(value, good[drawn], 1.0 / probability[drawn], numpy.arange(drawn.sum()))
        covered += found.interval.low < truth < found.interval.high
    assert 0.92 < covered / rounds < 0.98


def test_cases_of_one_user_count_as_one():
    generator = numpy.random.default_rng(6)
    good = generator.random(200) < 0.5
    value, users = generator.normal(good.astype(float)), numpy.arange(200)
    one = weighted_auc(value, good, numpy.ones(200), users)
    ten = weighted_auc(numpy.repeat(value, 10), numpy.repeat(good, 10), numpy.ones(2_000), numpy.repeat(users, 10))
    assert (ten.value, ten.interval.low) == pytest.approx((one.value, one.interval.low))
