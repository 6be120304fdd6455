"""The worker as a process: turns are taken from the queue, run step by step, cancelled, taken up again; one worker per home."""

import threading
import time
from contextlib import contextmanager

import pytest

from penstock.errors import ConflictError
from penstock.records.clock import utc_now
from penstock.records.training import Checkpoint
from penstock.records.turn import Turn, TurnState
from penstock.training.runner import RunFiles
from penstock.worker.client import cancel_turn, enqueue_turn, open_client
from penstock.worker.process import only_worker, running_workflows, take_up_turns
from penstock.worker.turn import GO_ON
from penstock.worker.turn_plan import TurnPlan, encode_plan, training_run_id

WAIT_S = 60.0


class NotedSteps:
    """Steps that do nothing but note that they were asked for, and give the outcomes that a test sets."""

    check_interval_s = 0.05

    def __init__(self, registry, **outcomes):
        self.calls = []
        self.ended = threading.Event()
        self._registry = registry
        self._outcomes = outcomes

    def moment(self):
        return "now"

    def __getattr__(self, name):
        def step(turn_id, *arguments):
            self.calls.append((name, *arguments))
            return self._outcomes.get(name, GO_ON)

        step.__name__ = name
        return step

    def cancel(self, turn_id, by):
        self.calls.append(("cancel", by))
        return TurnState.FAILED

    def end(self, turn_id, state):
        self.calls.append(("end", state))
        self._registry.turns.transition(turn_id, state, ended_at=utc_now())
        self.ended.set()
        return state


class OneHome:
    """The part of the stores that the workflows need."""

    def __init__(self, settings, registry):
        self.settings = settings
        self.registry = registry
        self.artifacts = settings.home_path / "artifacts"


@pytest.fixture
def stores(settings, registry):
    registry.checkpoints.put(
        Checkpoint(
            checkpoint_id="c_1", name="c", content_hash="b2:1", uri=None, upstream="local", model="c", created_at=utc_now()
        )
    )
    registry.routes.set_stable("tab", "c_1", utc_now())
    return OneHome(settings, registry)


@contextmanager
def working(stores, **outcomes):
    steps = NotedSteps(stores.registry, **outcomes)
    with running_workflows(stores, steps):
        take_up_turns(stores, steps)
        yield steps


def ask(stores, turn_id="t_1"):
    return enqueue_turn(stores.settings, stores.registry, TurnPlan(route="tab"), turn_id)


def wait_until_ended_as(stores, turn_id, status):
    client = open_client(stores.settings)
    try:
        while client.list_workflows(workflow_ids=[turn_id])[0].status != status:
            time.sleep(0.01)
    finally:
        client.destroy()


def test_a_queued_turn_goes_through_every_step_in_order(stores):
    ask(stores)
    with working(stores, watch="verdict", decide=TurnState.RELEASED) as steps:
        assert steps.ended.wait(WAIT_S)
    names = ["collect", "freeze", "train", "evaluate", "start_canary", "watch", "decide", "end"]
    assert [call[0] for call in steps.calls] == names
    assert steps.calls[1] == ("freeze", "now")
    assert steps.calls[-2:] == [("decide", "verdict"), ("end", TurnState.RELEASED)]


def test_a_step_that_ends_the_turn_is_the_last_but_one(stores):
    ask(stores)
    with working(stores, evaluate=TurnState.REFUSED) as steps:
        assert steps.ended.wait(WAIT_S)
    assert steps.calls[-2:] == [("evaluate",), ("end", TurnState.REFUSED)]


def test_a_turn_that_watches_for_days_is_cancelled_at_once(stores):
    ask(stores)
    with working(stores) as steps:
        steps.check_interval_s = 10_000.0
        while ("watch",) not in steps.calls:
            time.sleep(0.01)
        cancel_turn(stores.settings, stores.registry, stores.artifacts, "t_1", "ann")
        assert steps.ended.wait(WAIT_S)
    assert steps.calls[-2:] == [("cancel", "ann"), ("end", TurnState.FAILED)]


def test_a_turn_cancelled_before_it_began_trains_nothing(stores):
    ask(stores)
    cancel_turn(stores.settings, stores.registry, stores.artifacts, "t_1", "ann")
    with working(stores) as steps:
        assert steps.ended.wait(WAIT_S)
    assert ("train",) not in steps.calls


def test_cancelling_a_turn_stops_the_recipe_that_runs_for_it(stores):
    ask(stores)
    run = RunFiles(folder=stores.artifacts / "runs" / training_run_id("t_1"))
    run.folder.mkdir(parents=True)
    cancel_turn(stores.settings, stores.registry, stores.artifacts, "t_1", "ann")
    assert run.cancel.exists()


def test_a_turn_that_is_over_cannot_be_cancelled(stores):
    ask(stores)
    stores.registry.turns.transition("t_1", TurnState.FAILED)
    with pytest.raises(ConflictError, match="is failed"):
        cancel_turn(stores.settings, stores.registry, stores.artifacts, "t_1", "ann")


def test_a_turn_that_died_between_registry_and_queue_is_taken_up(stores):
    stores.registry.turns.create(
        Turn(
            turn_id="t_1",
            number=0,
            route="tab",
            state=TurnState.RUNNING,
            step="queued",
            config=encode_plan(TurnPlan(route="tab")),
            started_at=utc_now(),
        )
    )
    with working(stores, collect=TurnState.FAILED) as steps:
        assert steps.ended.wait(WAIT_S)
    assert steps.calls == [("collect",), ("end", TurnState.FAILED)]


def test_a_turn_whose_workflow_broke_is_closed_at_the_next_start(stores):
    ask(stores)

    with working(stores) as steps:
        broken = threading.Event()

        def explode(turn_id, state):
            broken.set()
            raise RuntimeError

        steps.end, steps.watch, steps.decide = explode, lambda turn_id: "verdict", lambda turn_id, verdict: TurnState.RELEASED
        explode.__name__ = "end"
        assert broken.wait(WAIT_S)
        wait_until_ended_as(stores, "t_1", "ERROR")
    assert stores.registry.turns.get("t_1").state == TurnState.RUNNING
    with working(stores) as steps:
        assert steps.ended.wait(WAIT_S)
    assert stores.registry.turns.get("t_1").state == TurnState.FAILED


def test_one_home_has_one_worker(tmp_path):
    with only_worker(tmp_path), pytest.raises(ConflictError, match="Another worker"), only_worker(tmp_path):
        pass
    with only_worker(tmp_path):
        pass
