"""What each step of a turn does, and refuses to do, on real stores."""

import json
import random

import pytest
from msgspec.structs import replace

from penstock.datasets.freeze import freeze_dataset
from penstock.datasets.spec import DatasetSpec
from penstock.errors import StorageError, TrainingError
from penstock.evaluation.suite_files import own_suite_name, trusted_suite_name
from penstock.records.clock import utc_now
from penstock.records.release import ReleaseState
from penstock.records.turn import TurnState
from penstock.release.canary import Flips
from penstock.training.register import train as train_checkpoint
from penstock.worker.turn import GO_ON
from tests.rows import make_interaction
from tests.worker import wheel


@pytest.fixture
def home(tmp_path):
    with wheel.model_server() as server:
        home = wheel.prepare(tmp_path / "home", server)
        yield home
        home.registry.close()


def run(steps, turn_id):
    """What the workflow does, without a workflow."""
    state = GO_ON
    for step in (
        steps.collect,
        lambda turn_id: steps.freeze(turn_id, steps.moment()),
        steps.train,
        steps.evaluate,
        steps.start_canary,
    ):
        state = step(turn_id)
        if state != GO_ON:
            break
    if state == GO_ON:
        while (verdict := steps.watch(turn_id)) == GO_ON:
            pass
        state = steps.decide(turn_id, verdict)
    steps.end(turn_id, state)
    return steps._registry.turns.get(turn_id)


def stable(home):
    return home.registry.routes.get(wheel.ROUTE).stable_checkpoint_id


def test_a_better_candidate_is_released_and_serves(home):
    wheel.begin_turn(home, "t_1")
    turn = run(wheel.make_steps(home), "t_1")
    release = home.registry.releases.get(turn.release_id)
    assert (turn.state, release.state) == (TurnState.RELEASED, ReleaseState.LIVE)
    assert stable(home) == turn.checkpoint_id
    assert release.p_value < 0.05
    checkpoint = home.registry.checkpoints.get(turn.checkpoint_id)
    assert checkpoint.training_run_id == turn.training_run_id
    assert checkpoint.dataset_version_id == turn.dataset_version_id
    assert home.registry.suites.latest(trusted_suite_name(wheel.ROUTE)) is not None


def test_a_candidate_that_looks_worse_offline_never_meets_users(home):
    before = home.registry.routes.get(wheel.ROUTE)
    wheel.begin_turn(home, "t_1")
    turn = run(wheel.make_steps(home, wheel.BAD), "t_1")
    release = home.registry.releases.get(turn.release_id)
    assert (turn.state, release.state, release.canary_at) == (TurnState.REFUSED, ReleaseState.REFUSED, None)
    assert "earns less than production" in turn.reason
    assert home.registry.routes.get(wheel.ROUTE) == before
    assert home.registry.suites.latest(trusted_suite_name(wheel.ROUTE)) is None


def test_a_candidate_that_disappoints_users_is_rolled_back(home):
    class Disappointing(wheel.WheelSteps):
        replies = {"good": "no", "bad": "yes"}  # noqa: RUF012

    before = stable(home)
    wheel.begin_turn(home, "t_1")
    turn = run(wheel.make_steps(home, steps=Disappointing), "t_1")
    release = home.registry.releases.get(turn.release_id)
    assert (turn.state, release.state) == (TurnState.ROLLED_BACK, ReleaseState.ROLLED_BACK)
    assert release.applied_at >= release.decided_at
    assert stable(home) == before


def test_a_corrupted_window_is_judged_by_the_suite_of_the_turn_released_before(home):
    wheel.begin_turn(home, "t_1")
    run(wheel.make_steps(home), "t_1")
    serving = stable(home)
    upside_down = {key: -value for key, value in wheel.REWARDS.items()}
    wheel.traffic(home, "corrupted", serving, rewards=upside_down)
    wheel.begin_turn(home, "t_2")
    turn = run(wheel.make_steps(home, wheel.BAD), "t_2")
    evaluation = home.registry.evaluations.list(turn.checkpoint_id)[0]
    assert evaluation.suite_id == home.registry.suites.latest(trusted_suite_name(wheel.ROUTE)).suite_id
    assert turn.state == TurnState.REFUSED
    assert home.registry.suites.latest(own_suite_name(wheel.ROUTE, "t_2")) is not None  # frozen, and never asked
    assert stable(home) == serving


