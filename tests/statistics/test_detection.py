import numpy
import pytest
from scipy.special import ndtr, ndtri

from penstock.errors import BadInputError
from penstock.statistics.detection import compare_detection, detection


def test_positives_above_the_threshold_that_lets_one_negative_in_a_hundred_through_are_found() -> None:
    negative = numpy.arange(100.0)
    found = detection(numpy.append(negative, [98.5, 99.5, 10.0]), [0] * 100 + [1] * 3, 0.01)
    assert (found.detected, found.false_positives, found.threshold) == (2 / 3, 0.01, 98.0)


def test_equal_scores_are_flagged_together_or_not_at_all() -> None:
    tied = detection([1.0, 1.0, 1.0, 0.0, 0.0], [1, 1, 0, 0, 0], 0.3)
    assert (tied.detected, tied.threshold) == (0.0, 1.0)
    assert detection([1.0, 1.0, 1.0, 0.0, 0.0], [1, 1, 0, 0, 0], 0.34).detected == 1.0


def test_a_row_of_weight_four_is_four_rows() -> None:
    score, positive = numpy.array([5.0, 4.0, 3.0, 2.0, 1.0]), numpy.array([1, 0, 1, 0, 0])
    weight = numpy.array([1, 1, 4, 4, 4])
    weighted = detection(score, positive, 0.2, weight=weight)
    assert weighted.detected == detection(score.repeat(weight), positive.repeat(weight), 0.2).detected == 1.0


def test_a_label_of_one_half_counts_on_both_sides() -> None:
    assert detection([3.0, 2.0, 1.0], [1.0, 0.5, 0.0], 0.4).detected == 1.0
    assert detection([3.0, 2.0, 1.0], [1.0, 0.5, 0.0], 0.3).detected == pytest.approx(2 / 3)


@pytest.mark.slow
def test_the_interval_covers_the_truth_although_the_threshold_is_estimated() -> None:
    draw, rate, covered, runs = numpy.random.default_rng(1), 0.02, 0, 200

    truth = float(ndtr(1.5 - ndtri(1 - rate)))
    for _ in range(runs):
        score = numpy.concatenate([draw.normal(size=2_000), draw.normal(1.5, size=300)])
        interval = detection(score, [0] * 2_000 + [1] * 300, rate).interval
        covered += interval.low <= truth <= interval.high
    assert 0.9 <= covered / runs <= 0.99


def test_rows_of_one_unit_say_less_than_rows_of_many() -> None:
    draw = numpy.random.default_rng(2)
    score, unit = numpy.concatenate([draw.normal(size=500), draw.normal(2, size=20)]), numpy.arange(520)
    positive = numpy.arange(520) >= 500
    alone = detection(score, positive, 0.05, unit=unit).interval
    copied = detection(score.repeat(5), positive.repeat(5), 0.05, unit=unit.repeat(5)).interval
    taken_for_many = detection(score.repeat(5), positive.repeat(5), 0.05).interval
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))
    assert taken_for_many.high - taken_for_many.low < 0.7 * (alone.high - alone.low)


def test_a_comparison_is_made_pair_by_pair() -> None:
    draw = numpy.random.default_rng(3)
    positive = numpy.arange(1_000) >= 900
    score = numpy.concatenate([draw.normal(size=900), draw.normal(1, size=100)])
    same = compare_detection(score, score * 3 + 1, positive, 0.05)
    assert (same.difference, same.interval.low, same.interval.high) == (0.0, 0.0, 0.0)
    better = compare_detection(score + positive * 0.5, score, positive, 0.05)
    apart = better.candidate.interval.high - better.candidate.interval.low
    assert better.interval.low > 0
    assert better.interval.high - better.interval.low < apart


def test_the_same_rows_give_the_same_interval() -> None:
    draw = numpy.random.default_rng(4)
    score, positive = draw.normal(size=300), draw.random(300) < 0.2
    assert detection(score, positive, 0.05) == detection(score, positive, 0.05)


@pytest.mark.parametrize(
    ("score", "positive", "rate", "message"),
    [
        ([1.0, 2.0], [1, 1], 0.1, "one side"),
        ([1.0, 2.0], [0, 1], 0.0, "false-positive rate is 0"),
        ([1.0, float("nan")], [0, 1], 0.1, "NaN"),
        ([1.0, 2.0], [0, 1, 1], 0.1, "3 classes for 2 rows"),
        ([1.0, 2.0], [0, 2], 0.1, "from 0"),
    ],
)
def test_what_cannot_be_measured_is_said(score: list[float], positive: list[float], rate: float, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        detection(score, positive, rate)
