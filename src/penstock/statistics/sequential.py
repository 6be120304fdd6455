"""Tests that stay valid however often they are looked at: the mixture sequential probability ratio test (mSPRT) and an
asymptotic confidence sequence.

Both take an estimate and its variance, so that anything asymptotically normal can be watched. Under no difference the chance
that the likelihood ratio ever reaches 1/alpha is at most alpha, whenever one stops.
"""

import math

import numpy
from numpy.typing import NDArray

from penstock.statistics.intervals import Estimate, Interval

TUNED_AT = 5_000  # observations at which the confidence sequence is tightest


def log_likelihood_ratio(difference: float, variance: float, effect_scale: float) -> float:
    """The log of the mSPRT's ratio for a difference against none; 0, which is no evidence, where the variance is not known.

    `effect_scale` is tau, the standard deviation of the normal mixture over differences that the test is tuned to find.
    """
    if not math.isfinite(variance) or variance <= 0.0:
        return 0.0
    mixed = variance + effect_scale * effect_scale
    return 0.5 * math.log(variance / mixed) + (effect_scale * difference) ** 2 / (2.0 * variance * mixed)


def evidence(estimate: Estimate, effect_scale: float) -> float:
    """The likelihood ratio of an estimated difference, an e-value: its mean under no difference is 1 at any time."""
    return math.exp(min(log_likelihood_ratio(estimate.value, estimate.variance, effect_scale), 700.0))


def always_valid_p(previous: float | None, ratio: float) -> float:
    """The always-valid p-value after one more look: the running minimum of the inverse ratios."""
    return min(1.0 if previous is None else previous, 1.0, 1.0 / ratio if ratio > 0.0 else 1.0)


def log_likelihood_ratios(
    differences: NDArray[numpy.float64], variances: NDArray[numpy.float64], effect_scale: float
) -> NDArray[numpy.float64]:
    """The same as `log_likelihood_ratio` for many looks at once, each with a positive variance."""
    mixed = variances + effect_scale * effect_scale
    ratios: NDArray[numpy.float64] = 0.5 * numpy.log(variances / mixed) + (effect_scale * differences) ** 2 / (
        2.0 * variances * mixed
    )
    return ratios


def confidence_sequence(estimate: Estimate, *, confidence: float = 0.95, tuned_at: int = TUNED_AT) -> Interval:
    """Bounds that hold at every look at once with this confidence (Waudby-Smith and others, arXiv 2103.06476, equation 9)."""
    half = sequence_factor(estimate.units, 1.0 - confidence, tuned_at) * math.sqrt(max(estimate.variance, 0.0))
    return Interval(low=estimate.value - half, high=estimate.value + half)


def sequence_factor(units: int, alpha: float, tuned_at: int = TUNED_AT) -> float:
    """How many standard errors the confidence sequence reaches to each side after this many units."""
    if units <= 0:
        return float("inf")
    log_alpha = math.log(alpha)
    rho_squared = (-2.0 * log_alpha + math.log(1.0 - 2.0 * log_alpha)) / tuned_at
    scaled = units * rho_squared
    # equation 9 gives the half width in standard deviations; one standard error is a standard deviation over sqrt(units)
    return math.sqrt(2.0 * (scaled + 1.0) / scaled * (0.5 * math.log(scaled + 1.0) - log_alpha))
