"""Segments that cannot leave: flagged where behaviour is worse and ratings hide it, and nowhere else."""

import math

import numpy
import pytest

from penstock.signals.captive import find_captive, holm
from penstock.signals.rates import find_rate
from penstock.signals.readings import READINGS
from tests.signals.made_cases import make_cases


def flagged(*, retried=(0.1, 0.1), rated=(0.5, 0.5), share=(0.3, 0.3), seed=0, number=4_000):
    """Two segments with these probabilities of a retry, mean ratings, and shares who rate."""
    generator = numpy.random.default_rng(seed)
    segment = generator.integers(0, 2, number)
    cases = make_cases(number, segment=segment, segments=("free", "held"))
    retry = numpy.where(generator.random(number) < numpy.array(retried)[segment], 0.9, 0.1)
    good = generator.random(number) < (1.0 + numpy.array(rated)[segment]) / 2.0
    rating = numpy.where(generator.random(number) < numpy.array(share)[segment], numpy.where(good, 1.0, -1.0), numpy.nan)
    rates = [find_rate("retry", retry, cases, READINGS)]
    return find_captive(cases, rates, find_rate("rating", rating, cases, READINGS))


def test_ratings_as_elsewhere_beside_worse_behaviour_are_flagged():
    (found,) = flagged(retried=(0.1, 0.2))
    assert (found.segment, found.behaviour) == ("held", "retry rate")
    assert found.rate / found.rate_elsewhere == pytest.approx(2.0, rel=0.2)
    assert found.p_value < 1e-6


def test_neutral_ratings_and_none_at_all_are_flagged_too():
    (neutral,) = flagged(retried=(0.1, 0.2), rated=(0.6, 0.0))
    assert neutral.rating == pytest.approx(0.0, abs=0.15)
    (silent,) = flagged(retried=(0.1, 0.2), share=(0.3, 0.0))
    assert math.isnan(silent.rating)


def test_where_ratings_say_it_or_behaviour_is_alike_nothing_is_flagged():
    assert flagged(retried=(0.1, 0.2), rated=(0.5, -0.5)) == []
    assert flagged(rated=(0.6, 0.0)) == []
    assert flagged(retried=(0.3, 0.31), number=60_000) == []  # beyond chance, and too little to matter


def test_false_flags_are_as_rare_as_they_claim():
    assert sum(bool(flagged(seed=seed, number=1_000)) for seed in range(100)) <= 12


def test_corrected_probabilities_grow_with_their_number():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
