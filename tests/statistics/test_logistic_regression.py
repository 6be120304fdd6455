"""Coefficients are recovered, and a row is predicted by models that never saw its fold."""

import numpy
import pytest
from scipy.special import expit

from penstock.errors import BadInputError
from penstock.statistics.logistic_regression import cross_fitted, feature_matrix, fit_logistic, predict


def drawn(rows=20_000, seed=0):
    generator = numpy.random.default_rng(seed)
    features = generator.normal(size=(rows, 2)) * [1.0, 100.0] + [0.0, 5.0]
    chance = expit(-0.5 + 1.5 * features[:, 0] - 0.01 * (features[:, 1] - 5.0))
    return features, (generator.random(rows) < chance).astype(float), chance


def test_the_chances_behind_the_draws_are_recovered_whatever_the_scale_of_a_feature():
    features, target, chance = drawn()
    model = fit_logistic(features, target)
    assert model.coefficients / model.scale == pytest.approx([1.5, -0.01], rel=0.05)
    assert numpy.abs(predict(model, features) - chance).max() < 0.03


def test_the_mean_prediction_is_the_mean_of_the_targets():
    features, target, _ = drawn(500)
    assert predict(fit_logistic(features, target), features).mean() == pytest.approx(target.mean(), abs=1e-4)


def test_classes_that_part_completely_and_targets_all_alike_stay_finite():
    parted = fit_logistic([[-1.0], [-0.9], [0.9], [1.0]], [0, 0, 1, 1])
    assert 0.5 < predict(parted, [[1.0]])[0] < 0.999
    alike = fit_logistic([[1.0], [2.0], [3.0]], [1, 1, 1])
    assert predict(alike, [[2.0]])[0] > 0.99


def test_a_feature_that_never_changes_is_ignored():
    model = fit_logistic([[7.0, 0.0], [7.0, 1.0], [7.0, 2.0]], [0, 1, 0])
    assert model.coefficients[0] == pytest.approx(0.0, abs=1e-6)


def test_no_row_teaches_its_own_prediction():
    features, target, _ = drawn(200)
    fold = numpy.arange(200) % 4
    before = cross_fitted(features, target, numpy.ones(200), fold)
    changed = numpy.where(fold == 2, 1 - target, target)
    after = cross_fitted(features, changed, numpy.ones(200), fold)
    assert after[fold == 2].tolist() == before[fold == 2].tolist()
    assert (after[fold != 2] != before[fold != 2]).all()


def test_rows_that_teach_nothing_are_predicted_all_the_same():
    features, target, chance = drawn(4_000)
    learn = numpy.arange(4_000) % 2 == 0
    predicted = cross_fitted(features, numpy.where(learn, target, numpy.nan), learn, numpy.arange(4_000) // 2 % 5)
    assert numpy.abs(predicted - chance).mean() < 0.03


@pytest.mark.parametrize(
    ("features", "target", "said"),
    [
        ([[1.0], [2.0]], [1.0], "one target for every row"),
        (numpy.zeros((0, 1)), [], "one target for every row"),
        ([[1.0], [2.0]], [1.0, 2.0], r"row 1 is 2\.0"),
        ([[1.0], [2.0]], [float("nan"), 1.0], "row 0 is nan"),
        ([[1.0], [float("nan")]], [0.0, 1.0], "Row 1 has features"),
    ],
)
def test_rows_that_are_none_are_refused_with_the_value(features, target, said):
    with pytest.raises(BadInputError, match=said):
        fit_logistic(features, target)


def test_features_may_come_as_one_column_but_not_as_a_cube():
    assert feature_matrix([1.0, 2.0]).shape == (2, 1)
    with pytest.raises(BadInputError, match=r"\(1, 1, 1\)"):
        feature_matrix([[[1.0]]])


def test_a_fold_that_holds_every_teacher_is_refused():
    with pytest.raises(BadInputError, match="Outside fold 0"):
        cross_fitted([[1.0], [2.0]], [1.0, 0.0], [True, False], [0, 1])
