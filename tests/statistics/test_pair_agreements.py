"""Sums over pairs: what two annotators share, agree on, and would agree on by chance."""

import numpy
import pytest

from penstock.errors import BadInputError
from penstock.statistics.pair_agreements import added, agreement_shares, chance_agreements, pair_agreements
from penstock.statistics.votes import votes_from_columns, votes_from_matrix


def test_pairs_are_counted_where_both_answered():
    sums = pair_agreements(votes_from_matrix([[0, 0, -1], [1, 0, 1], [1, 1, -1], [-1, 1, 1]]))
    assert sums.shared.tolist() == [[3, 3, 1], [3, 4, 2], [1, 2, 2]]
    assert sums.agreed[0].tolist() == [3, 2, 1]
    assert agreement_shares(sums)[0, 1] == pytest.approx(2 / 3)
    assert chance_agreements(sums)[0, 1] == pytest.approx(1 / 3 * 2 / 3 + 2 / 3 * 1 / 3)


def test_who_shares_nothing_has_no_share_of_agreement():
    sums = pair_agreements(votes_from_matrix([[0, -1], [-1, 1]]))
    assert numpy.isnan(agreement_shares(sums)[0, 1])
    assert numpy.isnan(chance_agreements(sums)[0, 1])


def test_an_annotators_several_answers_to_an_item_are_parts_of_one():
    sums = pair_agreements(votes_from_columns([0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 0, 1]))
    assert sums.shared[0, 1] == 1
    assert sums.agreed[0, 1] == pytest.approx(2 / 3)


def test_sums_of_two_days_are_the_sums_of_both():
    matrix = numpy.random.default_rng(0).integers(-1, 3, (300, 4))
    together, first, second = (pair_agreements(votes_from_matrix(part, 3)) for part in (matrix, matrix[:120], matrix[120:]))
    both = added(first, second)
    assert both.shared == pytest.approx(together.shared)
    assert both.agreed == pytest.approx(together.agreed)
    assert both.given == pytest.approx(together.given)


def test_items_counted_several_times_are_items_repeated():
    matrix = numpy.array([[0, 1, -1], [1, 1, 0]])
    repeated = pair_agreements(votes_from_matrix(numpy.repeat(matrix, [3, 2], axis=0)))
    counted = pair_agreements(votes_from_matrix(matrix), numpy.array([3.0, 2.0]))
    assert counted.given == pytest.approx(repeated.given)


def test_sums_of_different_annotators_are_not_added():
    with pytest.raises(BadInputError, match="different annotators"):
        added(pair_agreements(votes_from_matrix([[0, 1]])), pair_agreements(votes_from_matrix([[0, 1, 1]])))


def test_too_many_annotators_are_refused_before_their_pairs_fill_the_memory():
    with pytest.raises(BadInputError, match="60000 annotators"):
        pair_agreements(votes_from_columns([0, 0], [0, 59_999], [0, 1]))
