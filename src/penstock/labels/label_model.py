"""The model of one dimension: what its voters are worth, and the probability that it gives every pattern of votes.

Interactions are counted by pattern before anything is fitted, so that a million of them cost what a thousand patterns do. Voters
that give both answers are fitted by their agreement; those that know a single one are held against them. Where there are people's
labels, all rates are pulled to what these say.
"""

from collections.abc import Sequence

import numpy
from msgspec import Struct

from penstock.labels.cast_votes import BAD, GOOD, Cast, Flags, Patterns, cast_votes, heard_in, merged
from penstock.labels.labelling_functions import LabellingFunction, voters_of
from penstock.statistics.class_noise import MODEL_WORTH, class_noise, nearer_the_audit
from penstock.statistics.correlated_annotators import correlated_annotators
from penstock.statistics.dawid_skene import dawid_skene
from penstock.statistics.label_model import Method
from penstock.statistics.one_sided_annotators import LEAST_RATE, speaking_rates
from penstock.statistics.triplets import triplet_model
from penstock.statistics.votes import ABSTAIN, Floats, Indexes, votes_from_matrix

FEWEST_VOTERS = 3
FEWEST_SHARED = 30  # interactions that two voters share


class GroupRates(Struct, frozen=True, kw_only=True):
    """Voters that count as one, and how they answer: P(good | good, votes) and P(bad | bad, votes).

    Of those with a single answer it is how often they speak, P(speaks | good) and P(speaks | bad).
    """

    voters: tuple[str, ...]
    only_answer: str | None
    in_good: float
    in_bad: float


class ModelParameters(Struct, frozen=True, kw_only=True):
    """All that is needed to say what a pattern is worth."""

    prevalence: float  # of good
    groups: tuple[GroupRates, ...]
    heard: dict[str, tuple[str, ...]]  # by application, the functions that have voted there
    silence_as_votes: bool  # too few voters know both answers, so the silence of the others was fitted as a vote


class FittedModel(Struct, frozen=True, kw_only=True):
    """A fit, with what it rests on."""

    parameters: ModelParameters
    interactions: int  # all that were looked at
    voted: int  # with at least one vote
    audited: int  # labelled by people
    converged: bool


class _Fit(Struct, frozen=True, kw_only=True):
    prevalence: float
    confusion: Floats  # groups by classes by answers; of those with a single answer, silence is the other
    converged: bool


def shortage(patterns: Patterns, functions: Sequence[LabellingFunction]) -> str | None:
    """Why nothing can be fitted to these votes, with what there is; None where something can."""
    cast = cast_votes(patterns, functions, voters_of(functions), {})
    voting = int((patterns.times @ cast.spoke > 0).sum())
    shared = int(patterns.times[cast.spoke.sum(axis=1) >= 2].sum())
    fired = {one.name: int(patterns.times[patterns.fired >> place & 1 == 1].sum()) for place, one in enumerate(functions)}
    there = ", ".join(f"{name} {count}" for name, count in fired.items() if count) or "none"
    told = f"Votes on {int(patterns.times.sum())} interactions: {there}."
    if voting < FEWEST_VOTERS:
        return f"{voting} of {cast.spoke.shape[1]} voters have voted, and it takes {FEWEST_VOTERS} to tell who is right. {told}"
    if shared < FEWEST_SHARED:
        return f"Two voters met on {shared} interactions, and it takes {FEWEST_SHARED} to tell who is right. {told}"
    if len(numpy.unique(cast.answer[cast.spoke])) < 2:
        return f"Every vote is for the same answer; how good they are shows only when the other is voted for. {told}"
    return None


def fit_model(patterns: Patterns, functions: Sequence[LabellingFunction], method: Method = "dawid_skene") -> FittedModel:
    """Fit what the voters are worth; for votes that have no `shortage`."""
    voters, heard = voters_of(functions), heard_in(patterns, functions)
    apart = cast_votes(patterns, functions, voters, heard)
    groups = correlated_annotators(votes_from_matrix(apart.counted, classes=2, times=patterns.times)).groups
    cast = merged(apart, groups)
    is_both = _knows_both(cast)
    silence_as_votes = not _is_enough(cast, is_both, patterns.times)
    fit = _audited(_fit(cast, is_both, patterns, method, silence_as_votes), cast, patterns, is_both | silence_as_votes)
    rates = tuple(
        _rates(tuple(voters[one].name for one in group), fit.confusion[place], None if both else int(only))
        for place, (group, both, only) in enumerate(zip(groups, is_both, _single_answers(cast), strict=True))
    )
    return FittedModel(
        parameters=ModelParameters(prevalence=fit.prevalence, groups=rates, heard=heard, silence_as_votes=silence_as_votes),
        interactions=round(float(patterns.times.sum())),
        voted=round(float(patterns.times[patterns.fired != 0].sum())),
        audited=round(float(patterns.times[patterns.truth != ABSTAIN].sum())),
        converged=fit.converged,
    )


def probabilities(patterns: Patterns, functions: Sequence[LabellingFunction], parameters: ModelParameters) -> Floats:
    """P(good) of each pattern, by its votes and the silence that counts; what people say of it is left aside."""
    voters = voters_of(functions)
    place = {voter.name: number for number, voter in enumerate(voters)}
    apart = cast_votes(patterns, functions, voters, parameters.heard)
    cast = merged(apart, [[place[name] for name in group.voters] for group in parameters.groups])
    confusion = numpy.stack([_confusion_of(group) for group in parameters.groups])
    return _posterior(cast.told, confusion, parameters.prevalence)[:, GOOD]


def _knows_both(cast: Cast) -> Flags:
    """Which have given both answers."""
    both: Flags = (cast.answer == BAD).any(axis=0) & (cast.answer == GOOD).any(axis=0)
    return both


