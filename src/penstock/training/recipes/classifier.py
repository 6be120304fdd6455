"""A classifier of tabular rows: config -> rows -> scikit-learn's boosted trees -> plain arrays -> checkpoint.

Run as `python -m penstock.training.recipes.classifier config.json`. What is saved is JSON that says every split, and it is
saved only if it scores as scikit-learn does; no pickle is written or read. A label that is a probability counts on both sides.
"""

import hashlib
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from penstock.errors import EmptySelectionError, TrainingError
from penstock.statistics.boosted_trees import MODEL_FILE, BoostedTrees, Tree, log_odds, to_matrix, write_model
from penstock.statistics.detection import Detection, detection
from penstock.training.checkpoint_files import Manifest, hash_content, hash_file, hash_files, publish
from penstock.training.dataset_files import TRAIN, TabularRow, read_rows
from penstock.training.progress import Progress, run_and_exit, start_recipe
from penstock.training.recipe_config import ClassifierConfig, config_hash

ROUNDS_PER_BEAT = 40
SURE = 0.01  # a label nearer than this to 0 or 1 counts on one side only
_SALT = "penstock-calibration-1"
_SAME = 1e-9  # how far the saved trees may score from scikit-learn's

Floats = NDArray[numpy.float64]


def main() -> None:
    """Read the config named on the command line, train, save."""
    config, progress = start_recipe(sys.argv, ClassifierConfig)
    with threadpool_limits(config.threads or None):
        train(config, progress)


def train(config: ClassifierConfig, progress: Progress) -> None:
    """The whole recipe."""
    rows = read_rows(Path(config.dataset), TabularRow)
    held = numpy.array([is_calibration(row.user, config.calibration_share) for row in rows])
    features = sorted({name for row in rows for name in row.features})
    matrix = to_matrix(features, [row.features for row in rows])
    label, weight = (numpy.array([getattr(row, name) for row in rows], dtype=float) for name in ("label", "weight"))
    _require_both(label[~held], len(rows))
    fitted = fit(config, matrix[~held], label[~held], weight[~held], progress)
    model = to_trees(fitted, features)
    _require_same(model, fitted, matrix)
    score = log_odds(model, matrix[held]) if held.any() else numpy.zeros(0)
    found = calibrate(score, label[held], weight[held], config.false_positive_rate)
    model = BoostedTrees(
        features=model.features,
        baseline=model.baseline,
        trees=model.trees,
        threshold=_probability(found.threshold) if found else 0.5,
        false_positive_rate=config.false_positive_rate if found else None,
    )
    summary = {
        "rows": len(rows),
        "calibration_rows": int(held.sum()),
        "positives": float((label * weight).sum()),
        "features": len(features),
        "threshold": model.threshold,
        "calibration_detection": found.detected if found else None,
    }
    progress.log(config.rounds, **summary)
    save(config, model, summary)


def fit(config: ClassifierConfig, matrix: Floats, label: Floats, weight: Floats, progress: Progress) -> Any:
    """scikit-learn's fitted classifier; it beats between rounds, so that it can be watched and stopped."""
    rows, classes, weights = two_sided(label, weight)
    model = HistGradientBoostingClassifier(
        learning_rate=config.learning_rate,
        max_leaf_nodes=config.leaves,
        min_samples_leaf=config.least_rows,
        l2_regularization=config.l2,
        early_stopping=False,
        random_state=config.seed,
        warm_start=True,
    )
    for rounds in (*range(ROUNDS_PER_BEAT, config.rounds, ROUNDS_PER_BEAT), config.rounds):
        model.set_params(max_iter=rounds)
        model.fit(matrix[rows], classes, sample_weight=weights)
        progress.beat()
    return model


