"""Draws one token per row, each with its own temperature and top-p, and tells the log-probability it was drawn with.

Invariant: the log-probability is the one under the distribution that was sampled from, so after temperature and after
top-p; at temperature 0 nothing is left to chance and it is 0. Off-policy estimates rest on this.
"""

import torch
from torch import Tensor


def log_distribution(logits: Tensor, temperature: Tensor, top_p: Tensor) -> Tensor:
    """Log-probabilities [row, token] after temperature and top-p; rows at temperature 0 are left to `draw`."""
    warm = torch.where(temperature > 0, temperature, 1.0)
    logprobs = torch.log_softmax(logits.float() / warm[:, None], dim=-1)
    if bool((top_p < 1).any()):
        ordered, order = logprobs.sort(dim=-1, descending=True)
        before = ordered.exp().cumsum(dim=-1) - ordered.exp()
        ordered = ordered.masked_fill(before >= top_p[:, None], float("-inf"))
        truncated = torch.full_like(logprobs, float("-inf")).scatter(-1, order, ordered)
        logprobs = torch.where((top_p < 1)[:, None], torch.log_softmax(truncated, dim=-1), logprobs)
    return logprobs


def draw(logits: Tensor, temperature: Tensor, top_p: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Token ids and their log-probabilities, by inverting each row's distribution at its uniform number."""
    logprobs = log_distribution(logits, temperature, top_p)
    cumulative = logprobs.exp().cumsum(dim=-1, dtype=torch.float64)
    drawn = (cumulative <= uniform[:, None] * cumulative[:, -1:]).sum(dim=-1).clamp_(max=logits.shape[-1] - 1)
    likeliest = logits.argmax(dim=-1)
    cold = temperature <= 0
    chosen = torch.where(cold, likeliest, drawn)
    logprob = logprobs.gather(-1, chosen[:, None])[:, 0]
    return chosen, torch.where(cold, torch.zeros_like(logprob), logprob)
