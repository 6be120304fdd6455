from pathlib import Path

import pytest
import torch

from penstock.errors import BadInputError, UpstreamError
from penstock.serving.checkpoint_model import CheckpointModel
from penstock.serving.generation import Prompt, Scored, Scoring

CHAT = Prompt(messages=[{"role": "user", "content": "tab: abcd"}])


def score(model: CheckpointModel, prompt: Prompt, completion: str, *, with_end: bool = True) -> Scored:
    scoring = Scoring(prompt, completion, lambda answer: None, with_end=with_end)
    with torch.inference_mode():
        return model.score([model.completion_ids(scoring)], [1.0])[0]


def test_a_conversation_ends_where_the_answer_begins(model: CheckpointModel) -> None:
    text = model.tokenizer.decode(model.prompt_ids(CHAT))
    assert text == "<|user|>tab: abcd<|end|><|assistant|>"


def test_the_end_token_is_scored_with_the_completion(model: CheckpointModel) -> None:
    scored = score(model, CHAT, "abcd")
    assert scored.tokens[-1].text == "<|end|>"
    without = score(model, CHAT, "abcd", with_end=False)
    assert [token.logprob for token in without.tokens] == pytest.approx([token.logprob for token in scored.tokens[:-1]], abs=1e-5)


def test_completions_of_all_lengths_score_alike_alone_and_together(model: CheckpointModel) -> None:
    cases = [("tab: a", "a"), ("a much longer prompt than the others", "dcba dcba"), ("x", "")]
    scorings = [
        Scoring(Prompt(messages=[{"role": "user", "content": prompt}]), answer, lambda answer: None, with_end=True)
        for prompt, answer in cases
    ]
    with torch.inference_mode():
        together = model.score([model.completion_ids(scoring) for scoring in scorings], [1.0] * 3)
    for (prompt, answer), scored in zip(cases, together, strict=True):
        alone = score(model, Prompt(messages=[{"role": "user", "content": prompt}]), answer)
        assert [token.logprob for token in scored.tokens] == pytest.approx([token.logprob for token in alone.tokens], abs=1e-4)


def test_probabilities_over_all_next_tokens_add_up_to_one(model: CheckpointModel) -> None:
    prompt = model.prompt_ids(CHAT)
    with torch.inference_mode():
        scored = model.score([(prompt, [token]) for token in range(len(model.tokenizer))], [1.0] * len(model.tokenizer))
    assert float(torch.tensor([result.tokens[0].logprob for result in scored]).exp().sum()) == pytest.approx(1.0, abs=1e-4)


def test_a_prompt_that_fills_the_context_is_refused(model: CheckpointModel) -> None:
    with pytest.raises(BadInputError, match="at most 255"):
        model.limit(256, None)
    with pytest.raises(BadInputError, match="to score"):
        score(model, Prompt(messages=[{"role": "user", "content": "x" * 300}]), "abcd")


def test_an_empty_prompt_is_refused(model: CheckpointModel) -> None:
    with pytest.raises(BadInputError, match="empty"):
        model.prompt_ids(Prompt(text=""))


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_broken_folder_is_an_error_that_names_it(checkpoints: Path, tmp_path: Path, file: str) -> None:
    folder = tmp_path / "c_9"
    folder.mkdir()
    for path in (checkpoints / "one").iterdir():
        (folder / path.name).write_bytes(b"{" if path.name == file else path.read_bytes())
    with pytest.raises(UpstreamError, match="c_9"):
        CheckpointModel(folder)
