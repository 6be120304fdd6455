"""The labels of next messages: of programmers that cues were not written on, each with its probability."""

import pytest
from benchmarks.signal_accuracy.realhumaneval_feedback import labelled_of, labels

from penstock.signals.feedback_cues import Code
from tests.docs.test_signals_measured import DATA


def test_every_label_is_a_code_or_nothing_and_has_its_probability() -> None:
    lines = list(labels())
    assert {line["code"] for line in lines} <= {"", *Code}
    used = [line for line in lines if line["use"] == "figures"]
    assert len(used) >= 60 and {line["use"] for line in lines} == {"figures", "tuning"}
    assert all(0 < float(line["inclusion_probability"]) <= 1 for line in used)


@pytest.mark.skipif(not (DATA / "realhumaneval").exists(), reason="the shared data sets are not on this machine")
def test_no_label_is_of_a_programmer_on_whom_cues_were_written() -> None:
    assert {int(pair.programmer) % 2 for pair in labelled_of(DATA)} == {1}
