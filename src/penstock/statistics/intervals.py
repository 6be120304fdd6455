"""Estimates with their variance, and fixed-sample 95 % intervals for proportions and estimates.

A fixed-sample interval holds for one look at the data; whoever looks repeatedly needs `sequential.py`.
"""

import math

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray
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
    low, high = wilson_bounds(successes, trials, confidence)
    return Interval(low=float(low), high=float(high))


def wilson_bounds(
    successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95
) -> tuple[NDArray[numpy.float64], NDArray[numpy.float64]]:
    """The lower and the upper bounds of the Wilson score intervals of many proportions, in the shape of the input."""
    tried = numpy.asarray(trials, dtype=float)
    number = numpy.where(tried > 0, tried, 1.0)
    z = two_sided_quantile(confidence)
    share = numpy.asarray(successes, dtype=float) / number
    centre = (share + z * z / (2 * number)) / (1 + z * z / number)
    half = z * numpy.sqrt(share * (1 - share) / number + z * z / (4 * number * number)) / (1 + z * z / number)
    low = numpy.where(tried > 0, numpy.maximum(0.0, centre - half), 0.0)
    return low, numpy.where(tried > 0, numpy.minimum(1.0, centre + half), 1.0)


def normal_interval(estimate: Estimate, confidence: float = 0.95) -> Interval:
    """The interval of an estimate that is normal when many units stand behind it."""
    half = two_sided_quantile(confidence) * math.sqrt(max(estimate.variance, 0.0))
    return Interval(low=estimate.value - half, high=estimate.value + half)
