import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from penstock.errors import TrainingError
from penstock.training.checkpoint_files import verify
from penstock.training.dataset_files import SftRow
from penstock.training.progress import Progress
from penstock.training.recipe_config import SftConfig, make_config
from penstock.training.recipes.sft import NOT_LEARNED, steps, tokenize
from tests.training.conftest import SMALL, chat, run, sft_rows, write_dataset


class Silent(Progress):
    """Tells nobody anything."""

    def __init__(self) -> None:
        pass

    def beat(self) -> None:
        pass


def test_only_the_completion_and_its_end_token_are_learned(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    examples, too_long = tokenize(tokenizer, [SftRow(prompt=chat("tab: abc"), completion="abc")], 100, Silent())
    learned = [token for token in examples[0]["labels"] if token != NOT_LEARNED]
    assert tokenizer.decode(learned) == "abc<|end|>"
    assert tokenizer.decode(examples[0]["input_ids"]) == "<|user|>tab: abc<|end|><|assistant|>abc<|end|>"
    assert too_long == 0


def test_rows_beyond_the_longest_length_are_left_out_and_counted(base: Path) -> None:
    rows = [SftRow(prompt=chat("x" * length), completion="abc") for length in (1, 50)]
    examples, too_long = tokenize(AutoTokenizer.from_pretrained(base), rows, 20, Silent())
    assert (len(examples), too_long) == (1, 1)


def test_the_number_of_steps_follows_from_rows_and_epochs() -> None:
    paths = dict.fromkeys(("dataset", "out", "metrics", "heartbeat", "cancel", "parent"), "p")
    config = make_config("sft", {**paths, "batch_size": 32, "epochs": 2.5})
    assert isinstance(config, SftConfig)
    assert steps(config, 100) == 10


def test_the_checkpoint_says_what_it_came_from_and_its_metrics_what_happened(base: Path) -> None:
    manifest = verify(base)
    assert manifest.recipe == "sft"
    assert manifest.parent_checkpoint_id is None
    assert manifest.summary["rows"] == 256
    assert list(manifest.inputs) == ["data/train.jsonl"]
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"} <= set(manifest.files)
    metrics = [json.loads(line) for line in (base.parent / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in metrics if "loss" in line]
    assert losses[-1] < losses[0]


def test_it_goes_on_from_a_parent_without_touching_it(base: Path, tmp_path: Path) -> None:
    before = verify(base)
    dataset = write_dataset(tmp_path / "data", sft_rows(32))
    manifest = run("sft", tmp_path / "run", dataset, parent=str(base), parent_checkpoint_id="c_1", max_steps=1)
    assert manifest.parent_checkpoint_id == "c_1"
    assert manifest.files["tokenizer.json"] == before.files["tokenizer.json"]
    assert manifest.files["model.safetensors"] != before.files["model.safetensors"]
    assert verify(base) == before


@pytest.mark.slow
def test_a_row_that_is_no_row_ends_it_with_its_line(base: Path, tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", [*sft_rows(3), {"prompt": "no list"}])
    with pytest.raises(TrainingError, match="line 4"):
        run("sft", tmp_path / "run", dataset, parent=str(base))


@pytest.mark.slow
def test_the_same_seed_and_data_give_bitwise_the_same_weights(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", sft_rows(64))
    one, two, other = (
        run("sft", tmp_path / name, dataset, architecture=SMALL, max_steps=4, seed=seed)
        for name, seed in (("one", 3), ("two", 3), ("other", 4))
    )
    assert one.content_hash == two.content_hash != other.content_hash
