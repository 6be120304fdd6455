"""The gates, as pure functions from evidence to verdict: nothing here reads a store, so every decision can be replayed.

Promoting takes proof of a better reward; rolling back may take less, and needs no better reason than proof of a worse one or
of more errors. A broken split voids the comparison whatever it shows. Undecided when time or users run out is a refusal.
"""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from penstock.records.evaluation import Evaluation
from penstock.settings import ReleaseSettings
from penstock.statistics.cluster import NO_UNITS, ClusterSums, difference, ratio
from penstock.statistics.intervals import Estimate
from penstock.statistics.sample_ratio import MINIMUM_EXPECTED, sequential_sample_ratio_p
from penstock.statistics.sequential import always_valid_p, confidence_sequence, evidence

ERROR_EFFECT_SCALE = 0.1  # tau of the error guardrail: it is there to find broken candidates, not slightly worse ones


class OfflineVerdict(Struct, frozen=True, kw_only=True):
    """Whether a candidate may meet users, and every reason why not."""

    passed: bool
    reasons: tuple[str, ...]


class Decision(StrEnum):
    """What is to become of a canary."""

    CONTINUE = "continue"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    INVALID = "invalid"  # the split was broken, so nothing was learnt
    REFUSE = "refuse"  # unproven when its time or its users were used up


class ArmEvidence(Struct, frozen=True, kw_only=True):
    """What one arm has shown so far; users are the units of both sums."""

    users: int = 0
    requests: int = 0
    reward: ClusterSums = NO_UNITS  # over interactions whose reward is known
    errors: ClusterSums = NO_UNITS  # over all requests


class CanaryEvidence(Struct, frozen=True, kw_only=True):
    """Everything that a verdict rests on."""

    stable: ArmEvidence
    candidate: ArmEvidence
    candidate_share: float
    elapsed_s: float
    p_value: float | None = None  # the running minimum up to the look before


class CanaryVerdict(Struct, frozen=True, kw_only=True):
    """A decision with the figures behind it, kept word for word in the release's events."""

    decision: Decision
    reason: str
    likelihood_ratio: float
    p_value: float
    sample_ratio_p: float
    stable_users: int
    candidate_users: int
    stable_reward: float
    candidate_reward: float
    difference: float
    difference_low: float | None  # 95 %, valid at every look; None while nothing is known
    difference_high: float | None


def offline_gate(evaluations: Sequence[Evaluation], *, must_gain_on: str | None = None) -> OfflineVerdict:
    """Every evaluation must pass, and there must be one: an unexamined candidate never meets users.

    Without a canary to come it must be shown to be better on the suite `must_gain_on`, beside losing on none.
    """
    if not evaluations:
        return OfflineVerdict(passed=False, reasons=("no suite has examined it",))
    reasons = tuple(one.reason for one in evaluations if not one.passed)
    if not reasons and must_gain_on is not None:
        reasons = _no_gain(evaluations, must_gain_on)
    return OfflineVerdict(passed=not reasons, reasons=reasons)


def _no_gain(evaluations: Sequence[Evaluation], suite_id: str) -> tuple[str, ...]:
    """Why nothing shows that the candidate is better."""
    proof = next((one for one in evaluations if one.suite_id == suite_id), None)
    if proof is None or proof.difference is None or proof.difference_low is None:
        return ("nothing compares it with production on what came since the turn before",)
    if proof.difference_low <= 0:
        return (f"not shown to be better than production: {proof.difference:+.4f}, at least {proof.difference_low:+.4f}",)
    return ()


def canary_verdict(seen: CanaryEvidence, rule: ReleaseSettings) -> CanaryVerdict:
    """What the evidence of a canary, read at this moment, calls for."""
    stable, candidate = ratio(seen.stable.reward), ratio(seen.candidate.reward)
    gain = difference(candidate, stable)
    enough = min(stable.units, candidate.units) >= rule.min_users
    likelihood = evidence(gain, rule.effect_scale) if enough else 1.0
    users = (seen.stable.users, seen.candidate.users)
    split_p = (
        sequential_sample_ratio_p(users, (1.0 - seen.candidate_share, seen.candidate_share)) if seen.candidate_share < 1 else 1.0
    )
    decision, reason = _decide(seen, rule, gain, likelihood, split_p)
    known = gain.variance < float("inf")
    bounds = confidence_sequence(gain) if known else None
    return CanaryVerdict(
        decision=decision,
        reason=reason,
        likelihood_ratio=likelihood,
        p_value=always_valid_p(seen.p_value, likelihood),
        sample_ratio_p=split_p,
        stable_users=users[0],
        candidate_users=users[1],
        stable_reward=stable.value,
        candidate_reward=candidate.value,
        difference=gain.value,
        difference_low=bounds.low if bounds else None,
        difference_high=bounds.high if bounds else None,
    )


def _decide(
    seen: CanaryEvidence, rule: ReleaseSettings, gain: Estimate, likelihood: float, split_p: float
) -> tuple[Decision, str]:
    if split_p < rule.sample_ratio_p:
        users = f"{seen.stable.users} users in stable, {seen.candidate.users} in candidate"
        return Decision.INVALID, f"sample ratio: {users} at a candidate share of {seen.candidate_share:g} (p = {split_p:.2g})"
    rise = error_rise(seen)
    if rise.value > rule.max_error_increase and _excess(rise, rule.max_error_increase) >= rule.rollback_evidence:
        return Decision.ROLL_BACK, f"errors: the candidate fails {rise.value:.1%} of requests more than stable"
    if gain.value > 0 and likelihood >= rule.promote_evidence:
        return Decision.PROMOTE, f"reward {gain.value:+.4f} per interaction, evidence {likelihood:.3g}"
    if gain.value < 0 and likelihood >= rule.rollback_evidence:
        return Decision.ROLL_BACK, f"reward {gain.value:+.4f} per interaction, evidence {likelihood:.3g}"
    if seen.elapsed_s > rule.max_canary_s:
        return Decision.REFUSE, f"unproven after {seen.elapsed_s:.0f} s in canary (evidence {likelihood:.3g})"
    users_seen = seen.stable.users + seen.candidate.users
    if rule.max_canary_users and users_seen >= rule.max_canary_users:
        return Decision.REFUSE, f"unproven after {users_seen} users in canary (evidence {likelihood:.3g})"
    return Decision.CONTINUE, f"evidence {likelihood:.3g}"


def error_rise(seen: CanaryEvidence) -> Estimate:
    """How much more often the candidate fails than stable; unknown until each arm has a handful of users."""
    if min(seen.stable.errors.units, seen.candidate.errors.units) < MINIMUM_EXPECTED:
        return Estimate(value=0.0, variance=float("inf"), units=0)
    return difference(_error_rate(seen.candidate.errors), _error_rate(seen.stable.errors))


def _error_rate(sums: ClusterSums) -> Estimate:
    """A rate of 0 or of 1 has no variance between users, so it gets that of one more success and one more failure."""
    estimate = ratio(sums)
    smoothed = (estimate.value * sums.units + 1) / (sums.units + 2)
    floor = smoothed * (1 - smoothed) / sums.units
    return Estimate(value=estimate.value, variance=max(estimate.variance, floor), units=sums.units)


def _excess(rise: Estimate, tolerated: float) -> float:
    return evidence(Estimate(value=rise.value - tolerated, variance=rise.variance, units=rise.units), ERROR_EFFECT_SCALE)
