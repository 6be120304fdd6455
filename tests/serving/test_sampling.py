import math

import pytest
import torch

from penstock.serving.sampling import draw

LOGITS = torch.tensor([0.5, 0.3, 0.2]).log()


def draws(temperature: float, top_p: float, count: int = 4000) -> tuple[list[float], list[float]]:
    """How often each token is drawn, and the log-probability reported with it."""
    uniform = (torch.arange(count) + 0.5) / count
    chosen, logprobs = draw(
        LOGITS.expand(count, 3), torch.full((count,), temperature), torch.full((count,), top_p), uniform.double()
    )
    shares = [float((chosen == token).double().mean()) for token in range(3)]
    told = [float(logprobs[chosen == token].mean()) if shares[token] else -math.inf for token in range(3)]
    return shares, told


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    shares, told = draws(1.0, 1.0)
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=1e-3)
    assert [math.exp(logprob) for logprob in told] == pytest.approx([0.5, 0.3, 0.2], abs=1e-5)


def test_the_logprob_is_that_of_the_distribution_after_temperature() -> None:
    shares, told = draws(0.5, 1.0)
    expected = [0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38]
    assert shares == pytest.approx(expected, abs=1e-3)
    assert [math.exp(logprob) for logprob in told] == pytest.approx(expected, abs=1e-5)


def test_top_p_keeps_the_fewest_tokens_that_reach_it_and_renormalises() -> None:
    shares, told = draws(1.0, 0.7)
    assert shares == pytest.approx([0.625, 0.375, 0.0], abs=1e-3)
    assert [math.exp(logprob) for logprob in told] == pytest.approx([0.625, 0.375, 0.0], abs=1e-5)


def test_temperature_zero_takes_the_likeliest_and_leaves_nothing_to_chance() -> None:
    shares, told = draws(0.0, 1.0)
    assert shares == [1.0, 0.0, 0.0]
    assert told[0] == 0.0


def test_rows_of_one_batch_have_their_own_temperature() -> None:
    logits, uniform = LOGITS.expand(2, 3), torch.tensor([0.99, 0.99], dtype=torch.float64)
    chosen, _ = draw(logits, torch.tensor([0.0, 1.0]), torch.ones(2), uniform)
    assert chosen.tolist() == [0, 2]


def test_a_token_without_probability_is_never_drawn() -> None:
    logits = torch.tensor([[0.0, float("-inf"), 0.0, float("-inf")]])
    for uniform in (0.0, 0.5, 1 - 1e-12):
        chosen, _ = draw(logits, torch.ones(1), torch.ones(1), torch.tensor([uniform], dtype=torch.float64))
        assert chosen.item() in (0, 2)
