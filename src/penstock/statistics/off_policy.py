"""What a policy would have earned, from events that another one caused: importance weighting of logged rewards.

Inverse propensity scoring (IPS) is unbiased and wild, its self-normalised form (SNIPS) slightly biased and far steadier.
An estimate is worth only as much as its overlap: the effective sample size says how many events really speak for it.
Intervals take the user as the unit.
"""

import math

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from penstock.statistics.cluster import ClusterSums, cluster_sums, ratio
from penstock.statistics.intervals import Estimate, Interval, normal_interval

Floats = NDArray[numpy.float64]
OVERLAP_DEVIATIONS = 4.0  # how far the mean weight may lie from 1, in standard errors


class Events(Struct, frozen=True, kw_only=True):
    """Logged events as columns of one length."""

    reward: Floats
    behaviour_logprob: Floats  # of the logged action, under the policy that took it
    user: NDArray[numpy.int64]  # 0, 1, ...: the unit of the interval


class OffPolicyEstimate(Struct, frozen=True, kw_only=True):
    """A policy's expected reward per event, with what is needed to judge how far to trust it."""

    estimate: Estimate
    interval: Interval
    effective_sample_size: float
    mean_weight: float  # near 1 where the logged policy covers this one
    max_weight: float
    overlaps: bool  # the mean weight, before clipping, is consistent with 1


def events(reward: ArrayLike, behaviour_logprob: ArrayLike, users: ArrayLike) -> Events:
    """Columns from lists; users may be named by anything that numpy can sort."""
    _, index = numpy.unique(numpy.asarray(users), return_inverse=True)
    return Events(
        reward=numpy.asarray(reward, dtype=float),
        behaviour_logprob=numpy.asarray(behaviour_logprob, dtype=float),
        user=index.astype(numpy.int64),
    )


def weights(logged: Events, target_logprob: ArrayLike, clip: float = float("inf")) -> Floats:
    """How much likelier the target policy makes each logged action, at most `clip`."""
    exponent = numpy.asarray(target_logprob, dtype=float) - logged.behaviour_logprob
    return numpy.exp(numpy.minimum(exponent, numpy.log(clip)))


def inverse_propensity(logged: Events, target_logprob: ArrayLike, clip: float = float("inf")) -> OffPolicyEstimate:
    """The IPS estimate: the mean of weight times reward."""
    weight = weights(logged, target_logprob, clip)
    sums = _per_user(logged, weight * logged.reward, numpy.ones_like(weight))
    return _describe(ratio(sums), logged, target_logprob, weight)


def self_normalised(logged: Events, target_logprob: ArrayLike, clip: float = float("inf")) -> OffPolicyEstimate:
    """The SNIPS estimate: weighted rewards over the sum of weights."""
    weight = weights(logged, target_logprob, clip)
    return _describe(ratio(_per_user(logged, weight * logged.reward, weight)), logged, target_logprob, weight)


def self_normalised_difference(
    logged: Events, target_logprob: ArrayLike, baseline_logprob: ArrayLike, clip: float = float("inf")
) -> Estimate:
    """SNIPS of the target minus SNIPS of the baseline, paired on the same events, so that what is common cancels."""
    value = 0.0
    influence: Floats = numpy.zeros(int(logged.user.max()) + 1 if len(logged.user) else 0)
    for logprob, sign in ((target_logprob, 1.0), (baseline_logprob, -1.0)):
        weight = weights(logged, logprob, clip)
        score = float((weight * logged.reward).sum() / weight.sum())
        value += sign * score
        influence += sign * numpy.bincount(logged.user, weight * (logged.reward - score), len(influence)) / weight.sum()
    units = len(influence)
    variance = float((influence * influence).sum()) * units / (units - 1) if units > 1 else float("inf")
    return Estimate(value=value, variance=variance, units=units)


def effective_sample_size(weight: Floats, share: Floats | float = 1.0) -> float:
    """How many equally weighted events would be as informative as these; `share` is how much of an event each is."""
    squares = float((share * weight * weight).sum())
    return float((share * weight).sum()) ** 2 / squares if squares else 0.0


def _per_user(logged: Events, amount: Floats, count: Floats) -> ClusterSums:
    return cluster_sums(numpy.bincount(logged.user, amount), numpy.bincount(logged.user, count))


def _describe(estimate: Estimate, logged: Events, target_logprob: ArrayLike, weight: Floats) -> OffPolicyEstimate:
    unclipped = ratio(_per_user(logged, weights(logged, target_logprob), numpy.ones_like(weight)))
    return OffPolicyEstimate(
        estimate=estimate,
        interval=normal_interval(estimate),
        effective_sample_size=effective_sample_size(weight),
        mean_weight=float(weight.mean()) if len(weight) else 0.0,
        max_weight=float(weight.max()) if len(weight) else 0.0,
        overlaps=abs(unclipped.value - 1.0) <= OVERLAP_DEVIATIONS * math.sqrt(unclipped.variance),
    )
