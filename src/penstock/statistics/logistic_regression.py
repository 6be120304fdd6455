"""The probability of something as a logistic function of features; a small ridge keeps it finite where classes part.

Features are standardised inside, so that one ridge suits all. Cross-fitting predicts every row by a model that never saw it
nor any other row of its user: what a later estimate needs to be honest about its own error.
"""

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from penstock.errors import BadInputError

Floats = NDArray[numpy.float64]
RIDGE = 1.0  # the prior is a normal one of variance 1 / RIDGE for the coefficient of a standardised feature
_INTERCEPT_RIDGE = 1e-4  # enough to keep it finite where every target is the same
_MOST_STEPS = 100
_ENOUGH = 1e-14  # of the loss per row, which one more step could gain


class LogisticRegression(Struct, frozen=True, kw_only=True):
    """A fitted model."""

    centre: Floats  # features
    scale: Floats  # features
    coefficients: Floats  # of the standardised features
    intercept: float


def fit_logistic(features: ArrayLike, target: ArrayLike, *, ridge: float = RIDGE) -> LogisticRegression:
    """The likeliest model for targets from 0 to 1 (rows), given features (rows by features).

    `BadInputError` for no rows, other lengths, a target outside 0 to 1, or a value that is no finite number.
    """
    rows, targets = feature_matrix(features), numpy.asarray(target, dtype=float)
    if targets.shape != (len(rows),) or len(rows) == 0:
        raise BadInputError(f"The targets have shape {targets.shape}, the features {rows.shape}; give one target for every row.")
    wrong = ~((targets >= 0.0) & (targets <= 1.0))
    if bool(wrong.any()):
        raise BadInputError(f"The target of row {wrong.argmax()} is {targets[wrong][0]}; give targets from 0 to 1.")
    centre, deviation = rows.mean(axis=0), rows.std(axis=0)
    scale = numpy.where(deviation > 0.0, deviation, 1.0)
    penalty = numpy.concatenate(([_INTERCEPT_RIDGE], numpy.full(rows.shape[1], ridge)))
    design = numpy.column_stack((numpy.ones(len(rows)), (rows - centre) / scale))
    parameters = _newton(design, targets, penalty)
    return LogisticRegression(centre=centre, scale=scale, coefficients=parameters[1:], intercept=float(parameters[0]))


def _newton(design: Floats, targets: Floats, penalty: Floats) -> Floats:
    """The minimum of a loss that is strictly convex, by Newton steps that are halved until they help."""
    parameters = numpy.zeros(design.shape[1])
    loss = _loss(design, targets, penalty, parameters)
    for _ in range(_MOST_STEPS):
        chance = expit(design @ parameters)
        slope = design.T @ (chance - targets) + penalty * parameters
        curvature = (design * (chance * (1.0 - chance))[:, None]).T @ design + numpy.diag(penalty)
        step = numpy.linalg.solve(curvature, slope)
        if float(slope @ step) < _ENOUGH * len(targets):
            break
        while (after := _loss(design, targets, penalty, parameters - step)) > loss:
            step = step / 2.0
            if float(numpy.abs(step).max()) < 1e-12:
                return parameters
        parameters, loss = parameters - step, after
    return parameters


def _loss(design: Floats, targets: Floats, penalty: Floats, parameters: Floats) -> float:
    linear = design @ parameters
    return float((numpy.logaddexp(0.0, linear) - targets * linear).sum() + 0.5 * (penalty * parameters * parameters).sum())


def predict(model: LogisticRegression, features: ArrayLike) -> Floats:
    """The probability for each row."""
    rows = (feature_matrix(features) - model.centre) / model.scale
    probability: Floats = expit(model.intercept + rows @ model.coefficients)
    return probability


def cross_fitted(features: ArrayLike, target: ArrayLike, learn: ArrayLike, fold: ArrayLike, *, ridge: float = RIDGE) -> Floats:
    """The probability for each row by a model of the rows of other folds for which `learn` holds.

    `BadInputError` where the rows outside a fold leave nothing to learn from.
    """
    rows, targets = feature_matrix(features), numpy.asarray(target, dtype=float)
    known, folds = numpy.asarray(learn, dtype=bool), numpy.asarray(fold)
    probability: Floats = numpy.empty(len(rows))
    for one in numpy.unique(folds):
        teachers = known & (folds != one)
        if not bool(teachers.any()):
            raise BadInputError(f"Outside fold {one} there is no row to learn from; give more cases or fewer folds.")
        model = fit_logistic(rows[teachers], targets[teachers], ridge=ridge)
        probability[folds == one] = predict(model, rows[folds == one])
    return probability


def feature_matrix(features: ArrayLike) -> Floats:
    """Rows by features; one feature may come as a column. `BadInputError` for NaN or infinity."""
    rows = numpy.asarray(features, dtype=float)
    rows = rows[:, None] if rows.ndim == 1 else rows
    if rows.ndim != 2:
        raise BadInputError(f"The features have shape {rows.shape}; give rows by features.")
    wrong = ~numpy.isfinite(rows).all(axis=1)
    if bool(wrong.any()):
        raise BadInputError(f"Row {wrong.argmax()} has features {rows[wrong][0]}; fill in or leave out what is no finite number.")
    return rows
