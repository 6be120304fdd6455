"""The reward to expect of a prompt whatever is answered: what a policy gradient subtracts, so that the answer's part teaches.

Ridge regression of the reward on the parent's hidden state where the answer begins, cross-fitted: no event's own reward is in its
baseline, so the gradient keeps its mean and loses most of its variance (Greensmith, Bartlett and Baxter, JMLR 5, 2004). With one
mean for all prompts, silence is pushed down wherever suggestions pay on average, and a policy forgets it before it learns when.
"""

from typing import Any

import torch
from torch import Tensor

FOLDS = 5
RIDGE = 0.05  # penalty per event on standardised features


def hidden_states(model: Any, ids: Tensor, mask: Tensor, places: Tensor) -> Tensor:
    """The last hidden state [row, dimension] at one place of each row."""
    with torch.inference_mode():
        answer = model(input_ids=ids, attention_mask=mask, use_cache=False, output_hidden_states=True)
    states: Tensor = answer.hidden_states[-1]
    return states[torch.arange(len(places)), places].double()


def expected_rewards(states: Tensor, rewards: Tensor) -> Tensor:
    """The expected reward [row] of each row, from the states [row, dimension] and rewards of the rows in other folds."""
    count = len(rewards)
    if count < 2 * FOLDS:
        return rewards.mean().expand(count).clone()  # too few to learn from; the mean alone
    scaled = (states - states.mean(dim=0)) / (states.std(dim=0) + 1e-6)
    fold = torch.arange(count) % FOLDS
    expected = torch.zeros(count, dtype=torch.float64)
    for number in range(FOLDS):
        known, asked = fold != number, fold == number
        features, mean = scaled[known], rewards[known].mean()
        penalty = RIDGE * len(features) * torch.eye(features.shape[1], dtype=torch.float64)
        slope = torch.linalg.solve(features.T @ features + penalty, features.T @ (rewards[known] - mean))
        expected[asked] = scaled[asked] @ slope + mean
    return expected


def explained_share(expected: Tensor, rewards: Tensor) -> float:
    """The share of the rewards' variance that the baseline takes away; below 0 it is worse than the mean."""
    variance = float(rewards.var(unbiased=False))
    return 1.0 - float(((rewards - expected) ** 2).mean()) / variance if variance else 0.0
