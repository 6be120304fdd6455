from datetime import timedelta

import pytest

from penstock.errors import ConflictError, NotFoundError
from penstock.registry.registry import Registry
from tests.registry.examples import NOON, a_checkpoint, a_run, put_two_checkpoints


def test_a_checkpoint_comes_back_with_its_lineage(registry: Registry) -> None:
    put_two_checkpoints(registry)
    candidate = registry.checkpoints.get("c_candidate")
    assert (candidate.parent_checkpoint_id, candidate.training_run_id, candidate.dataset_version_id) == ("c_stable", "r_1", "d_1")


def test_the_same_weights_from_another_run_are_the_same_checkpoint(registry: Registry) -> None:
    put_two_checkpoints(registry)
    registry.runs.put(a_run("r_2"))
    first = registry.checkpoints.get("c_candidate")
    again = a_checkpoint("c_candidate", parent_checkpoint_id="c_stable", training_run_id="r_2", dataset_version_id="d_1")
    assert registry.checkpoints.put(again) == first
    assert registry.checkpoints.get("c_candidate") == first


def test_an_id_never_gets_other_weights(registry: Registry) -> None:
    registry.checkpoints.put(a_checkpoint("c_1"))
    with pytest.raises(ConflictError, match="another content_hash: 'b2:c_1', not 'b2:other'"):
        registry.checkpoints.put(a_checkpoint("c_1", content_hash="b2:other"))


def test_a_checkpoint_from_a_run_that_does_not_exist_is_refused(registry: Registry) -> None:
    with pytest.raises(NotFoundError, match="names training_run_id 'r_none', which is not in training_runs"):
        registry.checkpoints.put(a_checkpoint("c_1", training_run_id="r_none"))
    assert registry.checkpoints.list() == []


def test_a_name_means_its_newest_checkpoint(registry: Registry) -> None:
    registry.checkpoints.put(a_checkpoint("c_new", created_at=NOON + timedelta(hours=1)))
    registry.checkpoints.put(a_checkpoint("c_old"))
    newest = registry.checkpoints.by_name("completer")
    assert newest is not None
    assert newest.checkpoint_id == "c_new"
    assert registry.checkpoints.by_name("other") is None


def test_the_checkpoints_that_a_dataset_shaped_are_one_query(registry: Registry) -> None:
    put_two_checkpoints(registry)
    assert [found.checkpoint_id for found in registry.checkpoints.list("d_1")] == ["c_candidate"]
