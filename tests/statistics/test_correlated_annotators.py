"""Copies are found and count once; independent annotators are left alone, however good they are."""

import numpy
import pytest

from penstock.errors import BadInputError
from penstock.statistics.correlated_annotators import correlated_annotators, merge_annotators
from penstock.statistics.dawid_skene import dawid_skene
from penstock.statistics.votes import class_counts, votes_from_columns, votes_from_matrix
from tests.statistics.crowd_sets import anaesthetists, crowd, needs_crowds
from tests.statistics.simulated_votes import binary_votes, confused_votes

RIGHT = [0.65, 0.65, 0.65, 0.65, 0.7, 0.75, 0.8, 0.85]


def joined(votes):
    return [group for group in correlated_annotators(votes).groups if len(group) > 1]


def accuracy(votes, truth):
    return numpy.mean(dawid_skene(votes).posterior.argmax(axis=1) == truth)


@pytest.mark.parametrize(
    ("copies", "groups"),
    [
        ([], []),
        ([(0, 1, 1.0)], [(0, 1)]),
        ([(0, 1, 0.6)], [(0, 1)]),
        ([(0, 1, 1.0), (2, 3, 1.0), (4, 5, 0.9)], [(0, 1), (2, 3), (4, 5)]),
        ([(0, 1, 0.9), (0, 2, 0.9), (0, 3, 0.9)], [(0, 1, 2, 3)]),
    ],
)
def test_the_copies_and_nobody_else_are_joined(copies, groups):
    matrix, _ = binary_votes(6_000, RIGHT, share_of_one=0.4, abstain=0.1, copies=copies, seed=3)
    assert joined(votes_from_matrix(matrix)) == groups


def test_the_dependence_is_how_often_the_copy_is_one():
    for probability in (0.5, 0.8, 1.0):
        matrix, _ = binary_votes(30_000, RIGHT, copies=[(0, 1, probability)], seed=4)
        (pair,) = correlated_annotators(votes_from_matrix(matrix)).pairs
        assert (pair.first, pair.second, pair.shared) == (0, 1, 30_000)
        assert pair.dependence == pytest.approx(probability, abs=0.06)
        assert pair.deviations > 4


def test_weak_copies_outvote_the_truth_until_they_are_joined():
    matrix, truth = binary_votes(6_000, RIGHT, copies=[(0, 1, 0.9), (0, 2, 0.9), (0, 3, 0.9)], share_of_one=0.4, seed=5)
    votes = votes_from_matrix(matrix)
    assert accuracy(votes, truth) < 0.7
    assert accuracy(merge_annotators(votes, correlated_annotators(votes).groups), truth) > 0.88


def test_copies_are_found_among_several_classes_and_confusable_ones_are_no_copies():
    generator = numpy.random.default_rng(0)
    confusion = numpy.array([0.4 * generator.dirichlet(numpy.ones(4), 4) + 0.6 * numpy.eye(4) for _ in range(7)])
    matrix, _ = confused_votes(8_000, confusion, [0.4, 0.3, 0.2, 0.1])
    assert joined(votes_from_matrix(matrix)) == []
    matrix[:, 6] = numpy.where(generator.random(8_000) < 0.8, matrix[:, 2], matrix[:, 6])
    assert joined(votes_from_matrix(matrix)) == [(2, 6)]


def test_excellent_annotators_agree_nearly_always_and_are_no_copies():
    matrix, _ = binary_votes(5_000, [0.97, 0.97, 0.98, 0.96, 0.7])
    assert joined(votes_from_matrix(matrix)) == []


def test_independent_annotators_are_joined_in_at_most_one_of_a_hundred_runs():
    joins = [joined(votes_from_matrix(binary_votes(400, RIGHT, abstain=0.2, seed=seed)[0])) for seed in range(100)]
    assert sum(bool(groups) for groups in joins) <= 1


def test_many_annotators_are_cleared_by_a_coarse_look_and_copies_among_them_found():
    generator = numpy.random.default_rng(1)
    matrix, _ = binary_votes(1_500, generator.uniform(0.6, 0.9, 70), copies=[(0, 1, 1.0), (0, 2, 0.9), (30, 40, 0.9)])
    assert joined(votes_from_matrix(matrix)) == [(0, 1, 2), (30, 40)]


@needs_crowds
@pytest.mark.parametrize("name", ["rte", "bluebird"])
def test_people_who_worked_alone_are_not_joined(name):
    assert joined(crowd(name)[0]) == []


def test_too_little_in_common_joins_nobody():
    assert joined(anaesthetists()) == []
    assert joined(votes_from_matrix(binary_votes(500, [0.8, 0.8, 0.8], copies=[(0, 1, 1.0)])[0])) == []
    assert joined(votes_from_matrix(binary_votes(20, RIGHT, copies=[(0, 1, 1.0)])[0])) == []


def test_members_share_one_vote_and_other_annotators_keep_theirs():
    votes = votes_from_matrix([[1, 1, 0], [1, 0, 0], [-1, 1, 1]])
    merged = merge_annotators(votes, [(0, 1), (2,)])
    assert merged.annotators == 2
    assert class_counts(merged).tolist() == [[1.0, 1.0], [1.5, 0.5], [0.0, 2.0]]


def test_a_member_who_answered_twice_counts_once_among_the_members():
    votes = votes_from_columns([0, 0, 0], [0, 0, 1], [1, 1, 0])
    assert class_counts(merge_annotators(votes, [(0, 1)])).tolist() == [[0.5, 1.0]]


def test_groups_have_to_name_everybody_once():
    votes = votes_from_matrix([[0, 1, 1]])
    for groups in ([(0, 1)], [(0, 1), (1, 2)], [(0, 1), (3,)]):
        with pytest.raises(BadInputError, match="each of 3"):
            merge_annotators(votes, groups)
    with pytest.raises(BadInputError, match="merged_from is 0"):
        correlated_annotators(votes, merged_from=0.0)
