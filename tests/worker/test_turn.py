"""The worker is killed at a step and started again: the turn finishes, and every step has taken effect once."""

import subprocess
import sys
from pathlib import Path

import pytest

from penstock.records.release import ReleaseState
from penstock.records.turn import TurnState
from penstock.worker.client import enqueue_turn
from penstock.worker.turn_plan import TurnPlan
from tests.worker import wheel
from tests.worker.turn_process import KILLED, STEPS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path):
    with wheel.model_server() as server:
        home = wheel.prepare(tmp_path / "home", server, max_canary_s=60.0)
        yield home
        home.registry.close()


def live(home, turn_id, points):
    """One life of the worker; its exit code."""
    folder = home.settings.home_path
    command = [sys.executable, "-m", "tests.worker.turn_process", str(folder), turn_id, *points]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode in (0, KILLED), done.stderr
    return done.returncode


def finish(home, points):
    """Lives until the turn is over; how often the worker died."""
    for _ in range(2):  # asked for twice, it is one turn
        turn = enqueue_turn(home.settings, home.registry, TurnPlan(route=wheel.ROUTE), "t_1")
    deaths = 0
    while live(home, turn.turn_id, points) == KILLED:
        deaths += 1
    return deaths


def assert_everything_happened_once(home):
    registry, lake = home.registry, home.open_lake()
    turn = registry.turns.get("t_1")
    assert (turn.state, len(registry.turns.list())) == (TurnState.RELEASED, 1)
    assert [one.dataset_version_id for one in registry.datasets.list()] == [turn.dataset_version_id]
    assert [one.training_run_id for one in registry.runs.list()] == [turn.training_run_id]
    assert len(registry.checkpoints.list()) == 2
    assert len(registry.evaluations.list()) == 1
    assert [one.release_id for one in registry.releases.list()] == [turn.release_id]
    states = [event.state for event in registry.releases.events(turn.release_id)]
    assert (states[0], states.count(ReleaseState.PROPOSED), states.count(ReleaseState.LIVE)) == (ReleaseState.PROPOSED, 1, 1)
    assert registry.routes.generation() == 3  # pointed at stable, split, pointed at the candidate
    assert registry.routes.get(wheel.ROUTE).stable_checkpoint_id == turn.checkpoint_id
    for table, owner in (("dataset_rows", "dataset_version_id"), ("evaluation_items", "evaluation_id")):
        rows = lake.revisions(table)
        assert rows.count().to_pyarrow().as_py() == lake.current(table).count().to_pyarrow().as_py() > 0
        assert rows[owner].nunique().to_pyarrow().as_py() == 1


def test_a_turn_whose_worker_is_killed_after_each_lasting_effect_finishes_and_does_nothing_twice(home):
    assert finish(home, ["after:freeze", "after:evaluate", "after:decide"]) == 3
    assert_everything_happened_once(home)
    assert (home.artifacts / "trained").read_text().splitlines() == [home.registry.turns.get("t_1").training_run_id]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_turn_survives_a_kill_at_every_step(home, when):
    assert finish(home, [f"{when}:{step}" for step in STEPS]) == len(STEPS)
    assert_everything_happened_once(home)