def test_the_next_turn_learns_from_what_came_after_the_one_before(home):
    wheel.begin_turn(home, "t_1")
    first = run(wheel.make_steps(home), "t_1")
    wheel.traffic(home, "second day", stable(home), users=50)
    wheel.begin_turn(home, "t_2")
    steps = wheel.make_steps(home)
    assert steps.freeze("t_2", steps.moment()) == GO_ON
    second = home.registry.datasets.get(home.registry.turns.get("t_2").dataset_version_id)
    assert second.train_rows + second.test_rows == (50 + 80) * wheel.QUESTIONS  # its second day and its days as a candidate
    assert second.known_at > home.registry.datasets.get(first.dataset_version_id).known_at


def test_training_that_changed_nothing_is_refused(home):
    class Unchanged(wheel.WheelSteps):
        def train(self, turn_id):
            outcome = super().train(turn_id)
            self._registry.turns.update(turn_id, checkpoint_id=stable(home))
            return outcome

    wheel.begin_turn(home, "t_1")
    turn = run(wheel.make_steps(home, steps=Unchanged), "t_1")
    assert (turn.state, "changed nothing" in turn.reason) == (TurnState.REFUSED, True)
    assert home.registry.evaluations.list() == []


def test_a_rule_that_selects_nothing_is_a_refusal_that_says_so(home):
    wheel.begin_turn(home, "t_1", application="no-such-application")
    turn = run(wheel.make_steps(home), "t_1")
    assert turn.state == TurnState.REFUSED
    assert "selects nothing" in turn.reason


def test_too_few_rows_are_a_refusal(home):
    wheel.begin_turn(home, "t_1", min_rows=1_000_000)
    assert "1000000 are wanted" in run(wheel.make_steps(home), "t_1").reason


def test_a_recipe_that_crashes_fails_the_turn_and_leaves_the_route(home):
    def crash(*_, **__):
        raise TrainingError("The recipe policy_gradient ended with exit code 1.")

    before = home.registry.routes.get(wheel.ROUTE)
    wheel.begin_turn(home, "t_1")
    turn = run(wheel.make_steps(home, train=crash), "t_1")
    assert (turn.state, turn.reason) == (
        TurnState.FAILED,
        "train: TrainingError: The recipe policy_gradient ended with exit code 1.",
    )
    assert home.registry.routes.get(wheel.ROUTE) == before


def test_of_an_error_that_is_not_ours_only_the_kind_is_kept(home):
    def crash(*_, **__):
        raise ValueError("what a user wrote")

    wheel.begin_turn(home, "t_1")
    turn = run(wheel.make_steps(home, train=crash), "t_1")
    assert turn.reason == "train: ValueError, see the worker's log"


def test_storage_that_comes_back_does_not_fail_the_turn(home):
    trainings = iter([StorageError("disk full"), StorageError("disk full"), None])
    train = wheel.copying_recipe(home, wheel.GOOD)

    def flaky(*stores, **asked):
        if error := next(trainings):
            raise error
        return train(*stores, **asked)

    wheel.begin_turn(home, "t_1")
    steps = wheel.make_steps(home, train=flaky, retry_pauses_s=(0.0, 0.0, 0.0))
    assert steps.freeze("t_1", steps.moment()) == GO_ON
    assert steps.train("t_1") == GO_ON


def test_a_person_may_roll_back_while_the_turn_watches(home):
    class Impatient(wheel.WheelSteps):
        def watch(self, turn_id):
            release_id = self._registry.turns.get(turn_id).release_id
            Flips(self._registry, self._settings.release).roll_back(release_id, "a person asked")
            return super().watch(turn_id)

    wheel.begin_turn(home, "t_1")
    turn = run(wheel.make_steps(home, steps=Impatient), "t_1")
    assert (turn.state, turn.reason) == (TurnState.ROLLED_BACK, "a person asked")


