"""A rate over all traffic when outcomes are known only of a part that selected itself, or was selected.

Whoever rates, stays or is asked differs from the others, so the plain rate answers another question. With the probability of
being selected, inverse weighting answers the right one; with a prediction of outcomes as well, the doubly robust estimate does
so if either is right. Both suppose that what selection depends on was seen. Where the unhappy leave because they are, only the
worst-case bounds hold, and they are told beside the rest. The user is the unit of every interval.
"""

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtr

from penstock.errors import BadInputError
from penstock.statistics.cluster import cluster_sums, ratio
from penstock.statistics.intervals import Estimate, Interval, normal_interval, wilson_interval
from penstock.statistics.logistic_regression import cross_fitted, feature_matrix
from penstock.statistics.off_policy import effective_sample_size

Floats = NDArray[numpy.float64]
LEAST_PROBABILITY = 0.01  # estimated probabilities below it are taken for it; known ones are left alone
_LEAST_OF_MEAN = 0.1  # where hardly anybody is selected: so much of the mean probability is the least, or it would clip everybody
FOLDS = 5


class SelectedCases(Struct, frozen=True, kw_only=True):
    """Cases as columns of one length; made by `selected_cases`, which checks them."""

    outcome: Floats  # NaN where the case was not selected
    user: NDArray[numpy.int64]  # 0, 1, ...: the unit of the intervals
    weight: Floats  # of the case among all traffic, whether selected or not, times its share
    share: Floats  # how much of an outcome the case's is; cases that share one say together as much as one
    lowest: float  # that an outcome can be
    highest: float


class SelectionRate(Struct, frozen=True, kw_only=True):
    """An estimate of the rate over all cases, and its interval, cut to what outcomes can be."""

    estimate: Estimate
    interval: Interval


class WorstCase(Struct, frozen=True, kw_only=True):
    """The rate if everybody who was not selected had the lowest outcome, and the highest."""

    bounds: Interval
    interval: Interval  # covers the rate, wherever between the bounds it lies, as often as it claims


class SelectionReport(Struct, frozen=True, kw_only=True):
    """One rate, answered in every way that the data allow."""

    raw: SelectionRate
    weighted: SelectionRate
    doubly_robust: SelectionRate
    worst_case: WorstCase
    selected_share: float
    effective_sample_size: float  # how many equally weighted outcomes say as much as those there are
    largest_weight: float  # the mean of the selected being 1
    clipped: int  # cases whose estimated probability was below the least


def selected_cases(
    outcome: ArrayLike,
    users: ArrayLike | None = None,
    *,
    lowest: float = 0.0,
    highest: float = 1.0,
    weights: ArrayLike | None = None,
    shares: ArrayLike | None = None,
) -> SelectedCases:
    """Checked columns: outcomes from `lowest` to `highest`, NaN where the case was not selected, and whose case it is.

    Users may be named by anything that numpy can sort; without them every case is its own. `weights` are for how many cases of
    the traffic each stands, `shares`, up to 1, how much of an outcome each has. `BadInputError` for no cases, nobody selected, an
    outcome out of range, or a weight or share not above 0.
    """
    outcomes = numpy.asarray(outcome, dtype=float)
    if outcomes.ndim != 1 or len(outcomes) == 0:
        raise BadInputError(f"The outcomes have shape {outcomes.shape}; give one for every case, NaN where it is not known.")
    if not lowest < highest:
        raise BadInputError(f"Outcomes are to lie from {lowest} to {highest}; give a lowest below the highest.")
    known = ~numpy.isnan(outcomes)
    if not bool(known.any()):
        raise BadInputError(f"Not one of {len(outcomes)} cases has an outcome; a rate needs at least one.")
    wrong = known & ~((outcomes >= lowest) & (outcomes <= highest))
    if bool(wrong.any()):
        raise BadInputError(f"The outcome of case {wrong.argmax()} is {outcomes[wrong][0]}; give {lowest} to {highest}, or NaN.")
    names = numpy.arange(len(outcomes)) if users is None else numpy.asarray(users)
    if names.shape != outcomes.shape:
        raise BadInputError(f"The users have shape {names.shape}; give one for each of {len(outcomes)} cases.")
    user = numpy.unique(names, return_inverse=True)[1].astype(numpy.int64)
    weight = numpy.ones(len(outcomes)) if weights is None else _column(weights, len(outcomes), "weights")
    share = numpy.ones(len(outcomes)) if shares is None else _column(shares, len(outcomes), "shares")
    for column in (weight, share):
        if not bool((numpy.isfinite(column) & (column > 0.0)).all()):
            raise BadInputError("A weight or a share is not above 0 or is no number; leave out cases that stand for none.")
    return SelectedCases(outcome=outcomes, user=user, weight=weight * share, share=share, lowest=lowest, highest=highest)


