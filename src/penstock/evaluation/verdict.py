"""From scores to a verdict, as pure functions: how a checkpoint did beside the one in production, and whether it will do.

Off-policy: refused if it is shown to earn less, if its estimated loss exceeds the margin, or if the logged events say too little
about it to tell. What it does that was never logged counts at the worst reward that was. Exact match: refused if it answers fewer
items rightly than production, by more than the tolerance. Detection: refused if it finds fewer positives at the same
false-positive rate by more than the margin, shown or not, or if there are too few to tell.
"""

from collections.abc import Sequence

import numpy
from msgspec import Struct

from penstock.evaluation.suite_files import EventItem, ExactItem, TabularItem
from penstock.statistics.detection import compare_detection
from penstock.statistics.intervals import Estimate, normal_interval, wilson_interval
from penstock.statistics.off_policy import OffPolicyEstimate, events, self_normalised, self_normalised_difference, weights

CLIP = 20.0  # of an importance weight: few events shall not carry the estimate
LEAST_EFFECTIVE_EVENTS = 20.0
LEAST_POSITIVES = 20.0  # effective, of a detection suite
LEAST_MEAN_WEIGHT = 0.5  # below it the checkpoint mostly does what was never logged


class Tolerances(Struct, frozen=True, kw_only=True):
    """How much worse than production a candidate may look offline."""

    held_out_margin: float = 0.02  # reward per event
    exact_match: float = 0.05  # share of items
    detection: float = 0.02  # share of positives
    false_positive_rate: float = 0.01  # of negatives, at which positives are found


class ItemScore(Struct, frozen=True, kw_only=True):
    """One item's part in the score: weighted reward, 1 for a right answer, or 1 for a row that is flagged."""

    item_id: str
    slice: str
    score: float
    baseline_score: float
    interaction_id: str | None = None


class Judged(Struct, frozen=True, kw_only=True):
    """The outcome of one evaluation, with 95 % intervals."""

    score: float
    score_low: float
    score_high: float
    baseline_score: float
    difference: float
    difference_low: float
    difference_high: float
    passed: bool
    reason: str
    items: list[ItemScore]


def judge_held_out(
    items: Sequence[EventItem], candidate: Sequence[float], baseline: Sequence[float], tolerances: Tolerances
) -> Judged:
    """Candidate against baseline by the log-probability that each gives every logged completion."""
    logged = events([item.reward for item in items], [item.behaviour_logprob for item in items], [item.user for item in items])
    ours, theirs = self_normalised(logged, candidate, CLIP), self_normalised(logged, baseline, CLIP)
    gain = self_normalised_difference(logged, candidate, baseline, CLIP)
    bounds = normal_interval(gain)
    unseen = unseen_share(ours, theirs)
    worst = unseen * min(0.0, float(logged.reward.min()))
    objection = _objection(ours, gain, bounds.high, worst, tolerances.held_out_margin)
    weighted = weights(logged, candidate, CLIP) * logged.reward
    weighted_baseline = weights(logged, baseline, CLIP) * logged.reward
    effective = f"{ours.effective_sample_size:.0f} of {len(items)} events speak for it"
    return Judged(
        score=ours.estimate.value,
        score_low=ours.interval.low,
        score_high=ours.interval.high,
        baseline_score=theirs.estimate.value,
        difference=gain.value,
        difference_low=bounds.low,
        difference_high=bounds.high,
        passed=objection is None,
        reason=f"{objection or f'reward {gain.value:+.4f} per event against production'} ({effective})",
        items=[
            ItemScore(
                item_id=item.item_id,
                slice=item.slice,
                score=float(score),
                baseline_score=float(baseline_score),
                interaction_id=item.interaction_id,
            )
            for item, score, baseline_score in zip(items, weighted, weighted_baseline, strict=True)
        ],
    )


def unseen_share(candidate: OffPolicyEstimate, production: OffPolicyEstimate) -> float:
    """How much more of what the candidate does than of what production does was never logged, as a share.

    The mean importance weight is the share of a policy's behaviour that the log covers; an estimate from the log passes over the
    rest. Production, whose own mean differs from 1 by chance and by clipping alone, is the measure.
    """
    return max(0.0, production.mean_weight - candidate.mean_weight)


