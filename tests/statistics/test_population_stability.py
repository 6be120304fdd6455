"""The stability index: by hand, and alarms as rare as its p-value says, also where values of one user are alike."""

import math

import numpy
import pytest

from penstock.errors import BadInputError
from penstock.statistics.population_stability import design_effect, population_stability


def test_the_index_is_that_of_the_formula():
    old, new = numpy.array([300.5, 100.5]) / 401, numpy.array([200.5, 200.5]) / 401
    found = population_stability([300, 100], [200, 200])
    assert found.index == pytest.approx(((new - old) * numpy.log(new / old)).sum())
    assert found.p_value < 1e-6


def test_a_bin_that_empties_is_a_large_change_and_not_an_infinite_one():
    found = population_stability([100, 100, 100], [150, 150, 0])
    assert 0.25 < found.index < 5.0
    assert found.p_value < 1e-9


def test_without_a_change_to_see_there_is_no_p_value():
    assert population_stability([10], [20]).index == 0.0
    for nothing in (population_stability([10], [20]), population_stability([1, 2], [0, 0])):
        assert math.isnan(nothing.p_value)
    with pytest.raises(BadInputError, match="same bins"):
        population_stability([1, 2], [1])


def test_false_alarms_are_as_rare_as_they_claim_whatever_the_number_of_values():
    for number, other in ((500, 500), (20_000, 2_000)):
        generator = numpy.random.default_rng(number)
        chances = numpy.full(10, 0.1)
        rounds = [
            population_stability(generator.multinomial(number, chances), generator.multinomial(other, chances)).p_value
            for _ in range(1_000)
        ]
        assert numpy.mean(numpy.array(rounds) < 0.05) == pytest.approx(0.05, abs=0.02)


def histogram(generator, users, each):
    """Values of users who keep to a bin of their own half of the time, as counts and with their design effect."""
    favourite = generator.integers(0, 5, users)
    chosen = numpy.where(generator.random((users, each)) < 0.5, favourite[:, None], generator.integers(0, 5, (users, each)))
    by_user = numpy.stack([(chosen == one).sum(axis=1) for one in range(5)], axis=1)
    counts = by_user.sum(axis=0)
    effect = design_effect(
        counts / counts.sum(), (by_user**2).sum(axis=0), (by_user * each).sum(axis=0), counts.sum(), users * each**2
    )
    return counts, effect


def test_users_who_keep_to_their_ways_raise_no_alarm():
    generator, plain, mended = numpy.random.default_rng(9), 0, 0
    for _ in range(400):
        (old, old_effect), (new, new_effect) = histogram(generator, 200, 20), histogram(generator, 200, 20)
        plain += population_stability(old, new).p_value < 0.05
        found = population_stability(old, new, design_effect_before=old_effect, design_effect_after=new_effect)
        mended += found.p_value < 0.05
    assert plain / 400 > 0.4
    assert mended / 400 == pytest.approx(0.05, abs=0.03)
    assert old_effect == pytest.approx(1 + 19 * 0.25, rel=0.3)


def test_a_design_effect_of_nothing_is_one():
    assert design_effect([1.0], [4.0], [4.0], 4.0, 16.0) == 1.0
