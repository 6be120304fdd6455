"""How an annotator answers items of a known class, and how far its answers can be believed, from an audited sample.

Nothing is assumed but that the audit is right and was drawn with known probabilities; this is what to publish of a signal, with
its interval, instead of a trust made up beforehand. What a model estimates without truth can be held against it.
"""

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from penstock.errors import BadInputError
from penstock.statistics.intervals import wilson_bounds
from penstock.statistics.votes import ABSTAIN, Floats, Indexes, Votes, answer_counts, known_classes

MODEL_WORTH = 100.0  # audited votes of a class that a model's rate counts as much as


class ClassNoise(Struct, frozen=True, kw_only=True):
    """Rates of every annotator, annotators by classes by answers, with their bounds; NaN, from 0 to 1, where none was audited."""

    confusion: Floats  # P(answer | class, votes)
    confusion_low: Floats
    confusion_high: Floats
    belief: Floats  # P(class | answer): the precision of each answer, on traffic like the audited sample's
    belief_low: Floats
    belief_high: Floats
    audited: Floats  # annotators by classes: audited items that the annotator voted on


def class_noise(votes: Votes, truth: ArrayLike, *, probability: ArrayLike | None = None, confidence: float = 0.95) -> ClassNoise:
    """The rates on the items whose class is in `truth`; -1 there means not audited.

    `probability` is how probably each item was drawn for the audit (items; only audited ones are read): they count inversely
    to it. Intervals are Wilson's, at the number of items that would have the variance of the ratio (`weighted_share.py`).
    `BadInputError` for no audited item, a class out of range, or a probability outside 0 to 1.
    """
    known = known_classes(truth, votes)
    audited = known != ABSTAIN
    if not bool(audited.any()):
        raise BadInputError(f"None of {votes.items} items is audited; give the class of some, or fit dawid_skene without.")
    weight = audited.astype(float)  # of each of the items that it stands for
    if probability is not None:
        weight[audited] = 1.0 / _probabilities(probability, audited)
    answered, squared, number = (_by_class(votes, known, audited * votes.times * weight**power) for power in (1, 2, 0))
    confusion = _rates(answered, squared, 2, confidence)
    belief = _rates(answered, squared, 1, confidence)
    return ClassNoise(
        confusion=confusion[0],
        confusion_low=confusion[1],
        confusion_high=confusion[2],
        belief=belief[0],
        belief_low=belief[1],
        belief_high=belief[2],
        audited=number.sum(axis=2),
    )


def nearer_the_audit(confusion: Floats, noise: ClassNoise, worth: float = MODEL_WORTH) -> Floats:
    """A model's rates, annotators by classes by answers, pulled to the audited ones; the model counts `worth` audited votes."""
    number = noise.audited[:, :, None]
    return (numpy.nan_to_num(noise.confusion) * number + worth * confusion) / (number + worth)


def _by_class(votes: Votes, known: Indexes, weight: Floats) -> Floats:
    """The weight of the answers, annotators by classes by answers."""
    membership = numpy.equal(known[:, None], numpy.arange(votes.classes)) * weight[:, None]
    by_cell = answer_counts(votes).T @ membership
    return by_cell.reshape(votes.annotators, votes.classes, votes.classes).transpose(0, 2, 1)


def _rates(answered: Floats, squared: Floats, axis: int, confidence: float) -> tuple[Floats, Floats, Floats]:
    """The rates along an axis and their bounds, given the sums of weights and of their squares."""
    total, squares = answered.sum(axis=axis, keepdims=True), squared.sum(axis=axis, keepdims=True)
    rate = answered / numpy.where(total > 0, total, numpy.nan)
    share = numpy.nan_to_num(rate)
    spread = squared * (1.0 - 2.0 * share) + share * share * squares  # of weight times distance from the rate, squared
    plain = share * (1.0 - share) * total * total
    varies = spread > 1e-12 * squares
    with numpy.errstate(divide="ignore", invalid="ignore"):
        kish = numpy.where(squares > 0, total * total / squares, 0.0)
        effective = numpy.where(varies, plain / spread, kish)
    low, high = wilson_bounds(share * effective, effective, confidence)
    return rate, low, high


def _probabilities(probability: ArrayLike, audited: NDArray[numpy.bool_]) -> Floats:
    given = numpy.asarray(probability, dtype=float)
    if given.shape != audited.shape:
        raise BadInputError(f"The probabilities have shape {given.shape}; give one for each of {len(audited)} items.")
    drawn = given[audited]
    wrong = ~((drawn > 0.0) & (drawn <= 1.0))
    if bool(wrong.any()):
        raise BadInputError(f"An audited item was drawn with probability {drawn[wrong][0]}; give more than 0 and at most 1.")
    return drawn
