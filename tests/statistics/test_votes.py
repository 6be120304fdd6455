"""Votes are checked once, where they come in; what is wrong is named with its value."""

import numpy
import pytest

from penstock.errors import BadInputError
from penstock.statistics.class_noise import class_noise
from penstock.statistics.label_model import fit_label_model
from penstock.statistics.votes import (
    answer_counts,
    class_counts,
    known_classes,
    require_comparable,
    votes_from_columns,
    votes_from_matrix,
)
from tests.statistics.simulated_votes import binary_votes


def test_a_matrix_and_its_columns_are_the_same_votes():
    dense = votes_from_matrix([[0, -1, 2], [1, 1, -1]])
    rows = votes_from_columns([0, 0, 1, 1], [0, 2, 0, 1], [0, 2, 1, 1])
    for one, other in ((dense.item, rows.item), (dense.annotator, rows.annotator), (dense.answer, rows.answer)):
        assert one.tolist() == other.tolist()
    assert (dense.items, dense.annotators, dense.classes) == (rows.items, rows.annotators, rows.classes) == (2, 3, 3)


def test_repeated_answers_are_counted_and_silent_items_stay():
    votes = votes_from_columns([0, 0, 0], [1, 1, 0], [1, 1, 0], items=2)
    assert answer_counts(votes).toarray().tolist() == [[1, 0, 0, 2], [0, 0, 0, 0]]
    assert class_counts(votes).tolist() == [[1, 2], [0, 0]]


@pytest.mark.parametrize(
    ("matrix", "classes", "said"),
    [
        ([], None, r"shape \(0,\)"),
        ([[]], None, r"shape \(1, 0\)"),
        ([0, 1, 1], None, r"shape \(3,\)"),
        ([[-1, -1], [-1, -1]], None, "0 votes"),
        ([[0, 0], [0, 0]], None, "1 class"),
        ([[0, 1], [3, 0]], 2, "class 3, but there are 2"),
        ([[0, 1], [-2, 0]], None, "holds -2"),
        ([[0, 1], [float("nan"), 0]], None, "1 NaN"),
        ([[0, 1], [0.5, 0]], None, r"0\.5"),
        ([[0, 1], [float("inf"), 0]], None, "whole numbers"),
        ([["yes", "no"]], None, "values; give whole numbers"),
    ],
)
def test_a_matrix_that_is_none_is_refused_with_the_value(matrix, classes, said):
    with pytest.raises(BadInputError, match=said):
        votes_from_matrix(matrix, classes)


@pytest.mark.parametrize(
    ("columns", "more", "said"),
    [
        (([0, 1], [0], [0, 1]), {}, "one length"),
        (([0, -1], [0, 1], [0, 1]), {}, "item -1"),
        (([0, 5], [0, 1], [0, 1]), {"items": 5}, "item 5, but there are 5"),
        (([0, 1], [0, 7], [0, 1]), {"annotators": 3}, "annotator 7, but there are 3"),
        (([0, 1], [0, 1], [0, 1]), {"weight": [1.0, 0.0]}, "positive"),
        (([0, 1], [0, 1], [0, 1]), {"weight": [1.0, float("nan")]}, "positive"),
    ],
)
def test_columns_that_are_none_are_refused_with_the_value(columns, more, said):
    with pytest.raises(BadInputError, match=said):
        votes_from_columns(*columns, **more)


def test_whole_numbers_that_came_as_floats_are_taken():
    assert votes_from_matrix(numpy.array([[0.0, 1.0], [-1.0, 1.0]])).answer.tolist() == [0, 1, 1]


def test_one_annotator_or_one_answer_cannot_be_compared():
    with pytest.raises(BadInputError, match="Only annotator 0"):
        require_comparable(votes_from_matrix([[0], [1]]))
    with pytest.raises(BadInputError, match="class 1"):
        require_comparable(votes_from_matrix([[1, 1], [1, -1]], classes=2))


@pytest.mark.parametrize(("truth", "said"), [([0], r"shape \(1,\)"), ([0, 2], "is 2"), ([0, -3], "is -3")])
def test_known_classes_have_to_fit_the_votes(truth, said):
    with pytest.raises(BadInputError, match=said):
        known_classes(truth, votes_from_matrix([[0, 1], [1, 1]]))


def test_items_that_stand_for_many_are_the_same_as_many_items():
    matrix, _ = binary_votes(3_000, [0.8, 0.7, 0.75, 0.9, 0.6], copies=[(0, 4, 0.9)], share_of_one=0.3, abstain=0.3, seed=8)
    audited = numpy.where(numpy.arange(3_000) % 10 == 0, 1, -1)
    rows, times = numpy.unique(numpy.column_stack((matrix, audited)), axis=0, return_counts=True)
    every, few = votes_from_matrix(matrix, classes=2), votes_from_matrix(rows[:, :5], classes=2, times=times)
    for method in ("dawid_skene", "triplets", "majority"):
        apart, together = fit_label_model(every, method=method), fit_label_model(few, method=method)
        assert apart.groups == together.groups
        assert together.prevalence == pytest.approx(apart.prevalence, abs=1e-4)
        assert together.confusion is None or together.confusion == pytest.approx(apart.confusion, abs=1e-4)
    noise, counted = class_noise(every, audited), class_noise(few, rows[:, 5])
    assert counted.belief_low == pytest.approx(noise.belief_low, nan_ok=True)
    assert counted.audited.tolist() == noise.audited.tolist()


@pytest.mark.parametrize("times", [[1.0], [1.0, 0.0], [1.0, numpy.nan]])
def test_times_that_are_no_numbers_of_items_are_refused(times):
    with pytest.raises(BadInputError, match="times of 2 items"):
        votes_from_matrix([[0, 1], [1, 1]], times=times)
