"""The class behind the votes when every annotator errs in a way of its own: Dawid and Skene's model, fitted by EM.

Given the class, votes are taken as independent (`correlated_annotators.py` looks after those that are not), and each
annotator has a confusion matrix. The prior is what the average annotator does, worth a fraction of a vote per class: an
annotator of few votes stays near the average, one of many is left alone. The log posterior never falls between iterations.
"""

from typing import Literal

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from penstock.errors import BadInputError
from penstock.statistics.vote_patterns import VotePatterns, vote_patterns
from penstock.statistics.votes import ABSTAIN, Floats, Indexes, Votes, class_counts, known_classes, require_comparable

Abstentions = Literal["ignored", "informative"]
PRIOR_VOTES = 0.5  # how much the average annotator counts in each row of a confusion matrix, in votes
MOST_ITERATIONS = 2_000
TOLERANCE = 1e-6  # the largest change of a class's probability at which EM stops
_LEAST = 1e-9  # no probability is below it, so that no logarithm is infinite


class DawidSkene(Struct, frozen=True, kw_only=True):
    """A fitted model: what is believed of every item, and how annotators answer."""

    posterior: Floats  # items by classes: P(class | votes); the prevalence where there are no votes
    prevalence: Floats  # classes
    confusion: Floats  # annotators by classes by answers: P(answer | class, votes); a row sums to 1
    coverage: Floats  # annotators by classes: P(votes | class); without the class's influence where abstentions are ignored
    log_posterior: tuple[float, ...]  # after each iteration; up to a constant
    converged: bool  # before the iterations ran out


class _Parameters(Struct, frozen=True, kw_only=True):
    prevalence: Floats
    confusion: Floats
    coverage: Floats


class _Prior(Struct, frozen=True, kw_only=True):
    confusion: Floats  # annotators or 1 by classes by answers, in votes
    coverage: Floats  # annotators by 1, the share of items that each voted on
    votes: float


def dawid_skene(
    votes: Votes,
    *,
    truth: ArrayLike | None = None,
    initial: ArrayLike | None = None,
    abstentions: Abstentions = "ignored",
    prior_votes: float = PRIOR_VOTES,
    most_iterations: int = MOST_ITERATIONS,
    tolerance: float = TOLERANCE,
) -> DawidSkene:
    """Fit the model by EM from the shares of votes (Dawid and Skene 1979, Applied Statistics 28, 20-28; MAP smoothing).

    `truth` holds each item's class where an audit found it and -1 elsewhere; those items keep it. `initial`, items by classes,
    is believed at first instead of the shares of the votes; items with the same votes believe the same. Abstentions are "ignored"
    where somebody else decided who is asked, and "informative" where a function votes or abstains by what it sees: one that
    only ever gives one answer says something only then. `BadInputError` where one annotator or one class is all there is (but
    for an audit), or where abstentions are informative and somebody answers an item twice.
    """
    _require_settings(prior_votes, most_iterations, tolerance, abstentions)
    known = None if truth is None else known_classes(truth, votes)
    if known is None or bool(numpy.all(known == ABSTAIN)):
        require_comparable(votes)
    patterns = vote_patterns(votes, known)
    fixed = None if known is None else known[patterns.example]
    shares = _initial_shares(votes, patterns, fixed, prior_votes) if initial is None else _believed(initial, patterns)
    return _fit(patterns, shares, fixed, _prior(patterns, shares, prior_votes), abstentions, most_iterations, tolerance)


def posterior_of(votes: Votes, prevalence: ArrayLike, confusion: ArrayLike) -> Floats:
    """P(class | votes), items by classes, under a model that is known: classes, and annotators by classes by answers."""
    prevalences, confusions = numpy.asarray(prevalence, dtype=float), numpy.asarray(confusion, dtype=float)
    expected = (votes.annotators, votes.classes, votes.classes)
    if confusions.shape != expected or prevalences.shape != (votes.classes,):
        raise BadInputError(
            f"The model has shapes {prevalences.shape} and {confusions.shape}, the votes need {(votes.classes,)} and {expected}."
        )
    patterns = vote_patterns(votes)
    joint = patterns.counts @ _by_cell(numpy.log(numpy.maximum(confusions, _LEAST)))
    return _normalised(joint + numpy.log(numpy.maximum(prevalences, _LEAST)))[0][patterns.pattern]


