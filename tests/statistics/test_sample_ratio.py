"""The golden imbalance is found, a fair split is left alone, also when it is looked at a hundred times."""

import numpy
import pytest

from penstock.statistics.sample_ratio import sample_ratio_p, sequential_sample_ratio_p


def test_the_published_imbalance_has_the_published_p_value():
    assert sample_ratio_p([821_588, 815_482], [0.5, 0.5]) == pytest.approx(1.82e-6, rel=0.005)


def test_the_sequential_test_also_finds_a_gross_and_a_small_imbalance():
    assert sequential_sample_ratio_p([65, 20], [0.5, 0.5]) < 0.0005
    assert sequential_sample_ratio_p([51_000, 49_000], [0.5, 0.5]) < 0.0005


@pytest.mark.parametrize("p_value", [sample_ratio_p, sequential_sample_ratio_p])
def test_a_split_as_meant_is_no_finding(p_value):
    assert p_value([300, 700], [0.3, 0.7]) > 0.5


@pytest.mark.parametrize("p_value", [sample_ratio_p, sequential_sample_ratio_p])
def test_a_handful_of_users_says_nothing(p_value):
    assert p_value([0, 12], [0.5, 0.5]) == 1.0
    assert p_value([0, 0], [0.5, 0.5]) == 1.0


def test_looking_a_hundred_times_does_not_raise_false_alarms():
    generator, alarms, rounds, level = numpy.random.default_rng(0), 0, 150, 0.05
    for _ in range(rounds):
        arms = numpy.cumsum(generator.binomial(50, 0.5, 100))
        alarms += any(
            sequential_sample_ratio_p([int(arm), 50 * look - int(arm)], [0.5, 0.5]) < level
            for look, arm in enumerate(arms, start=1)
        )
    assert alarms / rounds <= level
