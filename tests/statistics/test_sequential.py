"""The promise is kept in simulation: watched at every look, the errors stay below 5 %, where a t-test errs in one of three."""

import math

import numpy
import pytest

from penstock.statistics.intervals import Estimate
from penstock.statistics.sequential import (
    always_valid_p,
    confidence_sequence,
    evidence,
    log_likelihood_ratio,
    log_likelihood_ratios,
    sequence_factor,
)

PER_ARM, EVERY = 10_000, 100
LOOKS = numpy.arange(EVERY, PER_ARM + 1, EVERY)


def watched_differences(rounds, effect=0.0, seed=0):
    """For each round and look, the difference of two arms' means of unit normals; a look's sum is drawn as one normal."""
    generator = numpy.random.default_rng(seed)
    steps = generator.normal(effect * EVERY, math.sqrt(2 * EVERY), size=(rounds, len(LOOKS)))
    return numpy.cumsum(steps, axis=1) / LOOKS


def crossings(differences, effect_scale, ratio=20.0):
    return log_likelihood_ratios(differences, 2.0 / LOOKS, effect_scale) >= math.log(ratio)


def test_peeking_with_a_t_test_errs_in_a_third_of_null_experiments():
    z = numpy.abs(watched_differences(2_000)) / numpy.sqrt(2.0 / LOOKS)
    assert (z > 1.96).any(axis=1).mean() == pytest.approx(0.354, abs=0.03)
    assert (z[:, -1] > 1.96).mean() == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize(("effect_scale", "published"), [(0.1, 0.0305), (0.03, 0.0085)])
def test_the_msprt_keeps_its_error_below_five_percent_at_every_look(effect_scale, published):
    rate = crossings(watched_differences(2_000), effect_scale).any(axis=1).mean()
    assert rate <= 0.05
    assert rate == pytest.approx(published, abs=0.012)


def test_the_msprt_finds_a_real_difference_and_stops_early():
    crossed = crossings(watched_differences(2_000, effect=0.06), 0.03)
    found = crossed.any(axis=1)
    assert found.mean() == pytest.approx(0.92, abs=0.03)
    assert numpy.median(LOOKS[crossed[found].argmax(axis=1)]) == pytest.approx(4_894, abs=250)


@pytest.mark.slow
def test_the_error_rate_holds_when_every_observation_is_a_look():
    generator, rounds, crossed = numpy.random.default_rng(2), 2_000, 0
    number = numpy.arange(1, PER_ARM + 1)
    for _ in range(rounds):
        differences = numpy.cumsum(generator.normal(size=PER_ARM) - generator.normal(size=PER_ARM)) / number
        crossed += bool((log_likelihood_ratios(differences, 2.0 / number, 0.1) >= math.log(20.0)).any())
    assert crossed / rounds <= 0.05


def test_the_confidence_sequence_covers_the_truth_at_all_looks_at_once():
    halves = numpy.array([sequence_factor(int(2 * look), 0.05) * math.sqrt(2.0 / look) for look in LOOKS])
    assert (numpy.abs(watched_differences(2_000)) < halves).all(axis=1).mean() >= 0.95


def test_the_confidence_sequence_is_equation_nine():
    n, alpha, deviation = 1_200, 0.05, 0.7
    rho = math.sqrt((-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / 5_000)
    half = deviation * math.sqrt(2 * (n * rho**2 + 1) / (n * rho) ** 2 * math.log(math.sqrt(n * rho**2 + 1) / alpha))
    bounds = confidence_sequence(Estimate(value=0.1, variance=deviation**2 / n, units=n))
    assert (bounds.low, bounds.high) == pytest.approx((0.1 - half, 0.1 + half))


def test_the_ratio_is_the_published_formula_with_the_variance_of_the_difference():
    n, difference, tau, per_pair = 500, 0.08, 0.1, 2.0
    published = math.sqrt(per_pair / (per_pair + n * tau**2)) * math.exp(
        n**2 * tau**2 * difference**2 / (2 * per_pair * (per_pair + n * tau**2))
    )
    assert evidence(Estimate(value=difference, variance=per_pair / n, units=n), tau) == pytest.approx(published)


@pytest.mark.parametrize("variance", [0.0, float("inf"), float("nan")])
def test_an_unknown_variance_is_no_evidence(variance):
    assert log_likelihood_ratio(0.3, variance, 0.1) == 0.0


def test_overwhelming_evidence_does_not_overflow():
    assert math.isfinite(evidence(Estimate(value=50.0, variance=1e-6, units=9), 0.1))


def test_the_p_value_never_rises_again():
    assert always_valid_p(None, 4.0) == 0.25
    assert always_valid_p(0.25, 2.0) == 0.25
    assert always_valid_p(0.25, 0.0) == 0.25
    assert always_valid_p(None, 0.5) == 1.0