def raw_rate(cases: SelectedCases) -> SelectionRate:
    """The mean of the outcomes there are: of the selected, whoever they are."""
    known = ~numpy.isnan(cases.outcome)
    return _rate(cases, numpy.where(known, cases.outcome, 0.0), known.astype(float))


def weighted_rate(cases: SelectedCases, probability: ArrayLike) -> SelectionRate:
    """The mean of outcomes weighted by the inverse probability of being selected (Hajek 1971; Horvitz and Thompson 1952)."""
    weight = _weights(cases, probability)
    return _rate(cases, numpy.where(weight > 0.0, weight * numpy.nan_to_num(cases.outcome), 0.0), weight)


def doubly_robust_rate(cases: SelectedCases, probability: ArrayLike, prediction: ArrayLike) -> SelectionRate:
    """The mean prediction, corrected by the weighted errors of the selected (Robins, Rotnitzky and Zhao 1994, JASA 89, 846).

    `prediction` is of every case's outcome, by a model that did not learn from that case.
    """
    weight, predicted = _weights(cases, probability), _column(prediction, len(cases.outcome), "predictions")
    wrong = ~numpy.isfinite(predicted)
    if bool(wrong.any()):
        raise BadInputError(f"The prediction of case {wrong.argmax()} is {predicted[wrong][0]}; give a number for every case.")
    error = numpy.where(numpy.isnan(cases.outcome), 0.0, numpy.nan_to_num(cases.outcome) - predicted)
    return _rate(cases, predicted + weight * error, numpy.ones(len(predicted)))


def worst_case(cases: SelectedCases, confidence: float = 0.95) -> WorstCase:
    """The bounds that suppose nothing about those who were not selected (Manski 1990, AER 80, 319).

    The interval is Imbens and Manski's (2004, Econometrica 72, 1845): it covers the rate, not the whole range between the bounds.
    """
    known, one = ~numpy.isnan(cases.outcome), numpy.ones(len(cases.outcome))
    low, high = (_rate(cases, numpy.where(known, cases.outcome, other), one) for other in (cases.lowest, cases.highest))
    low_error, high_error = max(low.estimate.variance, 0.0) ** 0.5, max(high.estimate.variance, 0.0) ** 0.5
    reach = _reach(high.estimate.value - low.estimate.value, max(low_error, high_error), confidence)
    return WorstCase(
        bounds=Interval(low=low.estimate.value, high=high.estimate.value),
        interval=Interval(
            low=max(low.estimate.value - reach * low_error, cases.lowest) if low_error else low.interval.low,
            high=min(high.estimate.value + reach * high_error, cases.highest) if high_error else high.interval.high,
        ),
    )


def rate_under_selection(
    cases: SelectedCases,
    features: ArrayLike,
    *,
    probability: ArrayLike | None = None,
    folds: int = FOLDS,
    least_probability: float | None = None,
    most_learned: int | None = None,
    seed: int = 0,
) -> SelectionReport:
    """The rate in every way, with models of selection and outcome that are logistic in the features (cases by features).

    Estimated probabilities are at least `least_probability`, or else .01, or a tenth of the share selected where that is less.
    Where who is selected was drawn, give the `probability` of each case, and nothing is estimated or clipped. Models are
    cross-fitted by user. They learn from `most_learned` cases at most, drawn evenly from the selected and from the others, and
    predict all. `BadInputError` where there are fewer users than folds, or the outcomes of a few folds teach nothing.
    """
    rows, known = feature_matrix(features), ~numpy.isnan(cases.outcome)
    if len(rows) != len(known):
        raise BadInputError(f"The features have {len(rows)} rows; give one for each of {len(known)} cases.")
    least = min(LEAST_PROBABILITY, _LEAST_OF_MEAN * float(known.mean())) if least_probability is None else least_probability
    generator = numpy.random.default_rng(seed)
    fold = _folds(cases, folds, least, generator)
    taught = _drawn(known, most_learned, generator)
    if probability is None:
        estimated = _propensity(rows, known, taught | _drawn(~known, most_learned, generator), fold)
        propensity, clipped = numpy.maximum(estimated, least), int((estimated < least).sum())
    else:
        propensity, clipped = _column(probability, len(known), "probabilities"), 0
    span = cases.highest - cases.lowest
    scaled = numpy.where(known, (cases.outcome - cases.lowest) / span, 0.0)
    predicted = cases.lowest + span * cross_fitted(rows, scaled, taught, fold)
    weight = _weights(cases, propensity) * cases.weight
    per_outcome = (weight / cases.share)[known]
    return SelectionReport(
        raw=raw_rate(cases),
        weighted=weighted_rate(cases, propensity),
        doubly_robust=doubly_robust_rate(cases, propensity, predicted),
        worst_case=worst_case(cases),
        selected_share=float(cases.weight[known].sum() / cases.weight.sum()),
        effective_sample_size=effective_sample_size(per_outcome, cases.share[known]),
        largest_weight=float(per_outcome.max() / numpy.average(per_outcome, weights=cases.share[known])),
        clipped=clipped,
    )


