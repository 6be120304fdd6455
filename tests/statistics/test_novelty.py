import numpy
import pytest

from penstock.errors import BadInputError
from penstock.statistics.novelty import draw_probabilities, novelty


def test_a_new_kind_stands_out_from_strays_and_from_what_is_known() -> None:
    draw = numpy.random.default_rng(0)
    known, ordinary = draw.normal(size=(1_000, 3)), draw.normal(size=(300, 3))
    kind, stray = [1.5, -1.5, 1.5] + draw.normal(size=(20, 3)) * 0.05, [[-3.0, 3.0, -3.0]]
    score = novelty(numpy.concatenate([ordinary, kind, stray]), known)
    assert numpy.median(score[300:320]) > 3 * numpy.quantile(score[:300], 0.95)
    assert numpy.median(score[300:320]) > 2 * score[320]


def test_a_combination_is_novel_although_each_value_alone_is_common() -> None:
    value = numpy.random.default_rng(1).normal(size=2_000)
    new = [[1.0, 1.0], [1.01, 1.01], [1.02, 1.02], [1.0, -1.0], [1.01, -1.01], [1.02, -1.02]]
    score = novelty(new, numpy.column_stack([value, value]), 2)
    assert score[3:].min() > 10 * score[:3].max()


def test_the_unit_of_a_feature_decides_nothing_and_a_missing_value_is_the_middle() -> None:
    known = numpy.random.default_rng(2).normal(size=(200, 2))
    asked = numpy.array([[0.3, 1.2], [numpy.nan, 0.4], [0.5, 0.5]])
    assert novelty(asked * [1, 1000], known * [1, 1000]) == pytest.approx(novelty(asked, known))
    assert numpy.isfinite(novelty(asked, known)).all()


def test_a_few_rows_will_do_and_nothing_to_compare_with_will_not() -> None:
    assert novelty([[1.0]], [[1.0], [2.0]]).shape == (1,)
    assert novelty([[1.0], [3.0]], [[1.0]]).shape == (2,)
    with pytest.raises(BadInputError, match="cannot be compared"):
        novelty([[1.0]], numpy.zeros((0, 1)))
    with pytest.raises(BadInputError, match="cannot be compared"):
        novelty([[1.0, 2.0]], [[1.0]])


def test_as_many_are_drawn_as_the_budget_says_and_nobody_never() -> None:
    scores = numpy.array([0.0, 1.0, 1.0, 100.0, 50.0, 2.0])
    probability = draw_probabilities(scores, 3)
    assert probability.sum() == pytest.approx(3)
    assert probability.max() == 1.0 and probability.min() > 0
    assert int(probability.argmin()) == 0


def test_with_a_budget_for_all_all_are_drawn_and_without_novelty_all_alike() -> None:
    assert draw_probabilities([1.0, 2.0], 5).tolist() == [1.0, 1.0]
    assert draw_probabilities([0.0] * 4, 2).tolist() == [0.5] * 4


@pytest.mark.parametrize(("scores", "budget"), [([1.0], 0), ([-1.0, 2.0], 1), ([float("nan"), 1.0], 1)])
def test_what_cannot_be_drawn_by_is_said(scores: list[float], budget: float) -> None:
    with pytest.raises(BadInputError, match="cannot be drawn by"):
        draw_probabilities(scores, budget)
