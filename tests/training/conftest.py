"""Small datasets, and one small checkpoint that the sft recipe made, for every test that needs a parent."""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from penstock.training.checkpoint_files import Manifest
from penstock.training.recipe_config import make_config
from penstock.training.runner import RunFiles, run_recipe

SMALL = {
    "hidden_size": 32,
    "layers": 2,
    "heads": 2,
    "key_value_heads": 1,
    "head_dim": 16,
    "intermediate_size": 64,
    "vocabulary": 266,
}
PATIENCE_S = 110.0


def chat(text: str) -> list[dict[str, str]]:
    """A prompt of one user message."""
    return [{"role": "user", "content": text}]


def word(draw: random.Random) -> str:
    """Three letters."""
    return "".join(draw.choice("abcdefgh") for _ in range(3))


def sft_rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Words to repeat."""
    draw = random.Random(seed)
    return [{"row_hash": "b2:0", "prompt": chat(f"tab: {one}"), "completion": one} for one in (word(draw) for _ in range(count))]


def write_dataset(folder: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """A dataset folder with these rows to train on."""
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def run(recipe: str, folder: Path, dataset: Path, **fields: Any) -> Manifest:
    """Run a recipe as its own process, its files in this folder."""
    files = RunFiles(folder=folder)
    paths = {name: str(getattr(files, name)) for name in ("out", "metrics", "heartbeat", "cancel")}
    config = make_config(recipe, {"dataset": str(dataset), "threads": 1, "log_every": 1, **paths, **fields})
    return run_recipe(recipe, config, files, PATIENCE_S)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a checkpoint that has learned a little."""
    folder = tmp_path_factory.mktemp("base")
    dataset = write_dataset(folder / "data", sft_rows(256))
    run("sft", folder / "run", dataset, architecture=SMALL, max_steps=20, learning_rate=3e-3)
    return folder / "run" / "checkpoint"
