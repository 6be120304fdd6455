"""Clipped policy gradient from logged events: what the model did, how likely that was, and what came of it.

Run as `python -m penstock.training.recipes.policy_gradient config.json`. Plain PyTorch, read top to bottom: config ->
events -> for each batch: ratio to the behaviour policy, reward minus what its prompt makes expect, clipped surrogate
(+ rehearsal, + KL to the parent) -> checkpoint. Silence is an event like any other: without it restraint cannot be learned.
"""

import copy
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from penstock.errors import EmptySelectionError
from penstock.training.dataset_files import TRAIN, EventRow, SftRow, read_rows
from penstock.training.progress import Progress, run_and_exit, start_recipe
from penstock.training.recipe_config import PolicyGradientConfig
from penstock.training.recipes.checkpoint_folder import load_parent, prepare_torch, save_checkpoint
from penstock.training.recipes.reward_baseline import expected_rewards, explained_share, hidden_states

LEAST_EFFECTIVE_SHARE = 0.3  # below it, few events carry the whole gradient
RECOMPUTE_BATCH = 256
KL_ROWS = 64  # of each batch; an estimate of the divergence, without a second forward pass over all of it


@dataclass
class Event:
    """One logged event as tokens."""

    prompt: list[int]
    completion: list[int]
    reward: float
    behaviour_logprob: float | None
    expected_reward: float = 0.0  # of the prompt, whatever is answered


@dataclass
class Batch:
    """Rows padded on the right; `is_completion` marks the tokens whose probability counts."""

    ids: Tensor  # [row, position]
    mask: Tensor
    is_completion: Tensor  # [row, position - 1]: of the token that follows
    first: Tensor  # [row]: where the completion's first token is predicted

    def head(self, rows: int) -> "Batch":
        """The first rows."""
        return Batch(self.ids[:rows], self.mask[:rows], self.is_completion[:rows], self.first[:rows])


def main() -> None:
    """Read the config named on the command line, train, save."""
    config, progress = start_recipe(sys.argv, PolicyGradientConfig)
    prepare_torch(config)
    model, tokenizer = load_parent(str(config.parent), config.attention)
    events, dropped = load_events(config, model, tokenizer, progress)
    baseline_share = expect_rewards(config, model, events, progress)
    rehearsal = load_rehearsal(config, tokenizer)
    summary = train(config, model, tokenizer, events, rehearsal, progress)
    inputs = [Path(folder) / TRAIN for folder in (config.dataset, config.rehearsal) if folder]
    told = {"rows": len(events), **dropped, "baseline_share": baseline_share, **summary}
    save_checkpoint(config, "policy_gradient", model, tokenizer, inputs=inputs, summary=told)


def tokenize(tokenizer: Any, prompt: list[dict[str, Any]], completion: str, *, with_end: bool) -> tuple[list[int], list[int]]:
    """Prompt and completion as the model server makes them of the same row."""
    text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    answer = tokenizer.encode(completion, add_special_tokens=False) + ([tokenizer.eos_token_id] if with_end else [])
    return tokenizer.encode(text, add_special_tokens=False), answer


def load_events(
    config: PolicyGradientConfig, model: Any, tokenizer: Any, progress: Progress
) -> tuple[list[Event], dict[str, float | int | str | None]]:
    """The events that can be learned from, and how many could not, by reason."""
    dropped = {"dropped_no_logprob": 0, "dropped_retokenised": 0, "dropped_too_long": 0, "recomputed": 0}
    events: list[Event] = []
    for row in read_rows(Path(config.dataset), EventRow):
        prompt, completion = tokenize(tokenizer, row.prompt, row.completion, with_end=row.finish_reason != "length")
        if row.behaviour_logprob is None and (row.checkpoint_id is None or row.checkpoint_id != config.parent_checkpoint_id):
            dropped["dropped_no_logprob"] += 1
        elif row.token_logprobs is not None and len(row.token_logprobs) != len(completion):
            dropped["dropped_retokenised"] += 1  # the logged probability is that of other tokens
        elif not completion or len(prompt) + len(completion) > config.max_length:
            dropped["dropped_too_long"] += 1
        else:
            events.append(Event(prompt, completion, row.reward, row.behaviour_logprob))
    if not events:
        raise EmptySelectionError(f"No event of {config.dataset} can be learned from: {dropped}.")
    missing = [event for event in events if event.behaviour_logprob is None]
    dropped["recomputed"] = len(missing)
    for start in range(0, len(missing), RECOMPUTE_BATCH):
        progress.beat()
        recompute_logprobs(model, missing[start : start + RECOMPUTE_BATCH])
    progress.log(0, events=len(events), **dropped)
    return events, {**dropped}


