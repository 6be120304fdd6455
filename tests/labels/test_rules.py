"""Answering from evidence."""

import pytest

from penstock.labels.rules import Answer, Evidence, answer_kept, answer_reward
from penstock.settings import RewardSettings
from tests.rows import make_interaction, make_signal

REWARD = RewardSettings()


def evidence(*, moved_on: bool = False, **values: float) -> Evidence:
    signals = {
        name.replace("_", "."): make_signal(name.replace("_", "."), make_interaction(0), value) for name, value in values.items()
    }
    return Evidence(signals=signals, moved_on=moved_on)


def value(answer: Answer | None) -> float | None:
    return None if answer is None else answer.value


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (evidence(copy=1), 1.0),
        (evidence(acceptance=1), 1.0),
        (evidence(acceptance=0.5), 1.0),
        (evidence(acceptance=0), 0.0),
        (evidence(acceptance=0, copy=1), 1.0),
        (evidence(retry=0.9), 0.0),
        (evidence(retry=0.9, copy=1), 1.0),
        (evidence(retry=0.2), None),
        (evidence(moved_on=True), 0.0),
        (evidence(moved_on=True, copy=1), 1.0),
        (evidence(rating=1), None),
        (evidence(), None),
    ],
)
def test_kept_follows_from_what_the_user_did_and_no_evidence_is_no_answer(given: Evidence, kept: float | None) -> None:
    assert value(answer_kept(given, REWARD)) == kept


@pytest.mark.parametrize(
    ("given", "reward"),
    [
        (evidence(acceptance=1), 0.75),
        (evidence(acceptance=0), -0.25),
        (evidence(acceptance=0.5), 0.25),
        (evidence(silent=1), 0.0),
        (evidence(acceptance=1, outcome_tests=1), 0.75),
        (evidence(acceptance=1, outcome_tests=0), -0.25),
        (evidence(outcome_tests=0), None),
        (evidence(copy=1), None),
        (evidence(), None),
    ],
)
def test_reward_follows_from_a_suggestions_fate_and_its_tests(given: Evidence, reward: float | None) -> None:
    assert value(answer_reward(given, REWARD)) == reward


def test_an_answer_names_the_signals_that_it_rests_on() -> None:
    answer = answer_reward(evidence(acceptance=1, outcome_tests=0, copy=1), REWARD)
    assert answer is not None
    assert [signal.name for signal in answer.signals] == ["acceptance", "outcome.tests"]
