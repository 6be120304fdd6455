"""Patterns stand for their items exactly."""

import numpy

from penstock.statistics import vote_patterns as module
from penstock.statistics.vote_patterns import vote_patterns
from penstock.statistics.votes import answer_counts, votes_from_columns, votes_from_matrix


def test_every_item_gets_back_exactly_its_votes():
    matrix = numpy.random.default_rng(0).integers(-1, 3, (5_000, 4))
    patterns = vote_patterns(votes_from_matrix(matrix))
    assert patterns.counts.shape[0] == len(numpy.unique(matrix, axis=0)) <= 4**4
    assert patterns.multiplicity.sum() == 5_000
    assert (patterns.counts[patterns.pattern] != answer_counts(votes_from_matrix(matrix))).nnz == 0


def test_the_order_of_rows_does_not_matter_but_repeats_and_weights_do():
    columns = numpy.array([(0, 0, 1), (0, 1, 0), (1, 1, 0), (1, 0, 1), (2, 0, 1), (2, 0, 1), (2, 1, 0), (3, 0, 1), (3, 1, 0)]).T
    votes = votes_from_columns(*columns, weight=[1, 1, 1, 1, 1, 1, 1, 1, 0.5])
    pattern = vote_patterns(votes).pattern
    assert pattern[0] == pattern[1]
    assert len({pattern[0], pattern[2], pattern[3]}) == 3


def test_items_marked_apart_never_share_a_pattern():
    votes = votes_from_matrix([[0, 1], [0, 1], [0, 1]])
    pattern = vote_patterns(votes, numpy.array([-1, 1, 1])).pattern
    assert pattern[0] != pattern[1]
    assert pattern[1] == pattern[2]


def test_fingerprints_that_meet_by_chance_cost_time_and_no_truth(monkeypatch):
    monkeypatch.setattr(module, "_fingerprints", lambda counts, mark: numpy.zeros(counts.shape[0], dtype=numpy.int64))
    votes = votes_from_matrix([[0, 1], [1, 1], [-1, 0]])
    patterns = vote_patterns(votes)
    assert (patterns.counts[patterns.pattern] != answer_counts(votes)).nnz == 0
