"""What is MLflow's own: ids in three spellings, spans of older versions, assessments and expectations."""

import json
from typing import Any

import pytest

from penstock.replay.mlflow import translate
from tests.replay.exported_rows import EXPORTS

TRACE: dict[str, Any] = json.loads((EXPORTS / "mlflow_trace.json").read_text())
NS = 1_772_359_200_000_000_000


def span(**changes: Any) -> dict[str, Any]:
    attributes = {"mlflow.spanType": '"LLM"', "mlflow.spanInputs": '"Hi"', "mlflow.spanOutputs": '"Ho"'}
    return {"name": "call", "attributes": attributes, **changes}


def test_ids_are_the_same_in_every_version() -> None:
    newest = span(trace_id="X+5cmpWVwr3vfa+pK9XdDw==", span_id="dnYNXKvGAyg=", parent_span_id=None, start_time_unix_nano=NS)
    older = span(
        context={"trace_id": "0x5fee5c9a9595c2bdef7dafa92bd5dd0f", "span_id": "0x76760d5cabc60328"}, parent_id=None, start_time=NS
    )
    traces = [
        {"trace_id": "tr-5fee5c9a9595c2bdef7dafa92bd5dd0f", "spans": [newest]},
        {"info": {"request_id": "tr-5fee5c9a9595c2bdef7dafa92bd5dd0f"}, "data": {"spans": [older]}},
    ]
    ids = {(found.trace, found.span) for trace in traces for found in translate(trace).spans}
    assert ids == {("5fee5c9a9595c2bdef7dafa92bd5dd0f", "76760d5cabc60328")}


def test_a_span_by_itself_is_a_span() -> None:
    (found,) = translate(span(trace_id="X+5cmpWVwr3vfa+pK9XdDw==", span_id="dnYNXKvGAyg=", start_time_unix_nano=NS)).spans
    assert (found.kind, found.trace) == ("inference", "5fee5c9a9595c2bdef7dafa92bd5dd0f")
    assert found.fields["output"] == [{"role": "assistant", "parts": [{"type": "text", "content": "Ho"}]}]


def test_a_failed_span_says_so() -> None:
    row = span(
        trace_id="a" * 32, span_id="b" * 16, start_time_unix_nano=NS, status={"code": "STATUS_CODE_ERROR", "message": "no"}
    )
    (found,) = translate(row).spans
    assert (found.fields["error_type"], found.note) == ("error", "no")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"feedback": {"value": True}}, ("helpful", 1.0, "because")),
        ({"feedback": {"value": 0.5}}, ("helpful", 0.5, "because")),
        ({"feedback": {"value": "polite"}}, ("helpful", None, "polite")),
        ({"expectation": {"value": "Hold it."}}, ("expectation.helpful", None, "Hold it.")),
        ({"expectation": {"serialized_value": {"value": '{"a": 1}'}}}, ("expectation.helpful", None, '{"a": 1}')),
    ],
)
def test_an_assessment_is_feedback_and_an_expectation_is_text(said: dict[str, Any], expected: tuple[Any, ...]) -> None:
    trace = json.loads(json.dumps(TRACE))
    trace["info"]["assessments"] = [{"assessment_id": "a-1", "assessment_name": "helpful", "rationale": "because", **said}]
    (report,) = translate(trace).reports
    assert (report.name, report.value, report.text) == expected


def test_an_assessment_that_failed_is_none() -> None:
    trace = json.loads(json.dumps(TRACE))
    trace["info"]["assessments"] = [{"assessment_name": "helpful", "feedback": {"error": {"error_code": "TIMEOUT"}}}]
    assert translate(trace).reports == []


def test_a_trace_without_spans_is_passed_over_with_what_to_do() -> None:
    assert "include_spans" in (translate({"trace_id": "tr-1", "spans": []}).passed_over or "")
