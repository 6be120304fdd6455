"""Accuracies of annotators of a yes-or-no question from nothing but their agreement, in closed form.

Under independence given the class, any three annotators give each other's strength away: s_i^2 = c_ij c_ik / c_jk. Every
annotator is in many triples, and the median over them is not moved by the few that a copied or a useless function spoils. A
triple whose denominator is lost in noise is left out. Annotators worse than chance are found as long as those better than
chance outweigh them.
"""

import numpy
from msgspec import Struct
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from penstock.errors import BadInputError
from penstock.statistics.dawid_skene import posterior_of
from penstock.statistics.pair_agreements import PairAgreements, agreement_shares, agreements_of_counts, chance_agreements
from penstock.statistics.vote_patterns import VotePatterns, vote_patterns
from penstock.statistics.votes import Floats, Votes, require_comparable

PARTNERS = 60  # each annotator is compared with at most so many others, those with the clearest agreement
CLEAR = 2.0  # standard errors that a denominator has to lie from zero
_EDGE = 1e-3  # no rate is closer to 0 or 1


class TripletAccuracies(Struct, frozen=True, kw_only=True):
    """How often each annotator is right, where its errors are as likely in either class."""

    accuracy: Floats  # annotators; NaN where no triple tells
    triples: NDArray[numpy.int64]  # annotators: how many triples it rests on


class TripletModel(Struct, frozen=True, kw_only=True):
    """What triples say of a binary question when errors are not as likely in either class."""

    posterior: Floats  # items by 2
    prevalence: Floats  # 2
    confusion: Floats  # annotators by 2 by 2: P(answer | class, votes); one of no use where no triple tells
    triples: NDArray[numpy.int64]  # annotators: how many triples it rests on


def triplet_accuracies(sums: PairAgreements) -> TripletAccuracies:
    """Accuracies from how often pairs agree (Fu and others 2020, arXiv 2002.11955), for errors equally likely in both classes.

    The sums can be added up over days, so that accuracies are followed without the votes. `BadInputError` for other than two
    classes or fewer than three annotators. Where errors lean to one class and one class is rare, use `triplet_model`.
    """
    _require_triples(sums)
    moment = 2.0 * agreement_shares(sums) - 1.0
    deviation = _standard_errors(1.0 - moment * moment, sums.shared)
    strength, triples = strengths(moment, deviation)
    return TripletAccuracies(accuracy=0.5 + numpy.clip(strength, -1.0, 1.0) / 2.0, triples=triples)


def triplet_model(votes: Votes, prevalence: float | None = None) -> TripletModel:
    """Both error rates of every annotator, from covariances of votes (Parisi and others 2014, PNAS 111, 1253; Jaffe and
    others 2015, arXiv 1407.7644).

    Covariances leave the share of class 1 open; where it is not given, it is the one under which the votes are likeliest.
    `BadInputError` for other than two classes, fewer than three annotators, or a prevalence outside 0 to 1.
    """
    require_comparable(votes)
    if prevalence is not None and not 0.0 < prevalence < 1.0:
        raise BadInputError(f"The prevalence {prevalence} is not between 0 and 1; leave it out to have it estimated.")
    patterns = vote_patterns(votes)
    sums = agreements_of_counts(patterns.counts, patterns.multiplicity, votes.classes)
    _require_triples(sums)
    moment = (agreement_shares(sums) - chance_agreements(sums)) / 2.0  # the covariance of two answers of 0 or 1
    strength, triples = strengths(moment, _standard_errors(_answer_variances(sums), sums.shared))
    strength = numpy.nan_to_num(strength)  # of no use where nothing is known
    positive = _positive_shares(patterns)
    share = _likeliest_prevalence(patterns, strength, positive) if prevalence is None else prevalence
    confusion = _confusion(strength, positive, share)
    classes = numpy.array([1.0 - share, share])
    return TripletModel(
        posterior=posterior_of(votes, classes, confusion), prevalence=classes, confusion=confusion, triples=triples
    )


def strengths(moment: Floats, deviation: Floats, share: float = 0.5) -> tuple[Floats, NDArray[numpy.int64]]:
    """The s with moment_ij = s_i s_j off the diagonal, at this quantile of what triples say, and the triples for each.

    Both inputs are annotators by annotators; NaN where a pair shares nothing. The larger part of the strengths is positive.
    """
    squares = numpy.full(len(moment), numpy.nan)
    triples = numpy.zeros(len(moment), dtype=numpy.int64)
    for annotator in range(len(moment)):
        squares[annotator], triples[annotator] = _squared_strength(annotator, moment, deviation, share)
    size = numpy.sqrt(numpy.maximum(squares, 0.0))
    return size * _signs(moment, size), triples


