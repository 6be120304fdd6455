"""The demo's script, as far as it can be told without running it; tests/loop/test_demo.py runs it."""

from pathlib import Path

import pytest

from penstock.demo.narration import Narration
from penstock.demo.scenario import ACTS, turn_plan
from penstock.demo.script import Demo, Steps
from penstock.errors import ConflictError
from penstock.worker.turn_plan import parse_plan


def test_a_turns_lines_say_which_step_it_has_reached() -> None:
    steps = Steps()
    for line in ("turn 1 of tab: freeze", "turn 1 of tab: train"):
        steps.note(line)
    assert not steps.trained.is_set()
    steps.note("turn 1 of tab: evaluate")
    assert steps.trained.is_set()
    assert not steps.meets_users.is_set()
    steps.note("turn 1 of tab: start_canary")
    assert steps.meets_users.is_set()
    assert steps.seconds("freeze", "train") is not None
    assert steps.seconds("watch", "decide") is None


def test_every_act_asks_for_a_turn_that_penstock_takes() -> None:
    for act in ACTS:
        plan = parse_plan({"route": "tab", **turn_plan(act, "2026-01-01T00:00:00+00:00", "d_1", "rev", 3)})
        assert plan.recipe_config["kl_weight"] == act.recipe.get("kl_weight", 0.02)
        assert plan.seed == 3


@pytest.mark.parametrize("is_file", [True, False])
def test_a_home_that_is_in_use_is_left_alone(tmp_path: Path, is_file: bool) -> None:
    home = tmp_path / "home"
    if is_file:
        home.write_text("mine")
    else:
        home.mkdir()
        (home / "registry.db").touch()
    with pytest.raises(ConflictError, match="--home"):
        Demo(home, 0, Narration())