def _objection(
    ours: OffPolicyEstimate, gain: Estimate, difference_high: float, worst_of_unseen: float, margin: float
) -> str | None:
    if ours.effective_sample_size < LEAST_EFFECTIVE_EVENTS:
        return f"too few logged events speak for it ({ours.effective_sample_size:.1f}, at least {LEAST_EFFECTIVE_EVENTS:g})"
    if not ours.overlaps and ours.mean_weight < LEAST_MEAN_WEIGHT:
        return f"it does what was never logged (mean weight {ours.mean_weight:.2f} instead of 1)"
    if difference_high < 0:
        return f"it earns less than production: {gain.value:+.4f} per event, at most {difference_high:+.4f}"
    if gain.value < -margin:
        return f"it seems to earn less than production: {gain.value:+.4f} per event, more than the margin of {margin:g}"
    if gain.value + worst_of_unseen < -margin:
        return (
            f"what it does that was never logged may cost {-worst_of_unseen:.4f} per event, with the {gain.value:+.4f} that was "
            f"logged more than the margin of {margin:g}"
        )
    return None


def judge_exact_match(
    items: Sequence[ExactItem], candidate: Sequence[str], baseline: Sequence[str], tolerances: Tolerances
) -> Judged:
    """Candidate against baseline by the share of right answers."""
    right = numpy.array([answer == item.expected for item, answer in zip(items, candidate, strict=True)], dtype=float)
    right_before = numpy.array([answer == item.expected for item, answer in zip(items, baseline, strict=True)], dtype=float)
    gains, number = right - right_before, len(items)
    variance = float(gains.var(ddof=1)) / number if number > 1 else float("inf")
    bounds = normal_interval(Estimate(value=float(gains.mean()), variance=variance, units=number))
    share = wilson_interval(float(right.sum()), number)
    difference = float(gains.mean())
    passed = difference >= -tolerances.exact_match
    return Judged(
        score=float(right.mean()),
        score_low=share.low,
        score_high=share.high,
        baseline_score=float(right_before.mean()),
        difference=difference,
        difference_low=max(-1.0, bounds.low),
        difference_high=min(1.0, bounds.high),
        passed=passed,
        reason=f"{right.mean():.1%} of {number} answers right, production {right_before.mean():.1%}",
        items=[
            ItemScore(item_id=item.item_id, slice=item.slice, score=float(now), baseline_score=float(before))
            for item, now, before in zip(items, right, right_before, strict=True)
        ],
    )


def judge_detection(
    items: Sequence[TabularItem], candidate: Sequence[float], baseline: Sequence[float], tolerances: Tolerances
) -> Judged:
    """Candidate against baseline by the positives that each finds at the same false-positive rate, with users as units.

    A label counts by the side that it is nearer to: half-sure positives would fill the few places that negatives have.
    """
    label = numpy.array([item.label for item in items]) > 0.5
    weight = numpy.array([item.weight for item in items])
    found = compare_detection(
        candidate,
        baseline,
        label,
        tolerances.false_positive_rate,
        weight=weight,
        unit=[item.user for item in items],
    )
    effective = float(weight[label].sum() ** 2 / (weight[label] ** 2).sum())
    objection = _detection_objection(found.difference, found.interval.high, effective, tolerances.detection)
    ours, theirs = found.candidate, found.baseline
    told = f"{ours.detected:.1%} found, production {theirs.detected:.1%}, {found.difference:+.1%}"
    at = f"at {tolerances.false_positive_rate:.2%} false positives; {effective:.0f} effective positives among {len(items)} rows"
    return Judged(
        score=ours.detected,
        score_low=ours.interval.low,
        score_high=ours.interval.high,
        baseline_score=theirs.detected,
        difference=found.difference,
        difference_low=found.interval.low,
        difference_high=found.interval.high,
        passed=objection is None,
        reason=f"{objection or told} ({at})",
        items=[
            ItemScore(
                item_id=item.item_id,
                slice="positive" if is_positive else "negative",
                score=float(score > ours.threshold),
                baseline_score=float(baseline_score > theirs.threshold),
                interaction_id=item.interaction_id,
            )
            for item, is_positive, score, baseline_score in zip(items, label, candidate, baseline, strict=True)
        ],
    )


def _detection_objection(gain: float, gain_high: float, effective: float, margin: float) -> str | None:
    if effective < LEAST_POSITIVES:
        return f"too few positives to tell ({effective:.1f} effective, at least {LEAST_POSITIVES:g})"
    # A certain loss within the margin is put up with. Production was released for what it does on the suite of the last release,
    # so whatever is trained later loses a little on it, and could never be released however much it gains on what is new.
    if gain >= -margin:
        return None
    if gain_high < 0:
        return f"it finds fewer positives than production: {gain:+.1%}, at most {gain_high:+.1%}"
    return f"it seems to find fewer positives than production: {gain:+.1%}, more than the margin of {margin:.1%}"
