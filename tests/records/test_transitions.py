from collections.abc import Mapping
from enum import StrEnum

import pytest

from penstock.records.release import RELEASE_TRANSITIONS, ReleaseState
from penstock.records.training import TRAINING_RUN_TRANSITIONS, TrainingRunState
from penstock.records.turn import TURN_TRANSITIONS, TurnState

LIFECYCLES = [
    (ReleaseState, RELEASE_TRANSITIONS, {"refused", "rolled_back"}),
    (TrainingRunState, TRAINING_RUN_TRANSITIONS, {"succeeded", "cancelled"}),
    (TurnState, TURN_TRANSITIONS, {"released", "refused", "rolled_back", "failed"}),
]


@pytest.mark.parametrize(("states", "transitions", "final"), LIFECYCLES)
def test_every_state_says_where_it_can_go_and_final_ones_go_nowhere(
    states: type[StrEnum], transitions: Mapping[StrEnum, frozenset[StrEnum]], final: set[str]
) -> None:
    assert set(transitions) == set(states)
    assert {state for state, targets in transitions.items() if not targets} == final


@pytest.mark.parametrize(("states", "transitions", "final"), LIFECYCLES)
def test_every_state_is_reached_from_the_first_one(
    states: type[StrEnum], transitions: Mapping[StrEnum, frozenset[StrEnum]], final: set[str]
) -> None:
    first = next(iter(transitions))
    reached = {first}
    for _ in states:
        reached |= {target for state in reached for target in transitions[state]}
    assert reached == set(states)