def recompute_logprobs(parent: Any, events: Sequence[Event]) -> None:
    """What the parent, which made these events, gives them."""
    batch = pad([(event.prompt, event.completion) for event in events])
    with torch.inference_mode():
        logprobs, _ = sequence_logprobs(parent, batch)
    for event, logprob in zip(events, logprobs.tolist(), strict=True):
        event.behaviour_logprob = logprob


def expect_rewards(config: PolicyGradientConfig, parent: Any, events: Sequence[Event], progress: Progress) -> float:
    """Note what each event's prompt makes expect; gives the share of the rewards' variance that this explains."""
    rewards = torch.tensor([event.reward for event in events], dtype=torch.float64)
    if config.baseline == "mean":
        expected = rewards.mean().expand(len(events))
    else:
        states: list[Tensor] = []
        for start in range(0, len(events), RECOMPUTE_BATCH):
            progress.beat()
            batch = pad([(event.prompt, event.completion) for event in events[start : start + RECOMPUTE_BATCH]])
            states.append(hidden_states(parent, batch.ids, batch.mask, batch.first))
        expected = expected_rewards(torch.cat(states), rewards)
    for event, value in zip(events, expected.tolist(), strict=True):
        event.expected_reward = value
    return explained_share(expected, rewards)


def load_rehearsal(config: PolicyGradientConfig, tokenizer: Any) -> list[tuple[list[int], list[int]]]:
    """Rows that are learned beside, as in supervised fine-tuning."""
    if config.rehearsal is None:
        return []
    rows = read_rows(Path(config.rehearsal), SftRow)
    return [tokenize(tokenizer, row.prompt, row.completion, with_end=True) for row in rows]


def pad(pairs: Sequence[tuple[list[int], list[int]]]) -> Batch:
    """Prompts and completions as one batch."""
    width = max(len(prompt) + len(completion) for prompt, completion in pairs)
    ids = torch.tensor([[*prompt, *completion] + [0] * (width - len(prompt) - len(completion)) for prompt, completion in pairs])
    starts = torch.tensor([len(prompt) for prompt, _ in pairs])[:, None]
    ends = torch.tensor([len(prompt) + len(completion) for prompt, completion in pairs])[:, None]
    places = torch.arange(width)
    follows = places[1:]
    return Batch(ids, (places < ends).long(), (follows >= starts) & (follows < ends), starts[:, 0] - 1)


def sequence_logprobs(model: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """Summed log-probability of each completion, and the log-distributions [row, position, token] it came from."""
    logits = model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False).logits[:, :-1]
    distributions = functional.log_softmax(logits.float(), dim=-1)
    chosen = distributions.gather(-1, batch.ids[:, 1:, None])[:, :, 0]
    return torch.where(batch.is_completion, chosen, 0.0).sum(dim=1), distributions


def clipped_surrogate(ratio: Tensor, advantage: Tensor, clip_low: float, clip_high: float) -> Tensor:
    """What is to grow: an event pushes its probability no further once the ratio has left the band."""
    return torch.minimum(ratio * advantage, ratio.clamp(1 - clip_low, 1 + clip_high) * advantage)


def effective_share(ratio: Tensor) -> float:
    """Effective sample size over sample size: 1 where policy and behaviour agree, near 0 where few events carry all."""
    return float(ratio.sum() ** 2 / (len(ratio) * (ratio**2).sum()).clamp(min=1e-12))


def batches(count: int, size: int, epochs: int, seed: int) -> Iterator[list[int]]:
    """Indices of one batch after the other, shuffled anew in every epoch; a short rest is spread by dropping it."""
    order = list(range(count))
    shuffler = random.Random(seed)  # noqa: S311 - an order, no secret
    size = min(size, count)
    for _ in range(epochs):
        shuffler.shuffle(order)
        for start in range(0, count - size + 1, size):
            yield order[start : start + size]


