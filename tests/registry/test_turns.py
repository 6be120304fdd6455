import pytest

from penstock.errors import ConflictError, NotFoundError
from penstock.registry.registry import Registry
from tests.registry.examples import NOON, a_dataset, a_turn


def test_turns_are_numbered_per_route(registry: Registry) -> None:
    numbers = [
        registry.turns.create(a_turn(f"t_{route}{count}", route=route)).number for count in range(3) for route in ("code", "chat")
    ]
    assert numbers == [1, 1, 2, 2, 3, 3]
    assert [turn.turn_id for turn in registry.turns.list("code")] == ["t_code0", "t_code1", "t_code2"]
    latest = registry.turns.latest("code")
    assert latest is not None
    assert latest.turn_id == "t_code2"
    assert registry.turns.latest("other") is None


def test_a_turn_created_again_keeps_its_number_and_uses_up_none(registry: Registry) -> None:
    first = registry.turns.create(a_turn("t_1"))
    registry.turns.update("t_1", step="training")
    assert registry.turns.create(a_turn("t_1")) == registry.turns.get("t_1")
    assert registry.turns.create(a_turn("t_2")).number == first.number + 1


def test_a_turn_created_again_with_another_plan_is_refused_and_uses_up_no_number(registry: Registry) -> None:
    registry.turns.create(a_turn("t_1"))
    with pytest.raises(ConflictError, match="another config"):
        registry.turns.create(a_turn("t_1", config='{"seed": 2}'))
    assert registry.turns.create(a_turn("t_2")).number == 2


def test_a_turn_fills_in_ids_as_it_reaches_them(registry: Registry) -> None:
    registry.turns.create(a_turn())
    registry.datasets.put(a_dataset())
    registry.turns.update("t_1", step="training", dataset_version_id="d_1")
    ended = registry.turns.transition("t_1", "refused", reason="worse", ended_at=NOON)
    assert registry.turns.get("t_1") == ended
    assert (ended.state, ended.step, ended.dataset_version_id, ended.reason) == ("refused", "training", "d_1", "worse")


def test_a_finished_turn_stays_finished(registry: Registry) -> None:
    registry.turns.create(a_turn())
    registry.turns.transition("t_1", "failed")
    with pytest.raises(ConflictError, match="is failed and cannot become released"):
        registry.turns.transition("t_1", "released")


def test_a_state_changes_by_transition_only(registry: Registry) -> None:
    registry.turns.create(a_turn())
    with pytest.raises(ConflictError, match="state of turn 't_1' cannot be set"):
        registry.turns.update("t_1", state="released")


def test_an_unknown_turn_is_not_found(registry: Registry) -> None:
    for do in (registry.turns.get, registry.turns.update):
        with pytest.raises(NotFoundError, match="no turn 't_none'"):
            do("t_none")
