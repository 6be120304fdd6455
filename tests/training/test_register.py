from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from penstock.errors import ConfigurationError, ConflictError, TrainingError
from penstock.records.clock import utc_now
from penstock.records.dataset import DatasetVersion
from penstock.records.training import Checkpoint, TrainingRunState
from penstock.registry.registry import Registry
from penstock.settings import Settings
from penstock.training import register
from penstock.training.checkpoint_files import verify
from penstock.training.register import train
from penstock.training.runner import RunCancelledError
from tests.training.conftest import SMALL, sft_rows, write_dataset

OVERRIDES: dict[str, Any] = {"architecture": SMALL, "max_steps": 2, "threads": 1}


@pytest.fixture
def dataset(registry: Registry, tmp_path: Path) -> DatasetVersion:
    folder = write_dataset(tmp_path / "data", sft_rows(32))
    version = DatasetVersion(
        dataset_version_id="d_1",
        name="words",
        kind="sft",
        content_hash="b2:1",
        uri=str(folder),
        selection="{}",
        train_rows=32,
        test_rows=0,
        known_at=utc_now(),
        created_at=utc_now(),
    )
    return registry.datasets.put(version)


def start(registry: Registry, settings: Settings, dataset: DatasetVersion, **fields: Any) -> Checkpoint:
    arguments = {"run_id": "run_1", "recipe": "sft", "dataset": dataset, "parent": None, "overrides": OVERRIDES}
    return train(registry, settings, settings.home_path / "artifacts", **{**arguments, **fields})


def test_a_run_ends_as_a_registered_checkpoint_that_points_back(
    registry: Registry, settings: Settings, dataset: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = start(registry, settings, dataset, name="words-1")
    manifest = verify(Path(str(checkpoint.uri)))
    assert checkpoint.checkpoint_id == "c_" + manifest.content_hash[3:19] == Path(str(checkpoint.uri)).name
    assert (checkpoint.training_run_id, checkpoint.dataset_version_id, checkpoint.name) == ("run_1", "d_1", "words-1")
    assert registry.checkpoints.get(checkpoint.checkpoint_id) == checkpoint
    run = registry.runs.get("run_1")
    assert (run.state, run.checkpoint_id) == (TrainingRunState.SUCCEEDED, checkpoint.checkpoint_id)
    assert run.config_hash == manifest.config_hash

    def fail(*arguments: object) -> None:
        raise AssertionError("trained twice")

    monkeypatch.setattr(register, "run_recipe", fail)
    assert start(registry, settings, dataset, name="words-1") == checkpoint


def test_a_failed_run_is_recorded_with_its_reason_and_may_be_tried_again(
    registry: Registry, settings: Settings, dataset: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise TrainingError("no memory")

    monkeypatch.setattr(register, "run_recipe", fail)
    for _ in range(2):
        with pytest.raises(TrainingError, match="no memory"):
            start(registry, settings, dataset)
        run = registry.runs.get("run_1")
        assert (run.state, run.error) == (TrainingRunState.FAILED, "no memory")


def test_a_cancelled_run_stays_cancelled(
    registry: Registry, settings: Settings, dataset: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel(*arguments: object) -> None:
        raise RunCancelledError("by a person")

    monkeypatch.setattr(register, "run_recipe", cancel)
    with pytest.raises(RunCancelledError):
        start(registry, settings, dataset)
    assert registry.runs.get("run_1").state == TrainingRunState.CANCELLED
    with pytest.raises(ConflictError):
        start(registry, settings, dataset)


@pytest.mark.parametrize("overrides", [{"out": "/elsewhere"}, {"rehearsal": "/elsewhere"}, {"epochz": 3}])
def test_a_config_that_reaches_for_paths_or_does_not_exist_is_refused_before_anything_is_recorded(
    registry: Registry, settings: Settings, dataset: DatasetVersion, overrides: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError):
        start(registry, settings, dataset, overrides=OVERRIDES | overrides)
    assert registry.runs.list() == []


def test_a_hosted_model_is_no_parent(registry: Registry, settings: Settings, dataset: DatasetVersion) -> None:
    hosted = Checkpoint(
        checkpoint_id="c_1", name="hosted", content_hash="b2:2", uri=None, upstream="other", model="large", created_at=utc_now()
    )
    with pytest.raises(ConfigurationError, match="hosted"):
        start(registry, settings, dataset, parent=hosted)


def test_weights_that_another_run_has_made_before_are_its_checkpoint(
    registry: Registry, settings: Settings, dataset: DatasetVersion
) -> None:
    rows = [{"features": {"a": number % 7}, "label": float(number % 7 > 4), "user": f"u{number}"} for number in range(200)]
    tabular = structs.replace(
        dataset, dataset_version_id="d_2", kind="tabular", uri=str(write_dataset(settings.home_path / "t", rows))
    )
    table, given = registry.datasets.put(tabular), {"recipe": "classifier", "overrides": {"rounds": 2}}
    first = start(registry, settings, table, **given, run_id="run_1", name="first")
    again = start(registry, settings, table, **given, run_id="run_2", name="second", parent=first)
    assert again == first
    run = registry.runs.get("run_2")
    assert (run.state, run.checkpoint_id) == (TrainingRunState.SUCCEEDED, first.checkpoint_id)