def _fit(
    patterns: VotePatterns,
    shares: Floats,
    fixed: Indexes | None,
    prior: _Prior,
    abstentions: Abstentions,
    most_iterations: int,
    tolerance: float,
) -> DawidSkene:
    silent = numpy.asarray(patterns.counts.sum(axis=1)).ravel() == 0
    counted = patterns.multiplicity * (~silent if abstentions == "ignored" else 1.0)  # a silent item repeats the prevalence
    by_answer = csr_array(patterns.counts.T)
    if abstentions == "informative" and _most_votes(patterns) > 1.0 + 1e-6:
        raise BadInputError(
            f"An annotator answers one item {_most_votes(patterns):g} times; informative abstentions allow one answer to an item."
        )
    trace: list[float] = []
    converged = False
    for _ in range(most_iterations):
        parameters = _maximise(by_answer, shares * counted[:, None], prior, abstentions)
        updated, evidence = _expect(patterns.counts, parameters, fixed, abstentions)
        trace.append(float((evidence * counted).sum()) + _log_prior(parameters, prior, abstentions))
        converged = bool(numpy.abs(updated - shares).max() < tolerance)
        shares = updated
        if converged:
            break
    return DawidSkene(
        posterior=shares[patterns.pattern],
        prevalence=parameters.prevalence,
        confusion=parameters.confusion,
        coverage=parameters.coverage,
        log_posterior=tuple(trace),
        converged=converged,
    )


def _maximise(by_answer: csr_array, weighted: Floats, prior: _Prior, abstentions: Abstentions = "ignored") -> _Parameters:
    """The most probable parameters, given how probably each pattern (times its number) is of each class."""
    classes = weighted.shape[1]
    answered = _by_annotator(by_answer @ weighted, classes)
    mass = weighted.sum(axis=0)
    confusion = answered + prior.confusion + _LEAST
    given = answered.sum(axis=2)
    if abstentions == "informative":
        coverage = (given + prior.votes * prior.coverage) / (mass + prior.votes + _LEAST)
    else:
        coverage = numpy.broadcast_to(prior.coverage, given.shape)
    return _Parameters(
        prevalence=mass / mass.sum(),
        confusion=confusion / confusion.sum(axis=2, keepdims=True),
        coverage=numpy.clip(coverage, _LEAST, 1.0 - _LEAST),
    )


def _expect(counts: csr_array, parameters: _Parameters, fixed: Indexes | None, abstentions: Abstentions) -> tuple[Floats, Floats]:
    """How probably each pattern is of each class, and the logarithm of the pattern's probability."""
    log_answer = numpy.log(numpy.maximum(parameters.confusion, _LEAST))
    joint = numpy.log(numpy.maximum(parameters.prevalence, _LEAST))
    if abstentions == "informative":
        log_answer = log_answer + (numpy.log(parameters.coverage) - numpy.log1p(-parameters.coverage))[:, :, None]
        joint = joint + numpy.log1p(-parameters.coverage).sum(axis=0)
    joint = joint + counts @ _by_cell(log_answer)
    if fixed is not None:
        audited = numpy.flatnonzero(fixed != ABSTAIN)
        kept = joint[audited, fixed[audited]]
        joint[audited] = -numpy.inf
        joint[audited, fixed[audited]] = kept
    return _normalised(joint)


def _normalised(joint: Floats) -> tuple[Floats, Floats]:
    highest = joint.max(axis=1, keepdims=True)
    unscaled = numpy.exp(joint - highest)
    total = unscaled.sum(axis=1, keepdims=True)
    return unscaled / total, (highest + numpy.log(total))[:, 0]