def test_a_failure_while_watching_takes_the_candidate_out(home):
    class Blind(wheel.WheelSteps):
        def _look(self, release, rule):
            raise RuntimeError

    before = stable(home)
    wheel.begin_turn(home, "t_1")
    turn = run(wheel.make_steps(home, steps=Blind), "t_1")
    assert turn.state == TurnState.FAILED
    assert home.registry.releases.get(turn.release_id).state == ReleaseState.ROLLED_BACK
    assert (stable(home), home.registry.routes.get(wheel.ROUTE).candidate_checkpoint_id) == (before, None)


def test_a_lake_that_is_away_for_a_moment_is_no_verdict(home):
    class Outage(wheel.WheelSteps):
        looks = 0

        def _look(self, release, rule):
            self.looks += 1
            if self.looks == 1:
                raise StorageError("away")
            return super()._look(release, rule)

    wheel.begin_turn(home, "t_1")
    assert run(wheel.make_steps(home, steps=Outage), "t_1").state == TurnState.RELEASED


def test_steps_of_a_turn_that_is_over_do_nothing(home):
    wheel.begin_turn(home, "t_1")
    home.registry.turns.transition("t_1", TurnState.FAILED)
    steps = wheel.make_steps(home)
    assert steps.freeze("t_1", steps.moment()) == TurnState.FAILED
    assert home.registry.datasets.list() == []


def classify(home, name, *, cards=400, **fields):
    """Cards of which one in four is bad; those of each of two patterns can be told by one feature."""
    interactions, labels = [], []
    draw, now = random.Random(name), utc_now()
    for number in range(cards):
        bad, pattern = number % 4 == 0, draw.choice(fields.get("patterns", ("fast", "far")))
        features = {"fast": draw.random() / 2, "far": draw.random() / 2}
        if bad:
            features[pattern] += 0.6
        row = make_interaction(
            sum(name.encode()) * 100_000 + number,
            user_id=f"card-{name}-{number}",
            prompt_text=json.dumps(features),
            response_text="0.5",
            content_present=True,
        )
        interactions.append(replace(row, started_at=now, ended_at=now, known_at=now))
        labels.append(replace(wheel.reward_label(row.interaction_id, float(bad), now), dimension="fraud", schema="cards"))
    lake = home.open_lake()
    lake.append("interactions", interactions)
    lake.append("labels", labels)


def test_a_classifier_is_trained_proved_on_the_very_rows_and_released_without_a_canary(home):
    settings = {"recipe": "classifier", "kind": "tabular", "schema": "cards", "dimension": "fraud", "canary": False}
    plan = {**settings, "only_stable": False, "false_positive_rate": 0.05, "recipe_config": {"rounds": 20, "least_rows": 5}}
    steps = wheel.make_steps(home, train=train_checkpoint)
    classify(home, "first", patterns=("fast",))
    (dataset,) = [
        freeze_dataset(home.open_lake(), home.registry, home.artifacts, spec, home.clock.known_at())
        for spec in [DatasetSpec(name="cards", kind="tabular", schema="cards", dimension="fraud")]
    ]
    first = train_checkpoint(
        home.registry,
        home.settings,
        home.artifacts,
        run_id="run_1",
        recipe="classifier",
        dataset=dataset,
        parent=None,
        overrides={"rounds": 20, "least_rows": 5},
    )
    home.registry.routes.set_stable(wheel.ROUTE, first.checkpoint_id, utc_now())
    classify(home, "second", cards=800)
    wheel.begin_turn(home, "t_1", **plan)
    released = run(steps, "t_1")
    assert (released.state, stable(home)) == (TurnState.RELEASED, released.checkpoint_id)
    assert home.registry.suites.latest(trusted_suite_name(wheel.ROUTE)).kind == "detection"
    classify(home, "third", cards=200)
    wheel.begin_turn(home, "t_2", **plan, since=first.created_at)
    refused = run(steps, "t_2")
    assert (refused.state, stable(home)) == (TurnState.REFUSED, released.checkpoint_id)
    examined = [one.suite_id for one in home.registry.evaluations.list(refused.checkpoint_id)]
    assert len(examined) == 2
    assert "not shown to be better" in refused.reason or "fewer positives" in refused.reason
