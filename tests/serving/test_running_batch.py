import pytest
import torch

from penstock.serving.checkpoint_model import CheckpointModel
from penstock.serving.generation import Answer, Generation, Piece, Prompt, SamplingRule
from penstock.serving.running_batch import RunningBatch

PROMPTS = ["tab: abcd", "rev: a", "a prompt that is a good deal longer", "b", "tab: dcba", "x"]


def generation(model: CheckpointModel, text: str, **rule: object) -> Generation:
    answers: list[Answer] = []
    made = Generation(
        Prompt(messages=[{"role": "user", "content": text}]),
        SamplingRule(**rule),
        answers.append,
        streamed=False,  # type: ignore[arg-type]
    )
    made.prompt_ids = model.prompt_ids(made.prompt)
    made.limit = model.limit(len(made.prompt_ids), made.rule.max_tokens)
    return made


def run(model: CheckpointModel, arrivals: dict[int, list[Generation]]) -> dict[Generation, Piece]:
    """Generate until all are done; generations join at the step that they are listed under."""
    batch, done, step = RunningBatch(model), {}, 0
    with torch.inference_mode():
        while len(batch) or any(at >= step for at in arrivals):
            if arrivals.get(step):
                done.update(batch.admit(arrivals[step]))
            if len(batch):
                done.update(batch.step())
            step += 1
    return done


def test_an_answer_is_the_same_alone_and_in_company(model: CheckpointModel) -> None:
    alone = []
    for index, text in enumerate(PROMPTS):
        one = generation(model, text, seed=index, max_tokens=5 + 3 * index)
        alone.append(run(model, {0: [one]})[one])
    company = [generation(model, text, seed=index, max_tokens=5 + 3 * index) for index, text in enumerate(PROMPTS)]
    together = run(model, {0: company[:2], 2: company[2:3], 3: company[3:5], 9: company[5:]})
    for one, expected in zip(company, alone, strict=True):
        assert together[one].text == expected.text
        assert [token.logprob for token in together[one].tokens] == pytest.approx(
            [token.logprob for token in expected.tokens], abs=1e-4
        )


def test_the_logprobs_of_what_was_sampled_are_those_that_scoring_gives(model: CheckpointModel) -> None:
    ones = [generation(model, text, seed=index, max_tokens=40) for index, text in enumerate(PROMPTS)]
    for one, piece in run(model, {0: ones}).items():
        ids = list(one.token_ids) + ([model.end_id] if piece.finish_reason == "stop" else [])
        with torch.inference_mode():
            scored = model.score([(one.prompt_ids, ids)], [1.0])[0]
        assert sum(token.logprob for token in piece.tokens) == pytest.approx(
            sum(token.logprob for token in scored.tokens), abs=1e-3
        )


def test_temperature_zero_gives_what_the_library_generates(model: CheckpointModel) -> None:
    ones = [generation(model, text, temperature=0.0, max_tokens=12) for text in PROMPTS]
    run(model, {0: ones[:3], 1: ones[3:]})
    for one in ones:
        ids = torch.tensor([one.prompt_ids])
        made = model._model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12)
        expected = made[0, len(one.prompt_ids) :].tolist()
        assert one.token_ids == expected[: len(one.token_ids)]


def test_a_row_whose_client_has_gone_is_freed_and_the_others_go_on(model: CheckpointModel) -> None:
    one, two = generation(model, "tab: abcd", seed=1, max_tokens=30), generation(model, "b", seed=2, max_tokens=3)
    batch = RunningBatch(model)
    with torch.inference_mode():
        batch.admit([one, two])
        one.cancel()
        batch.drop_cancelled()
        assert batch.rows in ([two], [])
        while len(batch):
            batch.step()
    assert len(two.tokens) <= 3


def test_seeds_give_different_answers_and_repeat(model: CheckpointModel) -> None:
    texts = []
    for seed in (1, 1, 2):
        one = generation(model, "tab: abcd", seed=seed, max_tokens=30)
        texts.append(run(model, {0: [one]})[one].text)
    assert texts[0] == texts[1] != texts[2]