def _initial_shares(votes: Votes, patterns: VotePatterns, fixed: Indexes | None, prior_votes: float) -> Floats:
    """The shares of the votes; with an audit, what its items alone teach about the annotators."""
    counts = class_counts(votes)[patterns.example]
    overall = counts.T @ patterns.multiplicity
    total = counts.sum(axis=1, keepdims=True)
    shares = numpy.where(total > 0, counts / numpy.where(total > 0, total, 1.0), overall / overall.sum())
    if fixed is None or bool(numpy.all(fixed == ABSTAIN)):
        return shares
    audited = fixed != ABSTAIN
    known = numpy.where(audited[:, None], numpy.eye(votes.classes)[fixed], 0.0)
    learnt = _maximise(csr_array(patterns.counts.T), known * patterns.multiplicity[:, None], _prior(patterns, known, prior_votes))
    even = numpy.full(votes.classes, 1.0 / votes.classes)  # audits need not be drawn evenly from the classes
    return _expect(
        patterns.counts, _Parameters(prevalence=even, confusion=learnt.confusion, coverage=learnt.coverage), fixed, "ignored"
    )[0]


def _believed(initial: ArrayLike, patterns: VotePatterns) -> Floats:
    believed = numpy.asarray(initial, dtype=float)
    if believed.shape != (len(patterns.pattern), patterns.classes) or not bool(numpy.all(believed >= 0)):
        raise BadInputError(
            f"What is believed at first has shape {believed.shape} or is negative somewhere; give "
            f"{(len(patterns.pattern), patterns.classes)} probabilities."
        )
    return believed[patterns.example]


def _prior(patterns: VotePatterns, shares: Floats, prior_votes: float) -> _Prior:
    """What the average annotator does by the initial shares, worth `prior_votes` in each row."""
    weighted = shares * patterns.multiplicity[:, None]
    answered = _by_annotator(patterns.counts.T @ weighted, patterns.classes)
    average = answered.sum(axis=0) + _LEAST
    average = average / average.sum(axis=1, keepdims=True)
    coverage = answered.sum(axis=(1, 2)) / patterns.multiplicity.sum()
    return _Prior(confusion=prior_votes * average[None], coverage=numpy.minimum(coverage, 1.0)[:, None], votes=prior_votes)


def _log_prior(parameters: _Parameters, prior: _Prior, abstentions: Abstentions) -> float:
    density = float(((prior.confusion + _LEAST) * numpy.log(parameters.confusion)).sum())
    if abstentions == "informative":
        voting, silent = numpy.log(parameters.coverage), numpy.log1p(-parameters.coverage)
        density += prior.votes * float((prior.coverage * voting + (1.0 - prior.coverage) * silent).sum())
    return density


def _by_annotator(by_cell: Floats, classes: int) -> Floats:
    """Annotators by classes by answers, from annotators times answers by classes."""
    return by_cell.reshape(-1, classes, classes).transpose(0, 2, 1)


def _by_cell(by_annotator: Floats) -> Floats:
    """Annotators times answers by classes, from annotators by classes by answers."""
    return by_annotator.transpose(0, 2, 1).reshape(-1, by_annotator.shape[1])


def _most_votes(patterns: VotePatterns) -> float:
    """The most votes of one annotator on one item."""
    annotator = patterns.counts.indices // patterns.classes
    row = numpy.repeat(numpy.arange(patterns.counts.shape[0]), numpy.diff(patterns.counts.indptr))
    place = row * patterns.annotators + annotator  # sorted, as rows and the cells within them are
    starts = numpy.flatnonzero(numpy.diff(place, prepend=-1))
    return float(numpy.add.reduceat(patterns.counts.data, starts).max()) if len(starts) else 0.0


def _require_settings(prior_votes: float, most_iterations: int, tolerance: float, abstentions: str) -> None:
    if abstentions not in ("ignored", "informative"):
        raise BadInputError(f"Abstentions are {abstentions!r}; say ignored or informative.")
    if not prior_votes >= 0.0 or most_iterations < 1 or not tolerance > 0.0:
        raise BadInputError(
            f"prior_votes {prior_votes}, most_iterations {most_iterations}, tolerance {tolerance}: give at least 0, at least 1, "
            "and more than 0."
        )
