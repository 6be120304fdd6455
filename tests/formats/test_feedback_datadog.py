"""Datadog's evaluations."""

from typing import Any

import pytest

from penstock.errors import BadInputError
from penstock.formats.feedback_datadog import DATADOG_METRICS, translate_metric
from penstock.formats.foreign_report import Received
from tests.formats.recorded import recorded

SPAN = {"span": {"span_id": "8342f436cd1b57bb", "trace_id": "a" * 32}}


def test_evaluations_are_read_whole_and_decimal_ids_turned_over() -> None:
    score, mood = (translate_metric(item)[0] for item in DATADOG_METRICS.items(recorded("datadog"), {}))
    assert (score.target_kind, score.target_id) == ("span", "61469217070ea5e3b224b5cce64ffe20:8342f436cd1b57bb")
    assert (score.name, score.value) == ("accuracy", 0.75)
    assert score.metadata == {"ml_app": "shop", "tags": "source:otel,env:prod"}
    assert (mood.target_kind, mood.target_key, mood.target_id, mood.text) == ("key", "ticket_id", "T-9", "good")


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        ({"label": "n", "score_value": 1}, "join_on"),
        ({"label": "n", "score_value": 1, "join_on": {}}, "span or a tag"),
        ({"label": "n", "score_value": 1, "join_on": {**SPAN, "tag": {"key": "k", "value": "v"}}}, "span or a tag"),
        ({"label": "n", "join_on": SPAN}, "one of score_value"),
        ({"label": "n", "join_on": SPAN, "score_value": 1, "boolean_value": True}, "one of score_value"),
        ({"join_on": SPAN, "score_value": 1}, "label"),
        ({"label": "n", "join_on": {"span": {"span_id": "9" * 60, "trace_id": "1"}}, "score_value": 1}, "16 hexadecimal"),
    ],
)
def test_a_bad_evaluation_is_told(metric: Any, reason: str) -> None:
    with pytest.raises(BadInputError, match=reason):
        translate_metric(metric)


def test_the_answer_has_the_metrics_with_their_ids() -> None:
    content = {"data": {"attributes": {"metrics": [{"label": "n"}]}}}
    status, answer = DATADOG_METRICS.answer(Received(content=content, accepted={0: ["f_1"]}, rejected={}))
    assert (status, answer["data"]["attributes"]["metrics"]) == (202, [{"label": "n", "id": "f_1"}])
    status, answer = DATADOG_METRICS.answer(Received(content=content, accepted={}, rejected={0: "no"}))
    assert (status, answer["errors"][0]["detail"]) == (400, "metrics[0]: no")
