"""Langfuse's scores."""

from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.errors import BadInputError
from penstock.formats.feedback_langfuse import LANGFUSE_EVENTS, LANGFUSE_SCORES, translate_event, translate_score
from penstock.formats.foreign_report import Received
from tests.formats.recorded import recorded

TRACE, SPAN = "7ece4a62079f9fef254c2bb195a3f18a", "006ce32728077222"


def test_the_scores_that_the_sdk_sends_are_read_whole() -> None:
    thumb, correction, csat = (translate_score(item)[0] for item in LANGFUSE_SCORES.items(recorded("langfuse_scores"), {}))
    assert (thumb.target_kind, thumb.target_id, thumb.name) == ("span", f"{TRACE}:{SPAN}", "user-feedback")
    assert (thumb.value, thumb.text) == (0.0, "wrong order")
    assert thumb.metadata == {"environment": "production", "minimum": "0", "maximum": "1"}
    assert thumb.occurred_at == datetime(2026, 11, 23, 6, 43, 59, 268543, UTC)
    assert thumb.idempotency_key == "langfuse:1ec9a041e2caa91d"
    assert (correction.target_kind, correction.target_id) == ("trace", TRACE)
    assert (correction.name, correction.value, correction.text) == ("edited", None, "The refund is for A-1002")
    assert correction.metadata["reported_as"] == "correction"
    assert (csat.target_kind, csat.target_id, csat.value) == ("session", "sess-42", 0.5)


@pytest.mark.parametrize(
    ("score", "reason"),
    [
        ({"value": 1, "traceId": TRACE}, "name"),
        ({"name": "n", "traceId": TRACE}, "value"),
        ({"name": "n", "value": [], "traceId": TRACE}, "value"),
        ({"name": "n", "value": 1}, "traceId"),
        ({"name": "n", "value": 1, "datasetRunId": "d"}, "traceId"),
        ({"name": "n", "value": 1, "observationId": SPAN}, "needs its traceId"),
        ({"name": "n", "value": 1, "traceId": "my-trace"}, "32 hexadecimal"),
        ({"name": "n", "value": 1, "traceId": TRACE, "dataType": "STARS"}, "dataType"),
        ({"name": "n", "value": "x", "traceId": TRACE, "dataType": "NUMERIC"}, "a number"),
        ({"name": "n", "value": 1, "traceId": TRACE, "dataType": "CATEGORICAL"}, "words"),
        ({"name": "n", "value": 2, "traceId": TRACE, "dataType": "BOOLEAN"}, "0 or 1"),
        ({"name": "n", "value": 1, "traceId": TRACE, "timestamp": "yesterday"}, "yesterday"),
        (7, "object"),
    ],
)
def test_a_bad_score_is_told(score: Any, reason: str) -> None:
    with pytest.raises(BadInputError, match=reason):
        translate_score(score)


def test_metadata_of_any_shape_is_kept() -> None:
    score = {"name": "n", "value": True, "traceId": TRACE, "metadata": {"a": 1}, "unknown": "field"}
    assert translate_score(score)[0].metadata["a"] == "1"
    assert translate_score({**score, "metadata": "m"})[0].metadata["metadata"] == "m"


def test_score_events_of_older_clients_are_scores_and_other_events_are_told_where_to_go() -> None:
    event = {
        "id": "e",
        "timestamp": "2026-01-01T00:00:00Z",
        "type": "score-create",
        "body": {"name": "n", "value": 1, "traceId": TRACE},
    }
    report = translate_event(event)[0]
    assert (report.name, report.occurred_at) == ("n", datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(BadInputError, match=r"trace-create.*OTLP"):
        translate_event({**event, "type": "trace-create"})


def test_answers_are_those_of_langfuse() -> None:
    one, many = {"id": "s"}, [{"id": "s"}, {}]
    assert LANGFUSE_SCORES.answer(Received(content=one, accepted={0: ["f_1"]}, rejected={})) == (200, {"id": "s"})
    assert LANGFUSE_SCORES.answer(Received(content={}, accepted={0: ["f_1"]}, rejected={})) == (200, {"id": "f_1"})
    assert LANGFUSE_SCORES.answer(Received(content=many, accepted={0: ["f"], 1: ["g"]}, rejected={})) == (
        202,
        {"message": "Accepted"},
    )
    status, answer = LANGFUSE_SCORES.answer(Received(content=many, accepted={0: ["f"]}, rejected={1: "no name"}))
    assert (status, answer) == (207, {"accepted": 1, "rejected": 1, "errors": [{"message": "scores[1]: no name"}]})
    status, answer = LANGFUSE_SCORES.answer(Received(content=one, accepted={}, rejected={0: "no name"}))
    assert (status, answer["message"]) == (400, "scores[0]: no name")
    batch = {"batch": [{"id": "a"}, {"id": "b"}, 7]}
    status, answer = LANGFUSE_EVENTS.answer(Received(content=batch, accepted={0: ["f"]}, rejected={1: "x", 2: "y"}))
    assert (status, answer["successes"]) == (207, [{"id": "a", "status": 201}])
    assert [(error["id"], error["status"]) for error in answer["errors"]] == [("b", 400), ("", 400)]