def _single_answers(cast: Cast) -> Indexes:
    """The one answer of each that has not given both."""
    return numpy.where(cast.only != ABSTAIN, cast.only, numpy.where((cast.answer == GOOD).any(axis=0), GOOD, BAD))


def _is_enough(cast: Cast, is_both: Flags, times: Floats) -> bool:
    shared = times[cast.spoke[:, is_both].sum(axis=1) >= 2].sum()
    return int(is_both.sum()) >= FEWEST_VOTERS and bool(shared >= FEWEST_SHARED)


def _fit(cast: Cast, is_both: Flags, patterns: Patterns, method: Method, silence_as_votes: bool) -> _Fit:
    """By agreement of those with both answers; of all, silence being a vote, where these are too few.

    Where nobody spoke nothing is fitted: who does more of everything than others would be taken for the class.
    """
    fitted = numpy.ones_like(is_both) if silence_as_votes else is_both
    rows = cast.spoke[:, fitted].any(axis=1)
    answers, times = (cast.counted if silence_as_votes else cast.answer)[rows][:, fitted], patterns.times[rows]
    votes = votes_from_matrix(answers, classes=2, times=times)
    if method == "triplets" and not silence_as_votes:  # covariances are spoiled by leaving out where nobody spoke
        triples = triplet_model(votes)
        posterior, prevalence, rates, converged = triples.posterior, triples.prevalence, triples.confusion, True
    else:
        model = dawid_skene(votes, truth=patterns.truth[rows], initial=_shares(cast.answer[rows][:, fitted], times))
        posterior, prevalence, rates, converged = model.posterior, model.prevalence, model.confusion, model.converged
    confusion = numpy.full((len(fitted), 2, 2), 0.5)
    confusion[fitted] = rates
    if not silence_as_votes and not bool(is_both.all()):
        could = numpy.where(cast.only == ABSTAIN, True, cast.could)[rows][:, ~is_both]
        speaks = speaking_rates(posterior, cast.spoke[rows][:, ~is_both], could, times)
        single = _single_answers(cast)[~is_both]
        confusion[~is_both] = [_speaking(row, int(answer)) for row, answer in zip(speaks, single, strict=True)]
    return _Fit(prevalence=float(prevalence[GOOD]), confusion=confusion, converged=converged)


def _audited(fit: _Fit, cast: Cast, patterns: Patterns, by_votes: Flags) -> _Fit:
    """The fit with its rates, and its share of good, pulled to what people's labels say.

    Rates not `by_votes` are of how often one speaks at all, which is what is counted only of who can give but one answer.
    """
    if not bool((patterns.truth != ABSTAIN).any()):
        return fit
    votes = votes_from_matrix(cast.counted, classes=2, times=patterns.times)
    noise = class_noise(votes, patterns.truth, probability=patterns.drawn)
    asked = (patterns.truth != ABSTAIN) & cast.spoke.any(axis=1)
    weight = patterns.times[asked] / patterns.drawn[asked]
    number = float(patterns.times[asked].sum())
    good = float(weight @ (patterns.truth[asked] == GOOD)) / float(weight.sum()) if number else 0.0
    prevalence = (good * number + MODEL_WORTH * fit.prevalence) / (number + MODEL_WORTH)
    is_alike = (by_votes | (cast.only != ABSTAIN))[:, None, None]
    confusion = numpy.where(is_alike, nearer_the_audit(fit.confusion, noise), fit.confusion)
    return _Fit(prevalence=prevalence, confusion=confusion, converged=fit.converged)


def _shares(answers: Indexes, times: Floats) -> Floats:
    """What to believe at first: the shares of the votes that were cast, patterns by 2."""
    good, bad = (answers == GOOD).sum(axis=1), (answers == BAD).sum(axis=1)
    overall = float(times @ good) / float(times @ (good + bad))
    share = numpy.where(good + bad > 0, good / numpy.maximum(good + bad, 1), overall)
    return numpy.stack((1.0 - share, share), axis=1)


def _posterior(answers: Indexes, confusion: Floats, prevalence: float) -> Floats:
    """P(class) of each row of answers, rows by 2."""
    share = min(max(prevalence, LEAST_RATE), 1.0 - LEAST_RATE)
    joint = numpy.tile(numpy.log([1.0 - share, share]), (len(answers), 1))
    logarithms = numpy.log(numpy.clip(confusion, LEAST_RATE, 1.0))
    for place in range(answers.shape[1]):
        voted = answers[:, place] != ABSTAIN
        joint[voted] += logarithms[place][:, answers[voted, place]].T
    unscaled = numpy.exp(joint - joint.max(axis=1, keepdims=True))
    posterior: Floats = unscaled / unscaled.sum(axis=1, keepdims=True)
    return posterior


def _rates(voters: tuple[str, ...], confusion: Floats, only: int | None) -> GroupRates:
    in_good, in_bad = (GOOD, BAD) if only is None else (only, only)
    return GroupRates(
        voters=voters,
        only_answer=None if only is None else ("bad", "good")[only],
        in_good=float(confusion[GOOD, in_good]),
        in_bad=float(confusion[BAD, in_bad]),
    )


def _confusion_of(group: GroupRates) -> Floats:
    if group.only_answer is None:
        return numpy.array([[group.in_bad, 1.0 - group.in_bad], [1.0 - group.in_good, group.in_good]])
    return _speaking(numpy.array([group.in_bad, group.in_good]), GOOD if group.only_answer == "good" else BAD)


def _speaking(rates: Floats, answer: int) -> Floats:
    """P(answer | class) of one with a single answer: silence is the other."""
    confusion = numpy.empty((2, 2))
    confusion[:, answer], confusion[:, 1 - answer] = rates, 1.0 - rates
    return confusion
