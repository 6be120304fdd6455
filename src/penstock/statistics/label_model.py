"""From votes to the probability of each class of each item: correlated annotators are joined, then a model is fitted.

The majority is the bar to beat, Dawid and Skene's model the default, and triples the quick look that needs two classes and
three annotators. An audited sample pins the classes that are known and tells how the annotators really err.
"""

from typing import Literal

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from penstock.errors import BadInputError
from penstock.statistics.class_noise import ClassNoise, class_noise
from penstock.statistics.correlated_annotators import correlated_annotators, merge_annotators
from penstock.statistics.dawid_skene import Abstentions, dawid_skene
from penstock.statistics.majority_vote import majority_vote
from penstock.statistics.triplets import triplet_model
from penstock.statistics.votes import ABSTAIN, Floats, Indexes, Votes, known_classes

Method = Literal["majority", "dawid_skene", "triplets"]


class LabelModel(Struct, frozen=True, kw_only=True):
    """What the votes say of every item, and what was made of those who cast them."""

    posterior: Floats  # items by classes
    answer: Indexes  # items: the likeliest class; -1 where nobody voted and nothing is known
    prevalence: Floats  # classes
    groups: tuple[tuple[int, ...], ...]  # annotators that count as one, in the order of the matrices below
    confusion: Floats | None  # groups by classes by answers; none of a majority
    noise: ClassNoise | None  # of each annotator alone, where there was an audit
    converged: bool


def fit_label_model(
    votes: Votes,
    *,
    method: Method = "dawid_skene",
    truth: ArrayLike | None = None,
    abstentions: Abstentions = "ignored",
    merge_correlated: bool = True,
) -> LabelModel:
    """The model of this method; `truth` is the class of audited items and -1 elsewhere, and the audited keep it.

    `BadInputError` as the method has it: see `majority_vote`, `dawid_skene`, `triplet_model`.
    """
    known = numpy.full(votes.items, ABSTAIN) if truth is None else known_classes(truth, votes)
    audited = known != ABSTAIN
    groups = correlated_annotators(votes).groups if merge_correlated else tuple((one,) for one in range(votes.annotators))
    merged = merge_annotators(votes, groups)
    posterior, prevalence, confusion, converged = _fitted(merged, method, known, abstentions)
    posterior[audited] = numpy.eye(votes.classes)[known[audited]]
    answer = posterior.argmax(axis=1)
    if method == "majority":  # it alone has ties, and a rule for them
        answer = numpy.where(audited, known, majority_vote(merged).answer)
    return LabelModel(
        posterior=posterior,
        answer=numpy.where(_voted(votes) | audited, answer, ABSTAIN).astype(numpy.int64),
        prevalence=prevalence,
        groups=groups,
        confusion=confusion,
        noise=class_noise(votes, known) if bool(audited.any()) else None,
        converged=converged,
    )


def _fitted(votes: Votes, method: Method, known: Indexes, abstentions: Abstentions) -> tuple[Floats, Floats, Floats | None, bool]:
    match method:
        case "majority":
            share = majority_vote(votes).share
            voted = _voted(votes)
            return share, numpy.average(share[voted], axis=0, weights=votes.times[voted]), None, True
        case "dawid_skene":
            fitted = dawid_skene(votes, truth=known, abstentions=abstentions)
            return fitted.posterior, fitted.prevalence, fitted.confusion, fitted.converged
        case "triplets":
            triples = triplet_model(votes)
            return triples.posterior, triples.prevalence, triples.confusion, True
        case _:
            raise BadInputError(f"The method {method!r} is none of majority, dawid_skene, triplets.")


def _voted(votes: Votes) -> NDArray[numpy.bool_]:
    return numpy.bincount(votes.item, minlength=votes.items) > 0
