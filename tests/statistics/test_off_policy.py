"""The estimators recover what is known in closed form: a show-or-not policy over users' chances Beta(1, 3)."""

import numpy
import pytest

from penstock.statistics.off_policy import (
    effective_sample_size,
    events,
    inverse_propensity,
    self_normalised,
    self_normalised_difference,
    weights,
)

ACCEPTED, REJECTED, SHOW_PROBABILITY = 0.75, -0.25, 0.7


def logged_suggestions(number=60_000, seed=0):
    """Events of a policy that shows at random with one probability, the chances of acceptance, and what was done."""
    generator = numpy.random.default_rng(seed)
    chance = generator.beta(1, 3, number)
    shown = generator.random(number) < SHOW_PROBABILITY
    accepted = generator.random(number) < chance
    reward = numpy.where(shown, numpy.where(accepted, ACCEPTED, REJECTED), 0.0)
    logprob = numpy.log(numpy.where(shown, SHOW_PROBABILITY, 1 - SHOW_PROBABILITY))
    return events(reward, logprob, numpy.arange(number) % 3_000), chance, shown, accepted


def oracle_logprob(chance, shown):
    """Shows exactly where it pays, that is above a chance of a quarter."""
    return numpy.log(numpy.where((chance > 0.25) == shown, 1.0, 1e-12))


def test_restraint_pays_exactly_as_the_closed_form_says():
    _, chance, _, accepted = logged_suggestions(400_000)
    pays = chance > -REJECTED / (ACCEPTED - REJECTED)
    assert pays.mean() == pytest.approx(0.75**3, abs=0.003)  # 42.2 %
    assert accepted[pays].mean() == pytest.approx(0.4375, abs=0.004)
    assert accepted.mean() == pytest.approx(0.25, abs=0.003)


@pytest.mark.parametrize("estimate", [inverse_propensity, self_normalised])
def test_the_oracles_reward_is_recovered_from_another_policys_log(estimate):
    logged, chance, shown, _ = logged_suggestions()
    truth = 0.75**3 * (0.4375 - 0.25)  # shown share times the mean reward where shown: p - 0.25
    result = estimate(logged, oracle_logprob(chance, shown))
    assert result.estimate.value == pytest.approx(truth, abs=0.01)
    assert result.interval.low < truth < result.interval.high
    assert result.overlaps


def test_the_logging_policy_itself_gets_its_plain_mean_and_full_sample_size():
    logged, *_ = logged_suggestions(2_000)
    result = self_normalised(logged, logged.behaviour_logprob)
    assert result.estimate.value == pytest.approx(logged.reward.mean())
    assert result.effective_sample_size == pytest.approx(2_000)
    assert result.mean_weight == pytest.approx(1.0)


def test_intervals_cover_the_truth_about_as_often_as_they_claim():
    truth, covered, rounds = 0.75**3 * (0.4375 - 0.25), 0, 200
    for seed in range(rounds):
        logged, chance, shown, _ = logged_suggestions(3_000, seed)
        interval = self_normalised(logged, oracle_logprob(chance, shown)).interval
        covered += interval.low < truth < interval.high
    assert 0.90 <= covered / rounds <= 0.99


def test_a_paired_difference_is_tighter_than_two_separate_estimates():
    logged, chance, shown, _ = logged_suggestions(5_000)
    target = numpy.log(numpy.where((chance > 0.25) == shown, 0.8, 0.2))
    paired = self_normalised_difference(logged, target, logged.behaviour_logprob)
    apart = [self_normalised(logged, logprob).estimate for logprob in (target, logged.behaviour_logprob)]
    assert paired.value == pytest.approx(apart[0].value - apart[1].value)
    assert paired.variance < apart[0].variance + apart[1].variance


def test_a_policy_does_not_differ_from_itself():
    logged, *_ = logged_suggestions(500)
    same = self_normalised_difference(logged, logged.behaviour_logprob, logged.behaviour_logprob)
    assert (same.value, same.variance) == (0.0, 0.0)


def test_clipping_bounds_every_weight():
    logged, *_ = logged_suggestions(500)
    assert weights(logged, logged.behaviour_logprob + 3.0, clip=2.0).max() == pytest.approx(2.0)


def test_a_policy_that_does_what_was_never_logged_is_seen_to_lack_overlap():
    logged, *_ = logged_suggestions(5_000)
    elsewhere = logged.behaviour_logprob - 6.0  # it gives all logged actions almost no probability
    assert not self_normalised(logged, elsewhere).overlaps


def test_one_event_with_all_the_weight_counts_as_one():
    assert effective_sample_size(numpy.array([1e9, 1e-9, 1e-9])) == pytest.approx(1.0)
    assert effective_sample_size(numpy.zeros(3)) == 0.0
