"""TensorZero's feedback."""

import uuid
from typing import Any

import pytest

from penstock.errors import BadInputError
from penstock.formats.feedback_tensorzero import TENSORZERO_FEEDBACK, translate_feedback
from penstock.formats.foreign_report import Received
from tests.formats.recorded import recorded

INFERENCE = "01a20d69-dab4-7a29-a94a-9c13486ba094"


def test_metrics_comments_and_demonstrations_are_read_whole() -> None:
    metric, rating, comment, demonstration = (translate_feedback(item)[0] for item in recorded("tensorzero"))
    assert (metric.target_kind, metric.target_id, metric.name, metric.value) == ("run", INFERENCE, "task_success", 1.0)
    assert metric.metadata == {"user_segment": "pro", "minimum": "0", "maximum": "1"}
    assert (rating.target_kind, rating.target_id, rating.value) == ("session", "01a20d69-dac3-7a87-8b49-a528b3d736b1", 0.5)
    assert (comment.name, comment.text, comment.value) == ("comment", "too long", None)
    assert (demonstration.name, demonstration.text) == ("edited", "The refund is for A-1002.")


def test_a_demonstration_of_a_json_function_is_its_object() -> None:
    (report,) = translate_feedback({"metric_name": "demonstration", "inference_id": "i", "value": {"a": 1, "b": 2}})
    assert report.text == '{"a":1,"b":2}'


def test_a_dry_run_is_read_but_not_to_be_kept() -> None:
    (report,) = translate_feedback({"metric_name": "m", "inference_id": "i", "value": 1, "dryrun": True})
    assert report.is_rehearsal


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"inference_id": "i", "value": 1}, "metric_name"),
        ({"metric_name": "m", "inference_id": "i"}, "value"),
        ({"metric_name": "m", "value": 1}, "Exactly one"),
        ({"metric_name": "m", "value": 1, "inference_id": "i", "episode_id": "e"}, "Exactly one"),
        ({"metric_name": "m", "value": "high", "inference_id": "i"}, "number or a boolean"),
        ({"metric_name": "m", "value": None, "inference_id": "i"}, "number or a boolean"),
        ({"metric_name": "comment", "value": 1, "inference_id": "i"}, "string"),
        ({"metric_name": "demonstration", "value": 1, "inference_id": "i"}, "right output"),
        ({"metric_name": "demonstration", "value": "x", "episode_id": "e"}, "inference_id"),
        ({"metric_name": "m", "value": 1, "inference_id": "i", "tags": {"a": 1}}, "tags"),
    ],
)
def test_bad_feedback_is_told(given: Any, reason: str) -> None:
    with pytest.raises(BadInputError, match=reason):
        translate_feedback(given)


def test_the_answer_is_an_id_that_its_client_can_read() -> None:
    status, answer = TENSORZERO_FEEDBACK.answer(Received(content={}, accepted={0: ["f_" + "a" * 32]}, rejected={}))
    assert status == 200 and uuid.UUID(answer["feedback_id"]).hex == "a" * 32
    assert TENSORZERO_FEEDBACK.answer(Received(content={}, accepted={}, rejected={0: "x"})) == (400, {"error": "feedback: x"})
