"""Users are the unit: the variance covers what it says it covers, where one that counts interactions does not."""

import numpy
import pytest

from penstock.statistics.cluster import NO_UNITS, cluster_sums, difference, ratio


def test_with_one_interaction_each_it_is_the_variance_of_a_mean():
    rewards = numpy.random.default_rng(0).normal(size=400)
    estimate = ratio(cluster_sums(rewards, numpy.ones(400)))
    assert estimate.value == pytest.approx(rewards.mean())
    assert estimate.variance == pytest.approx(rewards.var(ddof=1) / 400)


def test_intervals_over_users_cover_the_truth_where_intervals_over_interactions_do_not():
    generator = numpy.random.default_rng(1)
    covered_by_users, covered_by_interactions, rounds = 0, 0, 600
    for _ in range(rounds):
        counts = 1 + generator.poisson(9, 120)
        rates = generator.beta(1, 3, 120)  # users differ a lot, so interactions of one user resemble each other
        totals = generator.binomial(counts, rates)
        truth = 0.25
        estimate = ratio(cluster_sums(totals, counts))
        share, number = totals.sum() / counts.sum(), counts.sum()
        covered_by_users += abs(estimate.value - truth) < 1.96 * estimate.variance**0.5
        covered_by_interactions += abs(share - truth) < 1.96 * (share * (1 - share) / number) ** 0.5
    assert 0.92 < covered_by_users / rounds < 0.98
    assert covered_by_interactions / rounds < 0.85


def test_the_difference_of_independent_arms_adds_their_variances():
    first, second = ratio(cluster_sums([1, 2, 3], [2, 2, 2])), ratio(cluster_sums([1, 1, 4], [2, 2, 2]))
    both = difference(second, first)
    assert both.value == pytest.approx(second.value - first.value)
    assert both.variance == pytest.approx(first.variance + second.variance)
    assert both.units == 6


@pytest.mark.parametrize("sums", [NO_UNITS, cluster_sums([2.0], [4.0]), cluster_sums([0.0, 0.0], [0.0, 0.0])])
def test_too_little_to_tell_is_infinite_variance_and_no_error(sums):
    assert ratio(sums).variance == float("inf")
