import json
from pathlib import Path
from typing import Any

import numpy
import pytest

from penstock.errors import TrainingError
from penstock.statistics.boosted_trees import load_model, probabilities
from penstock.training.recipes.classifier import is_calibration, two_sided
from tests.training.conftest import run, write_dataset


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Positives where `a` is large and `b` is missing; `c` says nothing."""
    draw = numpy.random.default_rng(seed)
    made = []
    for number in range(count):
        a, has_b = float(draw.random()), bool(draw.random() < 0.5)
        features = {"a": a, "b": float(draw.random()) if has_b else None, "c": bool(draw.random() < 0.5)}
        made.append({"features": features, "label": float(a > 0.6 and not has_b), "weight": 1.0, "user": f"u{number}"})
    return made


def test_it_learns_and_saves_trees_that_score_like_it_with_a_threshold_and_its_origin(tmp_path: Path) -> None:
    manifest = run("classifier", tmp_path / "run", write_dataset(tmp_path / "data", rows(1_200)), false_positive_rate=0.05)
    model = load_model(tmp_path / "run" / "checkpoint")
    fresh = rows(500, seed=1)
    flagged = probabilities(model, [row["features"] for row in fresh]) > model.threshold
    assert numpy.mean(flagged == [row["label"] == 1.0 for row in fresh]) > 0.95
    assert model.features == ["a", "b", "c"]
    assert manifest.recipe == "classifier"
    assert manifest.summary["rows"] == 1_200
    assert "scikit-learn" in manifest.packages
    assert list(manifest.files) == ["model.json"]


def test_the_same_seed_and_data_give_bitwise_the_same_model(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", rows(300))
    one, two = (run("classifier", tmp_path / name, dataset, rounds=5) for name in ("one", "two"))
    assert one.content_hash == two.content_hash


def test_one_class_alone_teaches_nothing(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", [{**row, "label": 0.0} for row in rows(60)])
    with pytest.raises(TrainingError, match="positives and negatives"):
        run("classifier", tmp_path / "run", dataset)


def test_a_label_that_is_a_probability_counts_on_both_sides() -> None:
    which, side, weight = two_sided(numpy.array([1.0, 0.0, 0.25]), numpy.array([1.0, 2.0, 4.0]))
    assert list(zip(which.tolist(), side.tolist(), weight.tolist(), strict=True)) == [
        (0, 1, 1.0),
        (2, 1, 1.0),
        (1, 0, 2.0),
        (2, 0, 3.0),
    ]


def test_a_user_is_kept_for_the_threshold_whole_and_always() -> None:
    kept = [is_calibration(f"u{number}", 0.2) for number in range(2_000)]
    assert kept == [is_calibration(f"u{number}", 0.2) for number in range(2_000)]
    assert 0.17 < numpy.mean(kept) < 0.23


def test_progress_is_told(tmp_path: Path) -> None:
    run("classifier", tmp_path / "run", write_dataset(tmp_path / "data", rows(300)), rounds=5)
    (line,) = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert (line["step"], line["rows"]) == (5, 300)
