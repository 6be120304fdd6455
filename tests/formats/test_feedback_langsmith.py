"""LangSmith's feedback."""

from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.errors import BadInputError
from penstock.formats.feedback_langsmith import LANGSMITH_FEEDBACK, translate_feedback
from penstock.formats.foreign_report import Received

RUN = "01a20d69-dab4-7a29-a94a-9c13486ba094"
# As langsmith 0.15.0 sends it.
SENT = {
    "id": "01a20d69-dafa-74b5-a646-4546407c4511",
    "created_at": "2026-11-24T11:56:10.874803+00:00",
    "modified_at": "2026-11-24T11:56:10.874805+00:00",
    "run_id": RUN,
    "trace_id": RUN,
    "key": "user_score",
    "score": 1,
    "comment": "good",
    "correction": {"output": "better"},
    "feedback_source": {"type": "api", "metadata": {"by": "kim"}},
    "extend_trace_retention": True,
}


def test_a_score_with_a_comment_and_a_correction_is_two_reports() -> None:
    score, edited = translate_feedback(SENT)
    assert (score.target_kind, score.target_id, score.name, score.value, score.text) == ("run", RUN, "user_score", 1.0, "good")
    assert score.occurred_at == datetime(2026, 11, 24, 11, 56, 10, 874803, UTC)
    assert score.metadata == {"by": "kim", "annotator_kind": "api", "correction": '{"output":"better"}'}
    assert (edited.name, edited.text, edited.value) == ("edited", "better", None)
    assert edited.idempotency_key == f"{score.idempotency_key}:correction"


@pytest.mark.parametrize(
    ("fields", "value", "text"),
    [
        ({"score": True}, 1.0, None),
        ({"score": 0.25, "value": "meh"}, 0.25, None),
        ({"value": "meh"}, None, "meh"),
        ({"value": {"a": 1}}, None, '{"a":1}'),
        ({"comment": "only this"}, None, "only this"),
        ({}, None, None),
    ],
)
def test_a_score_comes_before_a_value(fields: dict[str, Any], value: float | None, text: str | None) -> None:
    (report,) = translate_feedback({"key": "k", "trace_id": RUN, **fields})
    assert (report.value, report.text) == (value, text)
    if len(fields) == 2:
        assert report.metadata["value"] == "meh"


def test_the_bounds_of_a_score_are_kept() -> None:
    given = {"key": "k", "run_id": RUN, "score": 3, "feedback_config": {"type": "continuous", "min": 1, "max": 5}}
    (report,) = translate_feedback(given)
    assert (report.metadata["minimum"], report.metadata["maximum"]) == ("1", "5")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"run_id": RUN}, "key"),
        ({"key": "k"}, "run_id or trace_id"),
        ({"key": "k", "session_id": RUN}, "whole project"),
        ({"key": "k", "run_id": RUN, "score": "high"}, "score"),
        ({"key": "k", "run_id": 7}, "run_id"),
        ({"key": "k", "run_id": RUN, "created_at": "yesterday"}, "yesterday"),
    ],
)
def test_bad_feedback_is_told(given: Any, reason: str) -> None:
    with pytest.raises(BadInputError, match=reason):
        translate_feedback(given)


def test_the_answer_is_the_feedback_with_its_id() -> None:
    received = Received(content={"key": "k"}, accepted={0: ["f_1"]}, rejected={})
    assert LANGSMITH_FEEDBACK.answer(received) == (200, {"id": "f_1", "key": "k"})
    assert LANGSMITH_FEEDBACK.answer(Received(content={}, accepted={}, rejected={0: "no key"}))[0] == 422
