"""Annotators that agree more than what they know of the class explains: copies, and functions that look at the same thing.

Counted apart they are one opinion with several votes, and a model fitted to them takes that opinion for the truth, so they
have to be found before anything is fitted: from agreement beyond chance alone. Given the class, independent votes give
c_ij = c_ik c_jl / c_kl for every other two k and l; what a pair agrees beyond that is its dependence. The pair that depends
most is merged first, and the rest is looked at again.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy
from msgspec import Struct
from scipy.special import ndtri

from penstock.errors import BadInputError
from penstock.statistics.pair_agreements import (
    MOST_ANNOTATORS,
    PairAgreements,
    agreement_shares,
    chance_agreements,
    pair_agreements,
)
from penstock.statistics.triplets import strengths
from penstock.statistics.vote_patterns import vote_patterns
from penstock.statistics.votes import Floats, Indexes, Votes

MERGED_FROM = 1.0 / 3.0  # two votes that depend by d are worth 2 / (1 + d); from here on that is nearer to one than to two
FALSE_ALARM = 0.01  # the chance that one of all independent pairs is taken for dependent
FEWEST_SHARED = 30  # items that a pair has to share
PARTNERS = 40  # a pair is held against at most so many others
REFERENCE_QUANTILE = 0.25  # of the references; below a half, for the members of one group inflate each other's
COARSE = 0.5  # how far below the bar the coarse look still lets a pair through
_CLEAR = 3.0  # standard errors that a denominator has to lie from zero


class DependentPair(NamedTuple):
    """Two annotators, or groups of them, that depend on each other given the class."""

    first: int  # the lowest annotator of its group
    second: int
    dependence: float  # 0 independent, 1 a copy: the share of their expected disagreements that is missing
    deviations: float  # how many standard errors from 0
    shared: int  # items that both answered


class CorrelatedAnnotators(Struct, frozen=True, kw_only=True):
    """Who belongs together, and the pairs by which they were joined, in that order."""

    groups: tuple[tuple[int, ...], ...]  # every annotator once, in order of the lowest
    pairs: tuple[DependentPair, ...]


def correlated_annotators(votes: Votes, *, merged_from: float = MERGED_FROM) -> CorrelatedAnnotators:
    """Groups of annotators whose dependence given the class reaches `merged_from` and cannot be chance.

    It takes four annotators that share items to tell: with fewer, nobody is joined. For more than two classes the product
    rule above holds for annotators whose errors are spread over the classes, and nearly for others.
    """
    if not 0.0 < merged_from <= 1.0:
        raise BadInputError(f"merged_from is {merged_from}; give more than 0 and at most 1.")
    busy, rest = _busy(votes)
    if len(busy) < 4:
        return CorrelatedAnnotators(groups=tuple((annotator,) for annotator in range(votes.annotators)), pairs=())
    patterns = vote_patterns(_votes_of(votes, numpy.arange(votes.items), busy))
    examples = _votes_of(votes, patterns.example, busy)
    groups: list[tuple[int, ...]] = [(place,) for place in range(len(busy))]
    joined: list[DependentPair] = []
    while pair := _strongest_pair(pair_agreements(merge_annotators(examples, groups), patterns.multiplicity), merged_from):
        first, second = groups[pair.first], groups.pop(pair.second)
        groups[pair.first] = tuple(sorted(first + second))  # the lower of the two, so the order of the groups stays
        joined.append(pair._replace(first=int(busy[first[0]]), second=int(busy[second[0]])))
    named = [tuple(int(busy[place]) for place in group) for group in groups]
    alone: list[tuple[int, ...]] = [(int(annotator),) for annotator in rest]
    return CorrelatedAnnotators(groups=tuple(sorted(named + alone)), pairs=tuple(joined))


def merge_annotators(votes: Votes, groups: Sequence[Sequence[int]]) -> Votes:
    """The votes with each group as one annotator, numbered in order, whose members share one vote on every item.

    Members that agree give one vote, members that do not give parts of one to each answer.
    """
    listed = sorted(annotator for group in groups for annotator in group)
    if listed != list(range(votes.annotators)):
        raise BadInputError(f"The groups name {len(listed)} annotators; each of {votes.annotators} has to be in one of them.")
    place = numpy.empty(votes.annotators, dtype=numpy.int64)
    for number, group in enumerate(groups):
        place[list(group)] = number
    if numpy.array_equal(place, numpy.arange(votes.annotators)):
        return votes
    return _shared_votes(votes, place[votes.annotator], len(groups))


def _shared_votes(votes: Votes, annotator: Indexes, number: int) -> Votes:
    cell = votes.item * number + annotator
    order = numpy.lexsort((votes.annotator, cell))
    ordered = cell[order]
    starts = numpy.flatnonzero(numpy.diff(ordered, prepend=-1))
    members = votes.annotator[order]
    changes = numpy.concatenate(([1], (numpy.diff(members) != 0) | (numpy.diff(ordered) != 0))).astype(float)
    # one who answered several times counts once among the members, and keeps several votes
    voices = numpy.add.reduceat(changes, starts)
    lengths = numpy.diff(numpy.append(starts, len(ordered)))
    weight = numpy.empty(len(order))
    weight[order] = votes.weight[order] / numpy.repeat(voices, lengths)
    return Votes(
        item=votes.item,
        annotator=annotator,
        answer=votes.answer,
        weight=weight,
        times=votes.times,
        items=votes.items,
        annotators=number,
        classes=votes.classes,
    )


def _busy(votes: Votes) -> tuple[Indexes, Indexes]:
    """The annotators that share enough to be compared, at most as many as there is room for their pairs, and the others."""
    number = numpy.bincount(votes.annotator, votes.times[votes.item], minlength=votes.annotators)
    by_number = numpy.argsort(-number, kind="stable")
    busy = by_number[: min(MOST_ANNOTATORS, int((number >= FEWEST_SHARED).sum()))]
    return numpy.sort(busy), numpy.sort(by_number[len(busy) :])


def _votes_of(votes: Votes, items: Indexes, annotators: Indexes) -> Votes:
    """The votes of these annotators on these items, both numbered anew."""
    item, annotator = numpy.full(votes.items, -1, dtype=numpy.int64), numpy.full(votes.annotators, -1, dtype=numpy.int64)
    item[items], annotator[annotators] = numpy.arange(len(items)), numpy.arange(len(annotators))
    kept = (item[votes.item] >= 0) & (annotator[votes.annotator] >= 0)
    return Votes(
        item=item[votes.item[kept]],
        annotator=annotator[votes.annotator[kept]],
        answer=votes.answer[kept],
        weight=votes.weight[kept],
        times=votes.times[items],
        items=len(items),
        annotators=len(annotators),
        classes=votes.classes,
    )


def _strongest_pair(sums: PairAgreements, merged_from: float) -> DependentPair | None:
    """The pair that depends most, among those that depend enough and not by chance."""
    chance = chance_agreements(sums)
    shared = numpy.where(sums.shared >= FEWEST_SHARED, sums.shared, numpy.nan)
    agreement = agreement_shares(sums)
    beyond = numpy.where(numpy.isfinite(shared), agreement - chance, numpy.nan)
    deviation = numpy.sqrt(numpy.maximum(agreement * (1.0 - agreement), 0.25 / shared) / shared)
    bar = -float(ndtri(FALSE_ALARM / max(1, int(numpy.triu(numpy.isfinite(shared), k=1).sum()))))
    at_most = beyond / numpy.where(chance < 1.0, 1.0 - chance, numpy.inf)  # no reference explains less than nothing
    strongest: DependentPair | None = None
    for first, second in _candidates(beyond, deviation, chance, at_most, merged_from):
        if strongest and at_most[first, second] <= strongest.dependence:
            break
        reference = _reference(first, second, beyond, deviation)
        if reference is None:
            continue
        expected = float(chance[first, second]) + max(reference[0], 0.0)
        dependence, deviations = _excess(float(agreement[first, second]), float(shared[first, second]), expected, reference[1])
        if dependence >= merged_from and deviations > bar and (strongest is None or dependence > strongest.dependence):
            strongest = DependentPair(first, second, dependence, deviations, round(float(shared[first, second])))
    return strongest


def _candidates(beyond: Floats, deviation: Floats, chance: Floats, at_most: Floats, merged_from: float) -> list[tuple[int, int]]:
    """The pairs to look at, the most suspicious first; of many annotators only those that a coarse look does not clear."""
    suspicious = numpy.triu(at_most >= merged_from, k=1)  # NaN, where two share too little, never is
    if len(beyond) > PARTNERS and bool(suspicious.any()):
        strength = numpy.nan_to_num(strengths(beyond, deviation, share=REFERENCE_QUANTILE)[0])
        expected = numpy.maximum(numpy.outer(strength, strength), 0.0)
        room = 1.0 - chance - expected
        suspicious &= (room > 0.0) & (beyond - expected >= COARSE * merged_from * room)
    first, second = numpy.nonzero(suspicious)
    order = numpy.argsort(-at_most[first, second], kind="stable")
    return [(int(first[index]), int(second[index])) for index in order]


def _excess(agreement: float, shared: float, expected: float, error: float) -> tuple[float, float]:
    """The share of the expected disagreements that is missing, and how many standard errors of independence that is."""
    if expected >= 1.0:
        return 0.0, 0.0
    excess = agreement - expected
    return excess / (1.0 - expected), excess / math.hypot(math.sqrt(expected * (1.0 - expected) / shared), error)


def _reference(first: int, second: int, beyond: Floats, deviation: Floats) -> tuple[float, float] | None:
    """The agreement beyond chance that two independent annotators of this quality have, and its standard error."""
    one, other = beyond[first], beyond[second]
    usable = numpy.isfinite(one) & numpy.isfinite(other)
    usable[[first, second]] = False
    partners = numpy.flatnonzero(usable)
    if len(partners) > PARTNERS:  # evenly picked: the ones that agree most could all be of one group
        partners = partners[numpy.linspace(0, len(partners) - 1, PARTNERS).astype(int)]
    between, noise = beyond[numpy.ix_(partners, partners)], deviation[numpy.ix_(partners, partners)]
    clear = numpy.abs(between) > _CLEAR * noise  # NaN, where two share too little, is never clear
    numpy.fill_diagonal(clear, False)
    left, right = numpy.nonzero(clear)
    if len(left) == 0:
        return None
    near, far, under = one[partners[left]], other[partners[right]], between[left, right]
    expected = near * far / under
    error = numpy.sqrt(
        (far * deviation[first, partners[left]]) ** 2
        + (near * deviation[second, partners[right]]) ** 2
        + (expected * noise[left, right]) ** 2
    ) / numpy.abs(under)
    return float(numpy.quantile(expected, REFERENCE_QUANTILE)), float(numpy.median(error))
