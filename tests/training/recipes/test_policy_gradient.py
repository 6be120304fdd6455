import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from penstock.errors import EmptySelectionError, TrainingError
from penstock.serving.checkpoint_model import CheckpointModel
from penstock.serving.generation import Prompt, Scoring
from penstock.training.recipe_config import PolicyGradientConfig, make_config
from penstock.training.recipes.checkpoint_folder import load_parent
from penstock.training.recipes.policy_gradient import (
    Event,
    batches,
    clipped_surrogate,
    collapse,
    effective_share,
    expect_rewards,
    load_events,
    pad,
    sequence_logprobs,
    tokenize,
    warning,
)
from tests.training.conftest import SMALL, chat, run, sft_rows, word, write_dataset
from tests.training.recipes.test_sft import Silent

PATHS = dict.fromkeys(("dataset", "out", "metrics", "heartbeat", "cancel", "parent"), "p")


class Quiet(Silent):
    """Drops metrics too."""

    def log(self, step: int, **metrics: float | int | str | None) -> None:
        pass


def event(completion: str, reward: float, **fields: Any) -> dict[str, Any]:
    return {
        "prompt": chat("tab: abc"),
        "completion": completion,
        "reward": reward,
        "behaviour_logprob": -1.0,
        "checkpoint_id": "c_1",
        "finish_reason": "stop",
        **fields,
    }


def config(**fields: Any) -> PolicyGradientConfig:
    made = make_config("policy_gradient", {**PATHS, **fields})
    assert isinstance(made, PolicyGradientConfig)
    return made


def test_an_event_stops_to_push_once_its_ratio_has_left_the_band() -> None:
    ratio = torch.tensor([0.3, 1.0, 3.0, 0.3, 3.0], requires_grad=True)
    advantage = torch.tensor([-1.0, -1.0, 1.0, 1.0, -1.0])
    clipped_surrogate(ratio, advantage, 0.5, 1.0).sum().backward()
    assert ratio.grad is not None
    assert ratio.grad.tolist() == [0.0, -1.0, 0.0, 1.0, -1.0]


def test_the_effective_share_falls_as_few_events_carry_the_weight() -> None:
    assert effective_share(torch.ones(10)) == pytest.approx(1.0)
    assert effective_share(torch.tensor([10.0] + [0.0] * 9)) == pytest.approx(0.1)
    assert warning({"effective_share": 0.9}) is None
    assert "0.10" in str(warning({"effective_share": 0.1}))


def test_a_policy_that_always_or_never_speaks_is_a_collapse() -> None:
    settings = config(silent_completion="-", silent_floor=0.01)
    assert collapse(settings, {"silent_share": 0.5}) is None
    assert "0.999" in str(collapse(settings, {"silent_share": 0.999}))
    assert collapse(settings, {"silent_share": 0.001}) is not None
    assert collapse(settings, {}) is None


def test_every_epoch_shows_every_event_at_most_once_in_an_order_of_its_own() -> None:
    made = list(batches(10, 5, 2, seed=1))
    assert sorted(made[0] + made[1]) == sorted(made[2] + made[3]) == list(range(10))
    assert made[0] != made[2]
    assert made == list(batches(10, 5, 2, seed=1))
    assert list(batches(3, 100, 1, seed=1)) == [list(next(batches(3, 100, 1, seed=1)))]


def test_the_logprob_of_a_completion_is_the_one_that_the_model_server_reports(base: Path) -> None:
    model, tokenizer = load_parent(str(base))
    served = CheckpointModel(base)
    for text, answer, finish in (
        ("tab: abc", "abc", "stop"),
        ("tab: h", "-", "stop"),
        ("x", "abcabc", "length"),
        ("y", "", "stop"),
    ):
        pair = tokenize(tokenizer, chat(text), answer, with_end=finish == "stop")
        scoring = Scoring(Prompt(messages=chat(text)), answer, lambda answer: None, with_end=finish == "stop")
        with torch.inference_mode():
            mine = float(sequence_logprobs(model, pad([pair, pair]))[0][1])
            theirs = served.score([served.completion_ids(scoring)], [1.0])[0]
        assert mine == pytest.approx(sum(token.logprob for token in theirs.tokens), abs=1e-4)


