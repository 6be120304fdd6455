"""The signal `feedback` over a real lake, and what is never made of it."""

import pickle

import pyarrow as pa
import pytest

from penstock.labels.rules import SIGNALS
from penstock.labels.run import run_labels
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.signal import Signal
from penstock.registry.registry import Registry
from penstock.settings import RewardSettings
from penstock.signals.natural_feedback import FEEDBACK, values_of
from penstock.signals.run import run_signals
from tests.signals.test_next_turn import asks


def feedback(lake: Lake) -> list[Signal]:
    signals = lake.current("signals")
    return lake.to_records("signals", signals.filter(signals.name == "feedback").order_by("occurred_at"))


def test_what_the_next_message_says_is_a_signal_of_the_answer(lake: Lake, clock: WriterClock) -> None:
    first, second, third = asks(0, 0, "sort a list"), asks(1, 600, "that is wrong"), asks(2, 700, "thanks!")
    lake.append("interactions", [first, second, third])
    run_signals(lake, clock)
    complaint, praise = feedback(lake)
    assert (complaint.interaction_id, complaint.session_id) == (first.interaction_id, "c")
    assert (complaint.value, complaint.occurred_at, complaint.kind) == (-1.0, second.started_at, "implicit")
    assert complaint.evidence == {
        "code": "UR3", "cue": "wrong", "certainty": "sure", "next_interaction_id": second.interaction_id,
    }  # fmt: skip
    assert (praise.interaction_id, praise.value, praise.evidence["code"]) == (second.interaction_id, 1.0, "UR5")


def test_a_message_that_comes_late_between_two_amends_what_was_said(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [asks(0, 0, "sort a list"), asks(1, 100, "that is wrong")])
    run_signals(lake, clock)
    lake.append("interactions", [asks(2, 50, "thanks!")])
    run_signals(lake, clock)
    about_first, about_late = sorted(feedback(lake), key=lambda row: -row.revision)
    assert (about_first.revision, about_first.value) == (1, 1.0)
    assert (about_late.interaction_id, about_late.value) == (asks(2, 50).interaction_id, -1.0)


def test_what_next_messages_do_not_speak_of_has_no_signal(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [asks(0, 0, "sort a list"), asks(1, 10, "book a table"), asks(2, 20, None)])
    assert run_signals(lake, clock, definitions={"feedback": FEEDBACK}) == {}


@pytest.mark.parametrize(
    ("code", "is_sure", "value"),
    [
        ("UR1", True, -0.5),
        ("UR2", True, -1.0),
        ("UR3", False, -0.5),
        ("UR4", True, -0.2),
        ("UR5", False, 0.5),
        (None, None, None),
    ],
)
def test_complaints_are_bad_questions_nearly_neutral_and_unsure_ones_count_half(code, is_sure, value) -> None:
    assert values_of(pa.array([code], pa.string()), pa.array([is_sure], pa.bool_())).to_pylist() == [value]


def test_the_definition_can_be_sent_to_a_cluster() -> None:
    assert pickle.loads(pickle.dumps(FEEDBACK)) == FEEDBACK


def test_praise_is_recorded_and_labels_nothing(lake: Lake, registry: Registry, clock: WriterClock) -> None:
    lake.append("interactions", [asks(0, 0, "sort a list"), asks(1, 600, "thank you, that was perfect")])
    run_signals(lake, clock)
    assert [row.value for row in feedback(lake)] == [1.0]
    assert run_labels(lake, registry, RewardSettings(), clock).labels == 0
    assert "feedback" not in SIGNALS