def two_sided(label: Floats, weight: Floats) -> tuple[NDArray[numpy.int64], NDArray[numpy.int64], Floats]:
    """Row, class and weight of every example: a row whose label is no more than likely is one example of each class."""
    positive, negative = numpy.nonzero(label > SURE)[0], numpy.nonzero(label < 1 - SURE)[0]
    share = numpy.where(label > 1 - SURE, 1.0, numpy.where(label < SURE, 0.0, label))
    return (
        numpy.concatenate([positive, negative]),
        numpy.concatenate([numpy.ones(len(positive), dtype=int), numpy.zeros(len(negative), dtype=int)]),
        numpy.concatenate([(weight * share)[positive], (weight * (1 - share))[negative]]),
    )


def to_trees(model: Any, features: Sequence[str]) -> BoostedTrees:
    """The fitted trees as plain arrays."""
    trees = [_tree(stage[0].nodes) for stage in model._predictors]
    return BoostedTrees(features=list(features), baseline=float(model._baseline_prediction.ravel()[0]), trees=trees)


def _tree(nodes: Any) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        feature=numpy.where(leaf, -1, nodes["feature_idx"]).tolist(),
        threshold=numpy.where(leaf, 0.0, numpy.minimum(nodes["num_threshold"], sys.float_info.max)).tolist(),
        missing_left=nodes["missing_go_to_left"].astype(bool).tolist(),
        left=numpy.where(leaf, 0, nodes["left"]).tolist(),
        right=numpy.where(leaf, 0, nodes["right"]).tolist(),
        value=numpy.where(leaf, nodes["value"], 0.0).tolist(),
    )


def calibrate(score: Floats, label: Floats, weight: Floats, rate: float) -> Detection | None:
    """Where the threshold lies among rows that the trees have not seen; None where they are all on one side."""
    if len(score) == 0 or (label * weight).sum() == 0 or ((1 - label) * weight).sum() == 0:
        return None
    return detection(score, label, rate, weight=weight)


def is_calibration(user: str, share: float) -> bool:
    """Whether a user's rows are kept for the threshold; whole users, since rows of one are alike."""
    number = int.from_bytes(hashlib.sha256(f"{_SALT}\0{user}".encode()).digest()[:8], "big")
    return number / 2**64 < share


def save(config: ClassifierConfig, model: BoostedTrees, summary: dict[str, Any]) -> None:
    """Write the checkpoint, so that it appears under `config.out` whole or not at all."""
    out = Path(config.out)
    partial = out.with_name(out.name + ".tmp")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (partial / MODEL_FILE).write_bytes(write_model(model))
    files = hash_files(partial)
    dataset = Path(config.dataset) / TRAIN
    manifest = Manifest(
        content_hash=hash_content(files),
        files=files,
        recipe="classifier",
        config_hash=config_hash(config),
        seed=config.seed,
        parent_checkpoint_id=config.parent_checkpoint_id,
        dataset_version_id=config.dataset_version_id,
        inputs={f"{dataset.parent.name}/{dataset.name}": hash_file(dataset)},
        packages={name: version(name) for name in ("scikit-learn", "numpy")},
        summary=summary,
    )
    publish(partial, manifest, out)


def _require_both(label: Floats, rows: int) -> None:
    if not bool((label > SURE).any() and (label < 1 - SURE).any()):
        raise EmptySelectionError(f"A classifier needs positives and negatives, but the {rows} rows have one side only.")


def _require_same(model: BoostedTrees, fitted: Any, matrix: Floats) -> None:
    """The arrays come out of scikit-learn's inside, which may change; so they are held against what it says itself."""
    off = float(numpy.abs(log_odds(model, matrix) - fitted.decision_function(matrix)).max())
    if not off <= _SAME:
        raise TrainingError(
            f"The saved trees score {off:g} from what scikit-learn {version('scikit-learn')} says; use the pinned version."
        )


def _probability(odds: float) -> float:
    return float(1.0 / (1.0 + numpy.exp(-numpy.clip(odds, -500.0, 500.0))))


if __name__ == "__main__":
    run_and_exit(main)