def _folds(cases: SelectedCases, folds: int, least: float, generator: numpy.random.Generator) -> NDArray[numpy.int64]:
    """The fold of each case, alike for all of a user."""
    users = int(cases.user.max()) + 1
    if not 2 <= folds <= users or not 0.0 < least < 1.0:
        raise BadInputError(
            f"{folds} folds of {users} users and a least probability of {least}: give 2 folds to one for each user, "
            "and a probability between 0 and 1."
        )
    of_user: NDArray[numpy.int64] = generator.permutation(users) % folds
    return of_user[cases.user]


def _drawn(among: NDArray[numpy.bool_], most: int | None, generator: numpy.random.Generator) -> NDArray[numpy.bool_]:
    """So many of these at most, half of what may be learned from."""
    places = numpy.flatnonzero(among)
    if most is None or len(places) <= most // 2:
        return among
    drawn = numpy.zeros(len(among), dtype=bool)
    drawn[generator.choice(places, most // 2, replace=False)] = True
    return drawn


def _propensity(rows: Floats, known: NDArray[numpy.bool_], taught: NDArray[numpy.bool_], fold: NDArray[numpy.int64]) -> Floats:
    """The probability of being selected; what drawing one side more thinly did to the odds is undone (Prentice and Pyke 1979)."""
    estimated = cross_fitted(rows, known, taught, fold)
    kept, others = float(taught[known].mean()), float(taught[~known].mean()) if not known.all() else 1.0
    if kept == others:
        return estimated
    probability: Floats = expit(logit(estimated) + numpy.log(others / kept))
    return probability


def _rate(cases: SelectedCases, amount: Floats, count: Floats) -> SelectionRate:
    """The ratio of sums over users that count at all, with the user as the unit."""
    users = int(cases.user.max()) + 1
    amounts = numpy.bincount(cases.user, amount * cases.weight, users)
    counts = numpy.bincount(cases.user, count * cases.weight, users)
    estimate = ratio(cluster_sums(amounts[counts > 0.0], counts[counts > 0.0]))
    if estimate.variance > 0.0:
        reached = normal_interval(estimate)
        interval = Interval(low=max(reached.low, cases.lowest), high=min(reached.high, cases.highest))
    else:  # users all alike say nothing of how far they might differ
        span = cases.highest - cases.lowest
        share = min(max((estimate.value - cases.lowest) / span, 0.0), 1.0)
        reached = wilson_interval(share * estimate.units, estimate.units)
        interval = Interval(low=cases.lowest + span * reached.low, high=cases.lowest + span * reached.high)
    return SelectionRate(estimate=estimate, interval=interval)


def _weights(cases: SelectedCases, probability: ArrayLike) -> Floats:
    """The inverse probability of the selected, 0 for the others."""
    given, known = _column(probability, len(cases.outcome), "probabilities"), ~numpy.isnan(cases.outcome)
    wrong = known & ~((given > 0.0) & (given <= 1.0))
    if bool(wrong.any()):
        raise BadInputError(
            f"Case {wrong.argmax()} was selected with probability {given[wrong][0]}; give more than 0 and at most 1."
        )
    return numpy.where(known, 1.0 / numpy.where(known, given, 1.0), 0.0)


def _column(values: ArrayLike, number: int, what: str) -> Floats:
    column = numpy.asarray(values, dtype=float)
    if column.shape != (number,):
        raise BadInputError(f"The {what} have shape {column.shape}; give one for each of {number} cases.")
    return column


def _reach(width: float, error: float, confidence: float) -> float:
    """The c with P(-c < Z < c + width / error) of this confidence: one-sided where the bounds are far apart."""
    if error == 0.0 or not numpy.isfinite(error):
        return error
    return float(brentq(lambda reach: float(ndtr(reach + width / error) - ndtr(-reach)) - confidence, 0.0, 10.0))
