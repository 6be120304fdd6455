from datetime import timedelta

import pytest

from penstock.errors import ConflictError, NotFoundError
from penstock.records.training import TRAINING_RUN_TRANSITIONS, TrainingRunState
from penstock.registry.registry import Registry
from tests.registry.examples import NOON, a_checkpoint, a_dataset, a_run


@pytest.fixture(autouse=True)
def _parents(registry: Registry) -> None:
    registry.checkpoints.put(a_checkpoint("c_stable"))
    registry.datasets.put(a_dataset())


def test_a_run_goes_from_pending_to_succeeded_and_points_at_its_checkpoint(registry: Registry) -> None:
    registry.runs.put(a_run())
    registry.runs.transition("r_1", TrainingRunState.RUNNING, started_at=NOON)
    registry.checkpoints.put(a_checkpoint("c_new", training_run_id="r_1"))
    ended = registry.runs.transition("r_1", "succeeded", checkpoint_id="c_new", ended_at=NOON + timedelta(minutes=1))
    assert registry.runs.get("r_1") == ended
    assert (ended.state, ended.checkpoint_id, ended.started_at) == ("succeeded", "c_new", NOON)


@pytest.mark.parametrize("state", ["pending", "running", "failed", "cancelled"])
def test_a_succeeded_run_stays_so(registry: Registry, state: str) -> None:
    registry.runs.put(a_run())
    registry.runs.transition("r_1", "running")
    registry.runs.transition("r_1", "succeeded")
    with pytest.raises(ConflictError, match=f"is succeeded and cannot become {state}; .* it is final"):
        registry.runs.transition("r_1", state)


def test_a_refusal_names_the_states_that_are_allowed(registry: Registry) -> None:
    registry.runs.put(a_run())
    with pytest.raises(
        ConflictError, match="is pending and cannot become succeeded; from there it can become cancelled, running"
    ):
        registry.runs.transition("r_1", "succeeded")


def test_the_table_of_transitions_decides_every_pair(registry: Registry) -> None:
    ways = {"pending": [], "running": ["running"], "succeeded": ["running", "succeeded"], "failed": ["running", "failed"]}
    for start, way in {**ways, "cancelled": ["cancelled"]}.items():
        for target in TrainingRunState:
            run_id = f"r_{start}_{target}"
            registry.runs.put(a_run(run_id))
            for step in way:
                registry.runs.transition(run_id, step)
            if target in TRAINING_RUN_TRANSITIONS[TrainingRunState(start)]:
                assert registry.runs.transition(run_id, target).state == target
            else:
                with pytest.raises(ConflictError):
                    registry.runs.transition(run_id, target)


def test_a_run_put_again_is_returned_as_it_stands_now(registry: Registry) -> None:
    registry.runs.put(a_run())
    running = registry.runs.transition("r_1", "running", started_at=NOON)
    assert registry.runs.put(a_run()) == running


def test_a_run_starts_pending(registry: Registry) -> None:
    with pytest.raises(ConflictError, match="A new training run is pending; this one says running"):
        registry.runs.put(a_run(state="running"))


def test_a_run_on_a_dataset_that_does_not_exist_is_refused(registry: Registry) -> None:
    with pytest.raises(NotFoundError, match="names dataset_version_id 'd_none', which is not in dataset_versions"):
        registry.runs.put(a_run(dataset_version_id="d_none"))


def test_a_transition_to_a_checkpoint_that_does_not_exist_is_refused_whole(registry: Registry) -> None:
    registry.runs.put(a_run())
    registry.runs.transition("r_1", "running")
    with pytest.raises(NotFoundError, match="c_none"):
        registry.runs.transition("r_1", "succeeded", checkpoint_id="c_none")
    assert registry.runs.get("r_1").state == "running"


def test_a_transition_cannot_set_what_does_not_exist(registry: Registry) -> None:
    registry.runs.put(a_run())
    with pytest.raises(TypeError, match="colour"):
        registry.runs.transition("r_1", "running", colour="red")
    assert registry.runs.get("r_1").state == "pending"


def test_runs_are_listed_as_they_started_and_by_dataset(registry: Registry) -> None:
    registry.datasets.put(a_dataset("d_2"))
    for run_id, dataset, minute in (("r_1", "d_1", None), ("r_2", "d_1", 2), ("r_3", "d_2", 1)):
        registry.runs.put(a_run(run_id, dataset_version_id=dataset))
        if minute is not None:
            registry.runs.transition(run_id, "running", started_at=NOON + timedelta(minutes=minute))
    assert [run.training_run_id for run in registry.runs.list()] == ["r_3", "r_2", "r_1"]
    assert [run.training_run_id for run in registry.runs.list("d_1")] == ["r_2", "r_1"]
