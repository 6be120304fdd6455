"""The majority, its ties by one rule, and what it reaches on real crowds."""

import numpy
import pytest

from penstock.statistics.majority_vote import majority_vote
from penstock.statistics.votes import votes_from_columns, votes_from_matrix
from tests.statistics.crowd_sets import crowd, needs_crowds


def test_the_class_with_most_votes_wins_and_a_silent_item_has_no_answer():
    vote = majority_vote(votes_from_matrix([[2, 2, 0], [1, -1, -1], [-1, -1, -1]]))
    assert vote.answer.tolist() == [2, 1, -1]
    assert vote.share[0].tolist() == pytest.approx([1 / 3, 0, 2 / 3])
    assert vote.share[2].tolist() == pytest.approx([1 / 3] * 3)
    assert not vote.tied.any()


def test_a_tie_goes_to_the_class_with_more_votes_overall_and_then_to_the_lower():
    leaning = majority_vote(votes_from_matrix([[0, 1], [1, 1]]))
    assert leaning.answer.tolist() == [1, 1]
    assert leaning.tied.tolist() == [True, False]
    assert majority_vote(votes_from_matrix([[1, 0], [0, 1]])).answer.tolist() == [0, 0]


def test_shared_weights_that_add_up_to_the_same_are_a_tie():
    votes = votes_from_columns([0] * 4, [0, 1, 2, 3], [0, 1, 1, 1], weight=[1.0, 1 / 3, 1 / 3, 1 / 3])
    assert majority_vote(votes).tied.all()


@needs_crowds
@pytest.mark.parametrize(("name", "accuracy"), [("d_product", 0.8966), ("rte", 0.8750), ("bluebird", 0.7593)])
def test_it_is_right_on_real_crowds_as_often_as_published(name, accuracy):
    votes, truth = crowd(name)
    assert numpy.mean(majority_vote(votes).answer == truth) == pytest.approx(accuracy, abs=5e-5)
