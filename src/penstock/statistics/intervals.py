"""Estimates with their variance, and fixed-sample 95 % intervals for proportions and estimates.

A fixed-sample interval holds for one look at the data; whoever looks repeatedly needs `sequential.py`.
"""

import math

from msgspec import Struct
from scipy.special import ndtri


class Estimate(Struct, frozen=True, kw_only=True):
    """A value and the variance of its estimator."""

    value: float
    variance: float
    units: int  # independent units that it rests on


class Interval(Struct, frozen=True, kw_only=True):
    """A lower and an upper bound."""

    low: float
    high: float


def two_sided_quantile(confidence: float) -> float:
    """How many standard deviations an interval of this confidence reaches to each side."""
    return float(ndtri(0.5 + confidence / 2.0))


def wilson_interval(successes: float, trials: float, confidence: float = 0.95) -> Interval:
    """The Wilson score interval of a proportion; 0 to 1 where nothing was tried."""
    if trials <= 0:
        return Interval(low=0.0, high=1.0)
    z = two_sided_quantile(confidence)
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return Interval(low=max(0.0, centre - half), high=min(1.0, centre + half))


def normal_interval(estimate: Estimate, confidence: float = 0.95) -> Interval:
    """The interval of an estimate that is normal when many units stand behind it."""
    half = two_sided_quantile(confidence) * math.sqrt(max(estimate.variance, 0.0))
    return Interval(low=estimate.value - half, high=estimate.value + half)
