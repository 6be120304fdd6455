"""The evaluation process asks model servers over HTTP and says which of them was at fault."""

import math

import msgspec
import pytest

from penstock.errors import EmptySelectionError, UpstreamError
from penstock.evaluation.process import EvaluationJob, ModelAddress, evaluate, score_tables, write_result
from penstock.evaluation.suite_files import ITEMS, EventItem, ExactItem, TabularItem
from penstock.evaluation.verdict import Judged, Tolerances
from penstock.statistics.boosted_trees import BoostedTrees, Tree, write_model
from tests.evaluation.server import answering

HALF = math.log(0.5)


def job(tmp_path, base_url, items, kind="off-policy"):
    (tmp_path / ITEMS).write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in items))
    return EvaluationJob(
        suite_kind=kind,
        suite_folder=str(tmp_path),
        candidate=ModelAddress(base_url=base_url, model="new"),
        baseline=ModelAddress(base_url=base_url, model="old"),
        tolerances=Tolerances(),
        result=str(tmp_path / "result.json"),
    )


def logged(number, tokens=1):
    return [
        EventItem(
            item_id=f"b2:{index}",
            prompt=[{"role": "user", "content": "a"}],
            completion="x" if index % 2 else "y",
            reward=float(index % 2),
            behaviour_logprob=HALF,
            tokens=tokens,
            user=f"u_{index}",
        )
        for index in range(number)
    ]


def scores(path, asked):
    assert path == "/v1/score"
    chance = {"x": 0.8, "y": 0.2} if asked["model"] == "new" else {"x": 0.5, "y": 0.5}
    data = [
        {"index": index, "logprob": math.log(chance[item["completion"]]), "token_logprobs": [0.0]}
        for index, item in enumerate(asked["items"])
    ]
    return 200, {"data": data[::-1]}  # a server may answer in any order


async def test_every_logged_completion_is_scored_by_both_checkpoints(tmp_path):
    with answering(scores) as base_url:
        judged = await evaluate(job(tmp_path, base_url, logged(600)))
    assert (judged.passed, len(judged.items)) == (True, 600)
    assert judged.score == pytest.approx(0.8)
    assert judged.baseline_score == pytest.approx(0.5)


async def test_completions_that_would_be_spelt_in_other_tokens_are_left_out(tmp_path):
    items = [*logged(100), *(msgspec.structs.replace(item, item_id=f"other{item.item_id}", tokens=3) for item in logged(5))]
    with answering(scores) as base_url:
        assert len((await evaluate(job(tmp_path, base_url, items))).items) == 100
        with pytest.raises(EmptySelectionError, match="none of the 5"):
            await evaluate(job(tmp_path, base_url, items[-5:]))


async def test_exact_answers_are_asked_for_without_chance(tmp_path):
    def copy(path, asked):
        assert (path, asked["temperature"]) == ("/v1/chat/completions", 0)
        text = asked["messages"][0]["content"]
        return 200, {"choices": [{"message": {"content": text if asked["model"] == "old" or text != "b" else "?"}}]}

    items = [ExactItem(item_id=text, prompt=[{"role": "user", "content": text}], expected=text) for text in "abcd"]
    with answering(copy) as base_url:
        judged = await evaluate(job(tmp_path, base_url, items, "exact-match"))
    assert (judged.score, judged.baseline_score, judged.passed) == (0.75, 1.0, False)
    assert [item.score for item in judged.items] == [1.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((500, {"error": "out of memory"}), "answered 500"),
        ((200, {"nonsense": 1}), "no scores"),
        ((200, {"data": []}), "0 scores for 3 items"),
    ],
)
async def test_a_server_that_cannot_score_is_named_with_what_it_did(tmp_path, answer, message):
    with answering(lambda *_: answer) as base_url, pytest.raises(UpstreamError, match=message):
        await evaluate(job(tmp_path, base_url, logged(3)))


async def test_a_chat_that_fails_ends_the_evaluation_with_its_error(tmp_path):
    items = [ExactItem(item_id="1", prompt=[], expected="a"), ExactItem(item_id="2", prompt=[], expected="b")]
    with answering(lambda *_: (200, {"choices": []})) as base_url, pytest.raises(UpstreamError, match="without a message"):
        await evaluate(job(tmp_path, base_url, items, "exact-match"))


def test_a_result_appears_whole(tmp_path):
    judged = Judged(
        score=0.5,
        score_low=0.4,
        score_high=0.6,
        baseline_score=0.5,
        difference=0.0,
        difference_low=-0.1,
        difference_high=0.1,
        passed=True,
        reason="",
        items=[],
    )
    write_result(tmp_path / "result.json", judged)
    assert msgspec.json.decode((tmp_path / "result.json").read_bytes(), type=Judged) == judged
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def classifier(folder, threshold):
    """Positive above a threshold."""
    folder.mkdir()
    stump = Tree(
        feature=[0, -1, -1],
        threshold=[threshold, 0.0, 0.0],
        missing_left=[True, True, True],
        left=[1, 0, 0],
        right=[2, 0, 0],
        value=[0.0, -1.0, 1.0],
    )
    (folder / "model.json").write_bytes(write_model(BoostedTrees(features=["amount"], baseline=0.0, trees=[stump])))
    return ModelAddress(base_url="", model="x", folder=str(folder))


def test_classifiers_are_scored_without_a_server(tmp_path):
    items = [
        TabularItem(item_id=f"b2:{number}", features={"amount": number}, label=float(number > 60), user=f"u_{number}")
        for number in range(100)
    ]
    candidate, baseline = classifier(tmp_path / "new", 60.0), classifier(tmp_path / "old", 80.0)
    asked = msgspec.structs.replace(job(tmp_path, "", items, "detection"), candidate=candidate, baseline=baseline)
    judged = score_tables(asked)
    assert (judged.passed, judged.score, judged.baseline_score) == (True, 1.0, pytest.approx(19 / 39))
