"""Records to put into a registry, each with what a test does not care about filled in."""

from datetime import UTC, datetime
from typing import Any

from penstock.records.dataset import DatasetVersion
from penstock.records.evaluation import Evaluation, Suite
from penstock.records.label import Dimension, DimensionType, LabelSchema
from penstock.records.release import Release
from penstock.records.training import Checkpoint, TrainingRun
from penstock.records.turn import Turn
from penstock.registry.registry import Registry

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_checkpoint(checkpoint_id: str, **fields: Any) -> Checkpoint:
    defaults: dict[str, Any] = {
        "checkpoint_id": checkpoint_id,
        "name": "completer",
        "content_hash": f"b2:{checkpoint_id}",
        "uri": f"file:///artifacts/{checkpoint_id}",
        "upstream": "local",
        "model": checkpoint_id,
        "created_at": NOON,
    }
    return Checkpoint(**{**defaults, **fields})


def a_dataset(dataset_version_id: str = "d_1", **fields: Any) -> DatasetVersion:
    defaults: dict[str, Any] = {
        "dataset_version_id": dataset_version_id,
        "name": "kept",
        "kind": "kto",
        "content_hash": f"b2:{dataset_version_id}",
        "uri": f"file:///artifacts/{dataset_version_id}",
        "selection": "{}",
        "train_rows": 8,
        "test_rows": 2,
        "known_at": NOON,
        "created_at": NOON,
    }
    return DatasetVersion(**{**defaults, **fields})


def a_run(training_run_id: str = "r_1", **fields: Any) -> TrainingRun:
    defaults: dict[str, Any] = {
        "training_run_id": training_run_id,
        "recipe": "kto",
        "dataset_version_id": "d_1",
        "parent_checkpoint_id": "c_stable",
        "state": "pending",
        "config": "{}",
        "config_hash": "b2:0",
        "code_revision": "abc",
        "seed": 7,
    }
    return TrainingRun(**{**defaults, **fields})


def a_suite(suite_id: str = "u_1", **fields: Any) -> Suite:
    defaults: dict[str, Any] = {
        "suite_id": suite_id,
        "name": "held-out",
        "kind": "off-policy",
        "content_hash": f"b2:{suite_id}",
        "uri": "file:///suites/u_1",
        "items": 100,
        "created_at": NOON,
    }
    return Suite(**{**defaults, **fields})


def an_evaluation(evaluation_id: str = "e_1", **fields: Any) -> Evaluation:
    defaults: dict[str, Any] = {
        "evaluation_id": evaluation_id,
        "suite_id": "u_1",
        "checkpoint_id": "c_candidate",
        "baseline_checkpoint_id": "c_stable",
        "score": 0.5,
        "score_low": 0.4,
        "score_high": 0.6,
        "baseline_score": 0.3,
        "difference": 0.2,
        "difference_low": 0.1,
        "difference_high": 0.3,
        "items": 100,
        "passed": True,
        "reason": "better",
        "created_at": NOON,
    }
    return Evaluation(**{**defaults, **fields})


def a_release(release_id: str = "rel_1", **fields: Any) -> Release:
    defaults: dict[str, Any] = {
        "release_id": release_id,
        "route": "code",
        "checkpoint_id": "c_candidate",
        "stable_checkpoint_id": "c_stable",
        "state": "proposed",
        "candidate_share": 0.5,
        "salt": "salt",
        "turn_id": None,
        "created_at": NOON,
    }
    return Release(**{**defaults, **fields})


def a_turn(turn_id: str = "t_1", **fields: Any) -> Turn:
    defaults: dict[str, Any] = {
        "turn_id": turn_id,
        "number": 0,
        "route": "code",
        "state": "running",
        "step": "started",
        "config": "{}",
        "started_at": NOON,
    }
    return Turn(**{**defaults, **fields})


def a_schema(version: int = 1, **fields: Any) -> LabelSchema:
    kept = Dimension(name="kept", question="Did the user keep it?", type=DimensionType.BOOLEAN)
    reward = Dimension(name="reward", question="What was it worth?", type=DimensionType.NUMBER, minimum=-1.0, maximum=1.0)
    defaults: dict[str, Any] = {"name": "response-quality", "version": version, "dimensions": (kept, reward)}
    return LabelSchema(**{**defaults, **fields})


def put_two_checkpoints(registry: Registry) -> None:
    """A stable checkpoint, and the candidate that a run made from it on a dataset."""
    registry.checkpoints.put(a_checkpoint("c_stable"))
    registry.datasets.put(a_dataset())
    registry.runs.put(a_run())
    lineage = {"parent_checkpoint_id": "c_stable", "training_run_id": "r_1", "dataset_version_id": "d_1"}
    registry.checkpoints.put(a_checkpoint("c_candidate", **lineage))
