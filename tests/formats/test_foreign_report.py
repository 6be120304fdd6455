"""What all translators have in common: values, corrections and the names of targets."""

from typing import Any

import pytest

from penstock.errors import BadInputError
from penstock.formats.foreign_report import (
    Report,
    edited_beside,
    final_text,
    flat,
    require_sound,
    run_target,
    say,
    span_target,
    trace_target,
)
from penstock.records.feedback import TargetKind

TRACE = "5b8efff798038103d269b633813fc60c"


def a_report(**fields: Any) -> Report:
    return Report(**{"target_kind": TargetKind.RUN, "target_id": "r", "name": "n", "source": "test", **fields})


@pytest.mark.parametrize(
    ("value", "comment", "number", "text", "metadata"),
    [
        (0.5, None, 0.5, None, {}),
        (3, "why", 3.0, "why", {}),
        (True, None, 1.0, None, {"minimum": "0", "maximum": "1"}),
        (False, "why", 0.0, "why", {"minimum": "0", "maximum": "1"}),
        ("good", None, None, "good", {}),
        ("good", "why", None, "good", {"comment": "why"}),
        (["a", 1], None, None, '["a",1]', {}),
        (None, "why", None, "why", {}),
        (None, "", None, None, {}),
    ],
)
def test_a_value_is_a_number_or_words_and_a_comment_is_never_lost(
    value: Any, comment: str | None, number: float | None, text: str | None, metadata: dict[str, str]
) -> None:
    said = say(value, comment)
    assert (said.value, said.text, said.metadata) == (number, text, metadata)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_beyond_all_numbers_is_refused(value: float) -> None:
    with pytest.raises(BadInputError, match="finite"):
        say(value)


@pytest.mark.parametrize(
    ("correction", "text"),
    [
        ("It is A-1002.", "It is A-1002."),
        ({"output": "It is A-1002."}, "It is A-1002."),
        ({"generation": {"content": "It is A-1002."}}, "It is A-1002."),
        ([{"type": "text", "text": "It is"}, {"type": "text", "text": "A-1002."}], "It is\nA-1002."),
        ({"score": 1, "reason": "x"}, None),
        ({"score": 1}, None),
        ({}, None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_the_text_of_a_correction_is_found_where_there_is_one(correction: Any, text: str | None) -> None:
    assert final_text(correction) == text


def test_a_correction_stands_beside_what_else_is_said_and_alone_where_nothing_is() -> None:
    score, edited = edited_beside(a_report(value=0.0, idempotency_key="k"), "better")
    assert (score.name, score.value, score.text) == ("n", 0.0, None)
    assert (edited.name, edited.value, edited.text, edited.idempotency_key) == ("edited", None, "better", "k:correction")
    assert edited.metadata == {"reported_as": "n"}
    assert [report.name for report in edited_beside(a_report(), "better")] == ["edited"]
    assert edited_beside(a_report(), None) == [a_report()]


def test_targets_are_named_in_one_form() -> None:
    assert trace_target(TRACE.upper()) == (TargetKind.TRACE, TRACE)
    assert trace_target("5b8efff7-9803-8103-d269-b633813fc60c") == (TargetKind.TRACE, TRACE)
    assert span_target("EEE19B7EC3C1B174", TRACE) == (TargetKind.SPAN, f"{TRACE}:eee19b7ec3c1b174")
    assert span_target("eee19b7ec3c1b174") == (TargetKind.SPAN, ":eee19b7ec3c1b174")
    assert run_target("5B8EFFF7-9803-8103-D269-B633813FC60C") == (TargetKind.RUN, "5b8efff7-9803-8103-d269-b633813fc60c")
    assert run_target("chatcmpl-1") == (TargetKind.RUN, "chatcmpl-1")


@pytest.mark.parametrize("wrong", ["", "x", TRACE[:-1], TRACE + "0", "\u0661" * 32])
def test_what_is_no_trace_id_is_told(wrong: str) -> None:
    with pytest.raises(BadInputError, match="32 hexadecimal"):
        trace_target(wrong)


@pytest.mark.parametrize("wrong", ["", "x", TRACE, "eee19b7ec3c1b17"])
def test_what_is_no_span_id_is_told(wrong: str) -> None:
    with pytest.raises(BadInputError, match="16 hexadecimal"):
        span_target(wrong, TRACE)


def test_metadata_is_text_and_nothing_that_was_sent_is_left_out() -> None:
    assert flat({"a": "x", "b": 1, "c": True, "d": None, "e": {"f": [1]}}) == {"a": "x", "b": "1", "c": "true", "e": '{"f":[1]}'}
    assert flat(None) == {}


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"name": ""}, "name has 0"),
        ({"name": "n" * 257}, "name has 257"),
        ({"target_id": ""}, "target's id has 0"),
        ({"target_id": "x" * 1025}, "target's id has 1025"),
        ({"target_key": "x" * 257}, "target's key"),
        ({"idempotency_key": "x" * 1025}, "id has 1025"),
    ],
)
def test_names_beyond_measure_are_refused(fields: dict[str, str], what: str) -> None:
    with pytest.raises(BadInputError, match=what):
        require_sound(a_report(**fields))
    require_sound(a_report())
