"""Accuracies that nobody was told, found again from agreement; bad triples and abstentions do not move them."""

import numpy
import pytest

from penstock.errors import BadInputError
from penstock.statistics.pair_agreements import added, pair_agreements
from penstock.statistics.triplets import strengths, triplet_accuracies, triplet_model
from penstock.statistics.votes import votes_from_columns, votes_from_matrix
from tests.statistics.crowd_sets import crowd, needs_crowds
from tests.statistics.simulated_votes import binary_votes

RIGHT = [0.9, 0.8, 0.7, 0.6, 0.55, 0.35, 0.85]


@pytest.mark.parametrize("share_of_one", [0.5, 0.9])
@pytest.mark.parametrize("abstain", [0.0, 0.6])
def test_accuracies_come_back_whatever_the_prevalence_and_the_abstentions(share_of_one, abstain):
    matrix, _ = binary_votes(40_000, RIGHT, share_of_one=share_of_one, abstain=abstain)
    found = triplet_accuracies(pair_agreements(votes_from_matrix(matrix)))
    assert found.accuracy == pytest.approx(RIGHT, abs=0.02)
    assert found.triples.min() >= 3


def test_a_copied_function_does_not_spoil_the_accuracies_of_the_others():
    matrix, _ = binary_votes(40_000, [0.6, 0.6, 0.7, 0.75, 0.8, 0.85, 0.65], copies=[(0, 1, 1.0)])
    found = triplet_accuracies(pair_agreements(votes_from_matrix(matrix))).accuracy
    assert found == pytest.approx([0.6, 0.6, 0.7, 0.75, 0.8, 0.85, 0.65], abs=0.03)


def test_the_worse_than_random_are_told_from_the_better():
    matrix, _ = binary_votes(20_000, [0.9, 0.1, 0.8, 0.2, 0.85])
    assert triplet_accuracies(pair_agreements(votes_from_matrix(matrix))).accuracy == pytest.approx(
        [0.9, 0.1, 0.8, 0.2, 0.85], abs=0.02
    )


def test_days_are_added_up_to_one_accuracy():
    matrix, _ = binary_votes(4_000, RIGHT)
    days = [pair_agreements(votes_from_matrix(part)) for part in (matrix[:1_000], matrix[1_000:])]
    whole = triplet_accuracies(pair_agreements(votes_from_matrix(matrix)))
    assert triplet_accuracies(added(*days)).accuracy == pytest.approx(whole.accuracy)


def test_an_annotator_in_no_triple_is_unknown_and_not_average():
    matrix, _ = binary_votes(3_000, [0.8, 0.8, 0.8, 0.8])
    apart = numpy.vstack((matrix, numpy.full((100, 4), -1)))
    apart[:3_000, 3], apart[3_000:, 3] = -1, 1
    found = triplet_accuracies(pair_agreements(votes_from_matrix(apart)))
    assert numpy.isnan(found.accuracy[3])
    assert found.triples[3] == 0
    assert found.accuracy[:3] == pytest.approx([0.8] * 3, abs=0.05)


def test_error_rates_that_differ_by_class_and_a_rare_class_come_back():
    on_one, on_zero = [0.9, 0.6, 0.7, 0.5, 0.8], [0.8, 0.95, 0.99, 0.9, 0.85]
    matrix, truth = binary_votes(40_000, on_one, right_on_zero=on_zero, share_of_one=0.1, abstain=0.3)
    model = triplet_model(votes_from_matrix(matrix))
    assert model.prevalence[1] == pytest.approx(0.1, abs=0.015)
    assert model.confusion[:, 1, 1] == pytest.approx(on_one, abs=0.04)
    assert model.confusion[:, 0, 0] == pytest.approx(on_zero, abs=0.02)
    assert numpy.mean(model.posterior.argmax(axis=1) == truth) > 0.955


def test_a_prevalence_that_is_known_is_kept():
    matrix, _ = binary_votes(5_000, RIGHT, share_of_one=0.3)
    assert triplet_model(votes_from_matrix(matrix), prevalence=0.3).prevalence.tolist() == [0.7, 0.3]
    with pytest.raises(BadInputError, match=r"1\.0 is not between"):
        triplet_model(votes_from_matrix(matrix), prevalence=1.0)


@needs_crowds
@pytest.mark.parametrize(("name", "accuracy"), [("d_product", 0.91), ("rte", 0.91), ("bluebird", 0.88)])
def test_they_beat_the_majority_of_real_crowds(name, accuracy):
    votes, truth = crowd(name)
    assert numpy.mean(triplet_model(votes).posterior.argmax(axis=1) == truth) > accuracy


def test_more_than_two_classes_and_fewer_than_three_annotators_are_refused():
    with pytest.raises(BadInputError, match="3 classes"):
        triplet_accuracies(pair_agreements(votes_from_matrix([[0, 1, 2]])))
    with pytest.raises(BadInputError, match="2 annotators"):
        triplet_model(votes_from_matrix([[0, 1], [1, 1]]))
    with pytest.raises(BadInputError, match="Only annotator"):
        triplet_model(votes_from_columns([0, 1], [2, 2], [0, 1]))


def test_strengths_of_a_product_are_its_factors():
    factor = numpy.array([0.9, 0.5, -0.3, 0.7])
    found, triples = strengths(numpy.outer(factor, factor), numpy.full((4, 4), 1e-6))
    assert found == pytest.approx(factor)
    assert triples.tolist() == [3] * 4
