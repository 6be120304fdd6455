"""The distributions that delays are taken to have: exponential, Weibull, lognormal; with the slopes that fitting needs.

All are of the logarithm of the time and have two parameters, so that times of any unit fit and nothing overflows: the
logarithm of the scale, and a second one that says how spread out delays are. The exponential is the Weibull with that at 0.
"""

import math
from typing import Literal

import numpy
from msgspec import Struct
from numpy.typing import NDArray
from scipy.special import gammaln, log_ndtr, ndtri

Floats = NDArray[numpy.float64]
Shape = Literal["exponential", "weibull", "lognormal"]
SHAPES: tuple[Shape, ...] = ("exponential", "weibull", "lognormal")
_MOST = 600.0  # e to more than this, times what it is multiplied with, could overflow


class DelayTerms(Struct, frozen=True, kw_only=True):
    """At each time the logarithms of density and survival, and their slopes by the two parameters."""

    log_density: Floats
    density_by_scale: Floats
    density_by_second: Floats
    log_survival: Floats
    survival_by_scale: Floats
    survival_by_second: Floats


def delay_terms(shape: Shape, log_time: Floats, log_scale: float, second: float) -> DelayTerms:
    """Of Weibull, whose exponent is e to the second parameter, or of lognormal, whose log has that standard deviation."""
    if shape == "lognormal":
        return _lognormal(log_time, log_scale, second)
    exponent = math.exp(second)
    past = log_time - log_scale
    hazard = numpy.exp(numpy.minimum(exponent * past, _MOST))  # accumulated
    return DelayTerms(
        log_density=second - log_scale + (exponent - 1.0) * past - hazard,
        density_by_scale=exponent * (hazard - 1.0),
        density_by_second=1.0 + exponent * past * (1.0 - hazard),
        log_survival=-hazard,
        survival_by_scale=exponent * hazard,
        survival_by_second=-exponent * past * hazard,
    )


def _lognormal(log_time: Floats, log_scale: float, second: float) -> DelayTerms:
    deviation = math.exp(second)
    standard = (log_time - log_scale) / deviation
    log_survival = log_ndtr(-standard)
    log_normal = -0.5 * standard * standard - 0.5 * math.log(2.0 * math.pi)
    hazard = numpy.exp(log_normal - log_survival)
    return DelayTerms(
        log_density=log_normal - second - log_time,
        density_by_scale=standard / deviation,
        density_by_second=standard * standard - 1.0,
        log_survival=log_survival,
        survival_by_scale=hazard / deviation,
        survival_by_second=hazard * standard,
    )


def mean_delay(shape: Shape, log_scale: float, second: float) -> float:
    """The mean of all delays, those not seen yet included; infinite where it is beyond a float."""
    spread = 0.5 * math.exp(2.0 * second) if shape == "lognormal" else float(gammaln(1.0 + math.exp(-second)))
    return math.exp(log_scale + spread) if log_scale + spread < _MOST else math.inf


def delay_quantile(shape: Shape, share: float, log_scale: float, second: float) -> float:
    """The delay that this share of outcomes does not exceed; infinite where it is beyond a float."""
    if shape == "lognormal":
        log_delay = log_scale + math.exp(second) * float(ndtri(share))
    else:
        log_delay = log_scale + math.log(-math.log1p(-share)) * math.exp(-second)
    return math.exp(log_delay) if log_delay < _MOST else math.inf