def _squared_strength(annotator: int, moment: Floats, deviation: Floats, share: float) -> tuple[float, int]:
    """The quantile of c_ij c_ik / c_jk over pairs j < k; the lower of two middle ones, for copies err upwards."""
    own = moment[annotator]
    usable = numpy.isfinite(own) & (numpy.arange(len(own)) != annotator)
    clarity = numpy.where(usable, numpy.abs(own) / numpy.maximum(deviation[annotator], 1e-12), -1.0)
    partners = numpy.argsort(-clarity, kind="stable")[: min(PARTNERS, int(usable.sum()))]
    between = moment[numpy.ix_(partners, partners)]
    clear = numpy.abs(between) > CLEAR * deviation[numpy.ix_(partners, partners)]  # NaN is never clear
    first, second = numpy.nonzero(numpy.triu(clear, k=1))
    if len(first) == 0:
        return float("nan"), 0
    square = own[partners[first]] * own[partners[second]] / between[first, second]
    return float(numpy.quantile(square, share, method="lower")), len(first)


def _signs(moment: Floats, size: Floats) -> Floats:
    """Of the first eigenvector, turned so that the strong are right more often than wrong."""
    known = numpy.isfinite(size)
    filled = numpy.where(numpy.isfinite(moment) & known[:, None] & known[None, :], moment, 0.0)
    numpy.fill_diagonal(filled, numpy.where(known, size * size, 0.0))
    leading = numpy.linalg.eigh(filled)[1][:, -1]
    signs: Floats = numpy.where(leading < 0, -1.0, 1.0)
    return -signs if float((signs * numpy.nan_to_num(size)).sum()) < 0 else signs


def _likeliest_prevalence(patterns: VotePatterns, strength: Floats, positive: Floats) -> float:
    def unlikelihood(share: float) -> float:
        log_answer = numpy.log(_confusion(strength, positive, share)).transpose(0, 2, 1).reshape(-1, 2)
        joint = patterns.counts @ log_answer + numpy.log([1.0 - share, share])
        return -float((numpy.logaddexp(joint[:, 0], joint[:, 1]) * patterns.multiplicity).sum())

    # two minima are possible; a coarse look finds the deeper one
    grid = numpy.linspace(0.02, 0.98, 25)
    best = int(numpy.argmin([unlikelihood(float(share)) for share in grid]))
    bounds = (grid[best - 1] if best else _EDGE, grid[best + 1] if best < len(grid) - 1 else 1.0 - _EDGE)
    return float(minimize_scalar(unlikelihood, bounds=bounds, method="bounded").x)


def _confusion(strength: Floats, positive: Floats, share: float) -> Floats:
    """Annotators by classes by answers, where s = sqrt(p (1 - p)) (true minus false positive rate)."""
    gap = strength / numpy.sqrt(share * (1.0 - share))
    rates = numpy.stack((positive - share * gap, positive + (1.0 - share) * gap), axis=1)  # of answering 1, by class
    rates = numpy.clip(rates, _EDGE, 1.0 - _EDGE)
    return numpy.stack((1.0 - rates, rates), axis=2)


def _positive_shares(patterns: VotePatterns) -> Floats:
    given = numpy.asarray(patterns.counts.T @ patterns.multiplicity).reshape(-1, 2)
    total = given.sum(axis=1)
    return numpy.where(total > 0, given[:, 1] / numpy.where(total > 0, total, 1.0), 0.5)


def _answer_variances(sums: PairAgreements) -> Floats:
    share = numpy.where(sums.shared > 0, sums.given[1] / numpy.where(sums.shared > 0, sums.shared, 1.0), numpy.nan)
    variance = share * (1.0 - share)
    return variance * variance.T


def _standard_errors(variance: Floats, shared: Floats) -> Floats:
    number = numpy.where(shared > 0, shared, numpy.nan)
    return numpy.sqrt(numpy.maximum(variance, 0.25 / number) / number)


def _require_triples(sums: PairAgreements) -> None:
    classes, annotators = sums.given.shape[:2]
    if classes != 2:
        raise BadInputError(f"The votes know {classes} classes; triples tell accuracies of 2. Use dawid_skene.")
    if annotators < 3:
        raise BadInputError(f"There are {annotators} annotators; a triple needs 3. Add one, or audit a sample for `class_noise`.")