def test_padding_does_not_change_a_logprob(base: Path) -> None:
    model, tokenizer = load_parent(str(base))
    pairs = [
        tokenize(tokenizer, chat(text), answer, with_end=True) for text, answer in (("a", "b"), ("tab: abcdefgh", "abcdefgh"))
    ]
    with torch.inference_mode():
        together = sequence_logprobs(model, pad(pairs))[0].tolist()
        alone = [float(sequence_logprobs(model, pad([pair]))[0]) for pair in pairs]
    assert together == pytest.approx(alone, abs=1e-4)


def test_events_that_nothing_can_be_learned_from_are_dropped_and_counted_by_reason(base: Path, tmp_path: Path) -> None:
    model, tokenizer = load_parent(str(base))
    tokens = len(tokenizer.encode("abc", add_special_tokens=False))
    rows = [
        event("abc", 0.75),
        event("abc", 0.75, behaviour_logprob=None),  # of the parent: worked out again
        event("abc", 0.75, behaviour_logprob=None, checkpoint_id="c_0"),
        event("abc", 0.75, behaviour_logprob=None, checkpoint_id=None),
        event("abc", 0.75, token_logprobs=[-0.5] * (tokens + 2)),  # logged with other tokens
        event("abc", 0.75, token_logprobs=[-0.25] * (tokens + 1)),
        event("abc", 0.75, token_logprobs=[-0.3] * tokens, finish_reason="length"),
        event("", 0.0, finish_reason="length"),
        event("abc" * 100, 0.0),
    ]
    settings = config(dataset=str(write_dataset(tmp_path / "data", rows)), parent_checkpoint_id="c_1", max_length=100)
    events, dropped = load_events(settings, model, tokenizer, Quiet())
    assert dropped == {"dropped_no_logprob": 2, "dropped_retokenised": 1, "dropped_too_long": 2, "recomputed": 1}
    with torch.inference_mode():
        expected = float(sequence_logprobs(model, pad([tokenize(tokenizer, chat("tab: abc"), "abc", with_end=True)]))[0])
    assert [one.behaviour_logprob for one in events] == pytest.approx([-1.0, expected, -1.0, -1.0], abs=1e-5)


def test_a_set_without_one_usable_event_is_refused(base: Path, tmp_path: Path) -> None:
    rows = [event("abc", 0.75, behaviour_logprob=None, checkpoint_id="c_0")]
    model, tokenizer = load_parent(str(base))
    with pytest.raises(EmptySelectionError, match="dropped_no_logprob"):
        load_events(config(dataset=str(write_dataset(tmp_path / "data", rows))), model, tokenizer, Quiet())


def test_what_a_prompt_makes_expect_is_noted_on_its_events(base: Path) -> None:
    model, tokenizer = load_parent(str(base))
    events = [
        Event(
            *tokenize(tokenizer, chat(f"tab: {letter}"), "-", with_end=True), reward=float(letter < "e"), behaviour_logprob=-1.0
        )
        for letter in "abcdefgh" * 20
    ]
    assert expect_rewards(config(), model, events, Quiet()) > 0.5
    good = [one.expected_reward for one in events if one.reward == 1.0]
    bad = [one.expected_reward for one in events if one.reward == 0.0]
    assert min(good) > max(bad)
    assert expect_rewards(config(baseline="mean"), model, events, Quiet()) == pytest.approx(0.0)
    assert {one.expected_reward for one in events} == {0.5}


