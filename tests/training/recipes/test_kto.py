import json
import random
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import EmptySelectionError
from penstock.training.recipes.kto import class_weights
from tests.training.conftest import chat, run, word, write_dataset


def rows(count: int, good: float) -> list[dict[str, Any]]:
    """Answers that are good when they repeat the word, and bad when they turn it round."""
    draw = random.Random(0)
    made = []
    for number in range(count):
        one, label = word(draw), number < count * good
        made.append({"prompt": chat(f"tab: {one}"), "completion": one if label else one[::-1], "label": label})
    return made


def test_only_the_rarer_class_is_weighted_up() -> None:
    assert class_weights(10, 90) == (9.0, 1.0)
    assert class_weights(90, 10) == (1.0, 9.0)
    assert class_weights(50, 50) == (1.0, 1.0)


@pytest.mark.parametrize("counts", [(0, 5), (5, 0)])
def test_one_class_alone_teaches_nothing(counts: tuple[int, int]) -> None:
    with pytest.raises(EmptySelectionError, match="at least one of each"):
        class_weights(*counts)


def test_it_learns_from_uneven_labels_with_the_weight_that_it_took_from_them(base: Path, tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", rows(64, good=0.25))
    manifest = run("kto", tmp_path / "run", dataset, parent=str(base), batch_size=16, learning_rate=1e-3)
    assert (manifest.summary["desirable_weight"], manifest.summary["undesirable_weight"]) == (3.0, 1.0)
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in metrics][:4] == [1, 2, 3, 4]


@pytest.mark.slow
def test_the_same_seed_and_data_give_bitwise_the_same_weights(base: Path, tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", rows(64, good=0.25))
    one, two = (run("kto", tmp_path / name, dataset, parent=str(base), batch_size=16) for name in ("one", "two"))
    assert one.content_hash == two.content_hash
