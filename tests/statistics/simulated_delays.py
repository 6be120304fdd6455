"""Cohorts of which it is known how many of the cases will get an outcome, and when."""

import numpy

from penstock.statistics.outcome_delays import outcome_delays


def exponential(mean):
    """Delays with this mean."""
    return lambda generator, number: generator.exponential(mean, number)


def weibull(exponent, scale):
    """Delays with a longer tail than exponential ones where the exponent is below 1."""
    return lambda generator, number: scale * generator.weibull(exponent, number)


def lognormal(log_mean, deviation):
    """Delays whose logarithm is normal."""
    return lambda generator, number: generator.lognormal(log_mean, deviation, number)


def cohort(cases, rate, delays, oldest, seed=0):
    """Cases of ages from 0 to the oldest, with the outcomes that have come by now."""
    generator = numpy.random.default_rng(seed)
    age, delay = generator.uniform(0, oldest, cases), delays(generator, cases)
    come = (generator.random(cases) < rate) & (delay <= age)
    return outcome_delays(numpy.where(come, delay, numpy.nan), age)