def accepted_or_rejected(base: Path, count: int) -> list[dict[str, Any]]:
    """Events of a user who wants words that begin with a to d, and nothing shown for the others."""
    draw = random.Random(0)
    rows = []
    for _ in range(count):
        one = word(draw)
        silent = draw.random() < 0.5
        reward = 0.0 if silent else (0.75 if one[0] in "abcd" else -0.25)
        fields = {"behaviour_logprob": math.log(0.5), "prompt": chat(f"tab: {one}")}
        rows.append(event("-" if silent else one, reward, **fields))
    return rows


@pytest.mark.slow
def test_the_same_seed_and_events_give_bitwise_the_same_weights_and_say_how_it_went(base: Path, tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "events", accepted_or_rejected(base, 128))
    rehearsal = write_dataset(tmp_path / "rehearsal", sft_rows(32))
    fields: dict[str, Any] = {
        "parent": str(base),
        "batch_size": 32,
        "epochs": 2,
        "rehearsal": str(rehearsal),
        "rehearsal_batch_size": 8,
        "kl_weight": 0.1,
        "silent_completion": "-",
        "silent_floor": 0.0,
    }
    one, two = (run("policy_gradient", tmp_path / name, dataset, **fields) for name in ("one", "two"))
    assert one.content_hash == two.content_hash
    assert sorted(one.inputs) == ["events/train.jsonl", "rehearsal/train.jsonl"]
    assert (one.summary["rows"], one.summary["steps"], one.summary["stopped"]) == (128, 8, None)
    metrics = [json.loads(line) for line in (tmp_path / "one" / "metrics.jsonl").read_text().splitlines()][1:]
    told = {"loss", "reward", "ratio", "effective_share", "entropy", "silent_share", "kl", "rehearsal_loss", "warning"}
    assert len(metrics) == 8
    assert all(told <= set(line) for line in metrics)


@pytest.mark.slow
def test_it_learns_from_logged_events_when_to_stay_silent(tmp_path: Path) -> None:
    draw = random.Random(5)
    hesitant = [{**row, "completion": "-" if draw.random() < 0.5 else row["completion"]} for row in sft_rows(4000)]
    known: dict[str, Any] = {"architecture": SMALL, "max_steps": 400, "learning_rate": 1e-2, "batch_size": 64}
    run("sft", tmp_path / "parent", write_dataset(tmp_path / "rows", hesitant), **known)
    parent = tmp_path / "parent" / "checkpoint"
    # What the parent does half of the time each, so that the events are its own; their probabilities are worked out from it.
    logged = [{**event, "behaviour_logprob": None} for event in accepted_or_rejected(parent, 2000)]
    dataset = write_dataset(tmp_path / "events", logged)
    fields: dict[str, Any] = {"batch_size": 256, "epochs": 12, "learning_rate": 2e-3, "clip_low": 0.9, "clip_high": 1.0}
    run("policy_gradient", tmp_path / "run", dataset, parent=str(parent), parent_checkpoint_id="c_1", **fields)
    model, tokenizer = load_parent(str(tmp_path / "run" / "checkpoint"))

    def shown_more(letter: str) -> float:
        prompt = chat(f"tab: {letter}ga")
        pairs = [tokenize(tokenizer, prompt, answer, with_end=True) for answer in (f"{letter}ga", "-")]
        with torch.inference_mode():
            show, silent = sequence_logprobs(model, pad(pairs))[0].tolist()
        return float(show - silent)

    wanted, unwanted = [shown_more(letter) for letter in "abcd"], [shown_more(letter) for letter in "efgh"]
    assert min(wanted) > 0 > max(unwanted)


@pytest.mark.slow
def test_a_crash_of_the_recipe_leaves_the_parent_alone_and_no_output(base: Path, tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "events", [event("abc", 0.75, behaviour_logprob=None, checkpoint_id=None)])
    with pytest.raises(TrainingError, match="dropped_no_logprob"):
        run("policy_gradient", tmp_path / "run", dataset, parent=str(base))
    assert not (tmp_path / "run" / "checkpoint").exists()
