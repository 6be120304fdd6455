"""Densities, survivals, means and quantiles against scipy's; slopes against differences."""

import math

import numpy
import pytest
from scipy.stats import expon, lognorm, weibull_min

from penstock.statistics.delay_shapes import delay_quantile, delay_terms, mean_delay

TIME = numpy.array([0.01, 0.5, 3.0, 40.0])
LOG_SCALE = math.log(5.0)
CASES = [
    ("exponential", 0.0, expon(scale=5.0)),
    ("weibull", math.log(0.6), weibull_min(0.6, scale=5.0)),
    ("weibull", math.log(1.8), weibull_min(1.8, scale=5.0)),
    ("lognormal", math.log(1.3), lognorm(1.3, scale=5.0)),
]


@pytest.mark.parametrize(("shape", "second", "theirs"), CASES)
def test_every_shape_agrees_with_scipy(shape, second, theirs):
    terms = delay_terms(shape, numpy.log(TIME), LOG_SCALE, second)
    assert terms.log_density == pytest.approx(theirs.logpdf(TIME))
    assert terms.log_survival == pytest.approx(theirs.logsf(TIME))
    assert mean_delay(shape, LOG_SCALE, second) == pytest.approx(theirs.mean())
    assert delay_quantile(shape, 0.9, LOG_SCALE, second) == pytest.approx(theirs.ppf(0.9))


@pytest.mark.parametrize(("shape", "second", "_"), CASES)
def test_slopes_are_those_of_the_functions(shape, second, _):
    step, log_time = 1e-6, numpy.log(TIME)
    terms = delay_terms(shape, log_time, LOG_SCALE, second)
    for which in ("density", "survival"):
        for parameter, changes in (("scale", (step, 0.0)), ("second", (0.0, step))):
            above, below = (
                getattr(delay_terms(shape, log_time, LOG_SCALE + sign * changes[0], second + sign * changes[1]), f"log_{which}")
                for sign in (1, -1)
            )
            assert getattr(terms, f"{which}_by_{parameter}") == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-6)


def test_a_time_far_beyond_the_scale_overflows_nothing():
    terms = delay_terms("weibull", numpy.array([300.0]), 0.0, 2.0)
    assert numpy.isfinite(terms.survival_by_second).all()
    assert mean_delay("lognormal", 0.0, 5.0) == math.inf
    assert delay_quantile("weibull", 0.9, 0.0, -10.0) == math.inf