def train(
    config: PolicyGradientConfig,
    model: Any,
    tokenizer: Any,
    events: list[Event],
    rehearsal: list[tuple[list[int], list[int]]],
    progress: Progress,
) -> dict[str, float | int | str | None]:
    """The loop; changes the model in place and says how it went."""
    parent = copy.deepcopy(model).requires_grad_(False) if config.kl_weight else None
    silent = silent_token(config, tokenizer)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=0.0)
    rehearsed = random.Random(config.seed + 1)  # noqa: S311 - a choice of rows, no secret
    model.train()
    step, stopped = 0, None
    for step, indices in enumerate(batches(len(events), config.batch_size, config.epochs, config.seed), 1):
        loss, metrics = event_loss(config, model, parent, [events[index] for index in indices], silent)
        if rehearsal:
            rows = [rehearsed.choice(rehearsal) for _ in range(config.rehearsal_batch_size)]
            rehearsal_loss = completion_loss(model, rows)
            metrics["rehearsal_loss"] = float(rehearsal_loss.detach())
            loss = loss + config.rehearsal_weight * rehearsal_loss
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        metrics["grad_norm"] = float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0))
        optimizer.step()
        progress.beat()
        stopped = collapse(config, metrics)
        if step % config.log_every == 0 or step == 1 or stopped:
            progress.log(step, loss=float(loss.detach()), **metrics, warning=warning(metrics), stopped=stopped)
        if stopped:
            break
    return {"steps": step, "stopped": stopped, **{f"final_{name}": value for name, value in metrics.items()}}


def event_loss(
    config: PolicyGradientConfig, model: Any, parent: Any, events: list[Event], silent: int | None
) -> tuple[Tensor, dict[str, float]]:
    """The loss of one batch of events, and what there is to tell of it."""
    batch = pad([(event.prompt, event.completion) for event in events])
    behaviour = torch.tensor([event.behaviour_logprob for event in events])
    rewards = torch.tensor([event.reward for event in events])
    logprobs, distributions = sequence_logprobs(model, batch)
    ratio = (logprobs - behaviour).clamp(-20, 20).exp()
    advantage = rewards - torch.tensor([event.expected_reward for event in events])
    loss = -clipped_surrogate(ratio, advantage, config.clip_low, config.clip_high).mean()
    first = distributions[torch.arange(len(events)), batch.first].detach()
    metrics = {
        "reward": float(rewards.mean()),
        "ratio": float(ratio.detach().mean()),
        "effective_share": effective_share(ratio.detach()),
        "entropy": float(-(first.exp() * first).sum(dim=-1).mean()),
    }
    if silent is not None:
        metrics["silent_share"] = float(first[:, silent].exp().mean())
    if parent is not None:
        divergence = divergence_from(parent, batch.head(KL_ROWS), distributions[:KL_ROWS])
        metrics["kl"] = float(divergence.detach())
        loss = loss + config.kl_weight * divergence
    return loss, metrics


def divergence_from(parent: Any, batch: Batch, distributions: Tensor) -> Tensor:
    """The mean KL divergence from the parent, per completion token."""
    with torch.no_grad():
        reference = sequence_logprobs(parent, batch)[1]
    divergence = (distributions.exp() * (distributions - reference)).sum(dim=-1)
    return torch.where(batch.is_completion, divergence, 0.0).sum() / batch.is_completion.sum()


def completion_loss(model: Any, rows: Sequence[tuple[list[int], list[int]]]) -> Tensor:
    """Mean negative log-probability per completion token."""
    batch = pad(rows)
    return -sequence_logprobs(model, batch)[0].sum() / batch.is_completion.sum()


def silent_token(config: PolicyGradientConfig, tokenizer: Any) -> int | None:
    """The token that begins the silent completion."""
    if config.silent_completion is None:
        return None
    return int([*tokenizer.encode(config.silent_completion, add_special_tokens=False), tokenizer.eos_token_id][0])


def collapse(config: PolicyGradientConfig, metrics: dict[str, float]) -> str | None:
    """Why to stop: the policy does the same whatever the prompt, and no logged event can teach it otherwise."""
    share = metrics.get("silent_share")
    if share is not None and not config.silent_floor <= share <= 1 - config.silent_floor:
        return f"collapsed: silent in {share:.3f} of all cases"
    return None


def warning(metrics: dict[str, float]) -> str | None:
    """What a person should know of this step."""
    share = metrics["effective_share"]
    if share >= LEAST_EFFECTIVE_SHARE:
        return None
    return f"only {share:.2f} of the events carry the gradient; the policy has left its data"


if __name__ == "__main__":
    run_and_exit(main)
