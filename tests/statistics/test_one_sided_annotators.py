"""Rates of annotators of one answer, where the truth and thus the right rates are known."""

import numpy
import pytest

from penstock.errors import BadInputError
from penstock.statistics.dawid_skene import dawid_skene
from penstock.statistics.one_sided_annotators import speaking_rates
from penstock.statistics.votes import votes_from_matrix
from tests.statistics.simulated_votes import binary_votes

ONCE = numpy.ones(60_000)


def spoken(truth, in_zero, in_one, seed=1):
    return (numpy.random.default_rng(seed).random(len(truth)) < numpy.where(truth == 1, in_one, in_zero))[:, None]


def test_rates_are_found_through_a_posterior_that_is_unsure():
    matrix, truth = binary_votes(60_000, [0.7, 0.75, 0.65], share_of_one=0.7, abstain=0.3, seed=3)
    posterior = dawid_skene(votes_from_matrix(matrix, classes=2)).posterior
    spoke = spoken(truth, 0.3, 0.02)
    rates = speaking_rates(posterior, spoke, numpy.ones_like(spoke), ONCE)
    assert rates[0] == pytest.approx([0.3, 0.02], abs=0.03)
    blurred = posterior.T @ spoke[:, 0] / posterior.sum(axis=0)
    assert blurred[0] < 0.22  # what is found without undoing how unsure it is


def test_items_that_stand_for_many_count_as_often():
    posterior = numpy.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    spoke = numpy.array([[True], [False], [True], [False]])
    rates = speaking_rates(posterior, spoke, numpy.ones_like(spoke), numpy.array([3e6, 7e6, 1e6, 9e6]))
    assert rates[0] == pytest.approx([0.3, 0.1], abs=1e-4)


def test_where_it_could_not_have_spoken_its_silence_is_left_out():
    posterior = numpy.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    spoke = numpy.array([[True], [False], [True], [False]])
    could = numpy.array([[True], [False], [True], [True]])
    rates = speaking_rates(posterior, spoke, could, numpy.full(4, 1e6))
    assert rates[0] == pytest.approx([0.9999, 0.5], abs=1e-3)


def test_one_that_hardly_ever_speaks_says_little():
    posterior = numpy.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    spoke = numpy.array([[True], [False], [False]])
    rates = speaking_rates(posterior, spoke, numpy.ones_like(spoke), numpy.array([1.0, 500.0, 500.0]))
    assert rates[0, 0] / rates[0, 1] < 1_500  # the one time it spoke was in the first class, out of one: raw it is infinite


def test_one_that_never_speaks_says_nothing():
    rates = speaking_rates(numpy.full((5, 2), 0.5), numpy.zeros((5, 1), bool), numpy.ones((5, 1), bool), numpy.ones(5))
    assert rates[0, 0] == rates[0, 1]


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(BadInputError, match="do not fit"):
        speaking_rates(numpy.full((5, 2), 0.5), numpy.zeros((4, 1), bool), numpy.zeros((4, 1), bool), numpy.ones(4))
