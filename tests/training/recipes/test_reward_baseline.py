import pytest
import torch

from penstock.training.recipes.reward_baseline import FOLDS, expected_rewards, explained_share


def test_a_reward_that_follows_from_the_state_is_expected() -> None:
    states = torch.randn(400, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rewards = 0.5 * states[:, 0] - 0.25 * states[:, 3] + 0.1
    assert explained_share(expected_rewards(states, rewards), rewards) > 0.99


def test_noise_is_not_explained_and_no_reward_is_in_its_own_baseline() -> None:
    generator = torch.Generator().manual_seed(2)
    states = torch.randn(400, 40, generator=generator, dtype=torch.float64)
    rewards = torch.randn(400, generator=generator, dtype=torch.float64)
    expected = expected_rewards(states, rewards)
    assert explained_share(expected, rewards) < 0.05
    changed = rewards.clone()
    changed[7] += 100.0
    assert expected_rewards(states, changed)[7] == pytest.approx(float(expected[7]))


def test_too_few_events_have_their_mean_for_a_baseline() -> None:
    rewards = torch.tensor([0.0, 1.0, 0.5], dtype=torch.float64)
    assert len(rewards) < 2 * FOLDS
    assert expected_rewards(torch.zeros(3, 4, dtype=torch.float64), rewards).tolist() == [0.5, 0.5, 0.5]
    assert explained_share(rewards, torch.ones(3, dtype=torch.float64)) == 0.0
