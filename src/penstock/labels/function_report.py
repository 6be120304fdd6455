"""What each labelling function is worth: how often it votes, how often it is right by the model and by people, who disagrees."""

from collections.abc import Sequence

import numpy
from msgspec import Struct

from penstock.labels.cast_votes import BAD, GOOD, Flags, Patterns, cast_votes
from penstock.labels.label_model import GroupRates, ModelParameters, probabilities
from penstock.labels.labelling_functions import LabellingFunction, Voter, voters_of
from penstock.statistics.class_noise import ClassNoise, class_noise
from penstock.statistics.votes import ABSTAIN, Floats, votes_from_matrix


class FunctionReport(Struct, frozen=True, kw_only=True):
    """One function; None where nothing tells."""

    function: str
    votes: str
    coverage: float  # share of all interactions that it votes on
    right_on_good: float  # how often its voter is right where the answer is good; silence counts where it can
    right_on_bad: float
    precision: float | None  # P(what it says | it says so), by the model
    audited: int  # of its votes, those on what people have labelled
    audited_precision: float | None  # weighted by how probably people were asked
    audited_low: float | None  # its interval at 95 %
    audited_high: float | None
    conflict: float | None  # share of its votes against which another function votes
    merged_with: list[str]  # functions whose votes count as one with its own


def report_functions(
    patterns: Patterns, functions: Sequence[LabellingFunction], parameters: ModelParameters
) -> list[FunctionReport]:
    """All of them, in their order."""
    probability = probabilities(patterns, functions, parameters)
    voters = voters_of(functions)
    cast = cast_votes(patterns, functions, voters, parameters.heard)
    against = {GOOD: (cast.answer == BAD).any(axis=1), BAD: (cast.answer == GOOD).any(axis=1)}
    noise = _audit(patterns, functions)
    reports = []
    for place, function in enumerate(functions):
        said = _said(function)
        fires = (patterns.fired >> place & 1) == 1
        voter = next(one for one in voters if place in (*one.good, *one.bad))
        group = next(one for one in parameters.groups if voter.name in one.voters)
        right = probability if said == GOOD else 1.0 - probability
        right_on_good, right_on_bad = _rights(group)
        number, belief, low, high = _believed(noise, place, said)
        reports.append(
            FunctionReport(
                function=function.name,
                votes=function.votes,
                coverage=float(patterns.times[fires].sum() / patterns.times.sum()),
                right_on_good=right_on_good,
                right_on_bad=right_on_bad,
                precision=_share(right, fires, patterns.times),
                audited=number,
                audited_precision=belief,
                audited_low=low,
                audited_high=high,
                conflict=_share(against[said].astype(float), fires, patterns.times),
                merged_with=_others(voters, functions, group, voter),
            )
        )
    return reports


def _rights(group: GroupRates) -> tuple[float, float]:
    """How often it is right in each class; whoever knows one answer is right in the other class where it is silent."""
    in_good = 1.0 - group.in_good if group.only_answer == "bad" else group.in_good
    in_bad = 1.0 - group.in_bad if group.only_answer == "good" else group.in_bad
    return in_good, in_bad


def _share(values: Floats, fires: Flags, times: Floats) -> float | None:
    weight = times[fires].sum()
    return float((values[fires] * times[fires]).sum() / weight) if weight else None


def _audit(patterns: Patterns, functions: Sequence[LabellingFunction]) -> ClassNoise | None:
    """What people's labels say of each function alone; None where there are none."""
    if not bool((patterns.truth != ABSTAIN).any()):
        return None
    said = [numpy.where(patterns.fired >> place & 1, _said(one), ABSTAIN) for place, one in enumerate(functions)]
    votes = votes_from_matrix(numpy.stack(said, axis=1), classes=2, times=patterns.times)
    return class_noise(votes, patterns.truth, probability=patterns.drawn)


def _believed(noise: ClassNoise | None, place: int, said: int) -> tuple[int, float | None, float | None, float | None]:
    """On how many of its votes people have spoken, how often it was right there, and the interval."""
    number = 0 if noise is None else round(float(noise.audited[place].sum()))
    if noise is None or number == 0:
        return 0, None, None, None
    belief, low, high = (float(rates[place, said, said]) for rates in (noise.belief, noise.belief_low, noise.belief_high))
    return number, belief, low, high


def _said(function: LabellingFunction) -> int:
    return GOOD if function.votes == "good" else BAD


def _others(voters: Sequence[Voter], functions: Sequence[LabellingFunction], group: GroupRates, own: Voter) -> list[str]:
    others = [voter for voter in voters if voter.name in group.voters and voter.name != own.name]
    return [functions[place].name for voter in others for place in (*voter.good, *voter.bad)]
