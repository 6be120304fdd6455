"""What each labelling function is worth: how often it votes, how often it is right by the model and by people, who disagrees."""

from collections.abc import Sequence

from msgspec import Struct

from penstock.labels.cast_votes import BAD, GOOD, Flags, Patterns, cast_votes
from penstock.labels.label_model import GroupRates, ModelParameters, probabilities
from penstock.labels.labelling_functions import LabellingFunction, Voter, voters_of
from penstock.statistics.intervals import wilson_interval
from penstock.statistics.votes import ABSTAIN, Floats


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


class _Audit(Struct, frozen=True, kw_only=True):
    number: int
    precision: float | None = None
    low: float | None = None
    high: float | None = None


def report_functions(
    patterns: Patterns, functions: Sequence[LabellingFunction], parameters: ModelParameters
) -> list[FunctionReport]:
    """All of them, in their order."""
    probability = probabilities(patterns, functions, parameters)
    voters = voters_of(functions)
    cast = cast_votes(patterns, functions, voters, parameters.heard)
    against = {GOOD: (cast.answer == BAD).any(axis=1), BAD: (cast.answer == GOOD).any(axis=1)}
    reports = []
    for place, function in enumerate(functions):
        said = GOOD if function.votes == "good" else BAD
        fires = (patterns.fired >> place & 1) == 1
        voter = next(one for one in voters if place in (*one.good, *one.bad))
        group = next(one for one in parameters.groups if voter.name in one.voters)
        right = probability if said == GOOD else 1.0 - probability
        right_on_good, right_on_bad = _rights(group)
        audit = _audit(patterns, fires, said)
        reports.append(
            FunctionReport(
                function=function.name,
                votes=function.votes,
                coverage=float(patterns.times[fires].sum() / patterns.times.sum()),
                right_on_good=right_on_good,
                right_on_bad=right_on_bad,
                precision=_share(right, fires, patterns.times),
                audited=audit.number,
                audited_precision=audit.precision,
                audited_low=audit.low,
                audited_high=audit.high,
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


def _audit(patterns: Patterns, fires: Flags, said: int) -> _Audit:
    audited = fires & (patterns.truth != ABSTAIN)
    if not bool(audited.any()):
        return _Audit(number=0)
    drawn, times = patterns.drawn[audited], patterns.times[audited]
    weight = times / drawn
    effective = float(weight.sum() ** 2 / (weight / drawn).sum())  # Kish 1965
    precision = float(weight @ (patterns.truth[audited] == said) / weight.sum())
    interval = wilson_interval(precision * effective, effective)
    return _Audit(number=round(float(times.sum())), precision=precision, low=interval.low, high=interval.high)


def _others(voters: Sequence[Voter], functions: Sequence[LabellingFunction], group: GroupRates, own: Voter) -> list[str]:
    others = [voter for voter in voters if voter.name in group.voters and voter.name != own.name]
    return [functions[place].name for voter in others for place in (*voter.good, *voter.bad)]
