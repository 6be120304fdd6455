"""Rates of an audited sample with intervals that cover, evenly drawn or not."""

import numpy
import pytest

from penstock.errors import BadInputError
from penstock.statistics.class_noise import class_noise, nearer_the_audit
from penstock.statistics.intervals import wilson_interval
from penstock.statistics.votes import votes_from_matrix
from tests.statistics.simulated_votes import binary_votes


def test_rates_are_counted_on_audited_items_only():
    votes = votes_from_matrix([[1, 0], [0, 0], [1, -1], [1, 1], [0, 1]])
    noise = class_noise(votes, [1, 1, 1, 0, -1])
    assert noise.confusion[0, 1].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert noise.belief[0, :, 1].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert noise.audited.tolist() == [[1, 3], [1, 2]]
    expected = wilson_interval(2, 3)
    assert (noise.confusion_low[0, 1, 1], noise.confusion_high[0, 1, 1]) == pytest.approx((expected.low, expected.high))


def test_who_was_never_audited_is_unknown_from_0_to_1():
    noise = class_noise(votes_from_matrix([[1, -1], [0, 1]]), [1, -1])
    assert numpy.isnan(noise.confusion[1]).all()
    assert (noise.confusion_low[1].max(), noise.confusion_high[1].min()) == (0.0, 1.0)


def test_intervals_cover_the_truth_about_as_often_as_they_claim():
    covered, rounds = numpy.zeros(2), 300
    for seed in range(rounds):
        matrix, truth = binary_votes(200, [0.75], right_on_zero=[0.9], share_of_one=0.4, seed=seed)
        noise = class_noise(votes_from_matrix(matrix), truth)
        precision = 0.4 * 0.75 / (0.4 * 0.75 + 0.6 * 0.1)
        covered += [
            noise.confusion_low[0, 1, 1] < 0.75 < noise.confusion_high[0, 1, 1],
            noise.belief_low[0, 1, 1] < precision < noise.belief_high[0, 1, 1],
        ]
    assert numpy.all((covered / rounds > 0.92) & (covered / rounds < 0.985))


def test_an_audit_drawn_for_its_answers_is_weighted_back():
    matrix, truth = binary_votes(40_000, [0.8], right_on_zero=[0.95], share_of_one=0.1, seed=1)
    probability = numpy.where(matrix[:, 0] == 1, 0.5, 0.02)  # mostly positives are looked at
    drawn = numpy.random.default_rng(2).random(40_000) < probability
    audited = numpy.where(drawn, truth, -1)
    votes = votes_from_matrix(matrix)
    plain, weighted = class_noise(votes, audited), class_noise(votes, audited, probability=probability)
    assert plain.confusion[0, 1, 1] > 0.95  # it takes the recall for better than it is
    assert weighted.confusion[0, 1, 1] == pytest.approx(0.8, abs=0.06)
    assert weighted.confusion_low[0, 1, 1] < 0.8 < weighted.confusion_high[0, 1, 1]
    assert weighted.confusion_high[0, 1, 1] - weighted.confusion_low[0, 1, 1] > 0.03


def test_an_audit_of_nothing_or_with_impossible_probabilities_is_refused():
    votes = votes_from_matrix([[1, 0], [0, 0]])
    with pytest.raises(BadInputError, match="None of 2 items"):
        class_noise(votes, [-1, -1])
    with pytest.raises(BadInputError, match="shape"):
        class_noise(votes, [1, 0], probability=[0.5])
    for wrong in (0.0, 1.5, float("nan")):
        with pytest.raises(BadInputError, match=str(wrong)):
            class_noise(votes, [1, -1], probability=[wrong, 0.5])
    class_noise(votes, [1, -1], probability=[0.5, float("nan")])  # who was not drawn needs no probability


@pytest.mark.parametrize("drawn_good, drawn_bad", [(0.05, 0.5), (0.5, 0.05)])
def test_intervals_cover_when_the_bad_were_drawn_more_often_or_less_than_the_good(drawn_good, drawn_bad):
    covered, rounds, precision = numpy.zeros(2), 400, 0.8 * 0.9 / (0.8 * 0.9 + 0.2 * 0.3)
    for seed in range(rounds):
        matrix, truth = binary_votes(3_000, [0.9], right_on_zero=[0.7], share_of_one=0.8, seed=seed)
        right = matrix[:, 0] == truth
        probability = numpy.where(right, drawn_good, drawn_bad)
        drawn = numpy.random.default_rng(10_000 + seed).random(3_000) < probability
        noise = class_noise(votes_from_matrix(matrix), numpy.where(drawn, truth, -1), probability=probability)
        covered += [
            noise.confusion_low[0, 0, 0] < 0.7 < noise.confusion_high[0, 0, 0],
            noise.belief_low[0, 1, 1] < precision < noise.belief_high[0, 1, 1],
        ]
    assert numpy.all((covered / rounds > 0.92) & (covered / rounds < 0.98))


def test_a_models_rates_are_pulled_to_an_audit_by_its_size():
    matrix, truth = binary_votes(4_000, [0.9], share_of_one=0.5, seed=4)
    wrong = numpy.full((1, 2, 2), 0.5)
    few, many = (
        nearer_the_audit(wrong, class_noise(votes_from_matrix(matrix), numpy.where(numpy.arange(4_000) < number, truth, -1)))
        for number in (20, 4_000)
    )
    assert 0.5 < few[0, 1, 1] < 0.6
    assert many[0, 1, 1] == pytest.approx(0.9, abs=0.04)
    assert many.sum(axis=2) == pytest.approx(numpy.ones((1, 2)))
