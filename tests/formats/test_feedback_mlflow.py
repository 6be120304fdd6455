"""MLflow's assessments."""

from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.errors import BadInputError
from penstock.formats.feedback_mlflow import MLFLOW_ASSESSMENT
from penstock.formats.foreign_report import Received, Report
from tests.formats.recorded import recorded

TRACE, SPAN = "61469217070ea5e3b224b5cce64ffe20", "8342f436cd1b57bb"


def read(content: Any, trace_id: str = f"tr-{TRACE}") -> list[Report]:
    return [
        report
        for item in MLFLOW_ASSESSMENT.items(content, {"trace_id": trace_id})
        for report in MLFLOW_ASSESSMENT.translate(item)
    ]


def assessment(**fields: Any) -> Any:
    return {"assessment": {"assessment_name": "n", "source": {"source_type": "HUMAN"}, **fields}}


def test_feedback_is_read_whole() -> None:
    (report,) = read(recorded("mlflow_feedback"))
    assert (report.target_kind, report.target_id, report.name) == ("span", f"{TRACE}:{SPAN}", "helpful")
    assert (report.value, report.text) == (1.0, "It names the order.")
    assert report.occurred_at == datetime(2026, 11, 23, 6, 43, 59, 268000, UTC)
    assert report.metadata == {
        "run": "7",
        "annotator_kind": "LLM_JUDGE",
        "annotator": "judge-3",
        "assessment": "feedback",
        "minimum": "0",
        "maximum": "1",
    }


def test_an_expected_response_is_the_corrected_answer() -> None:
    (report,) = read(recorded("mlflow_expectation"))
    assert (report.target_kind, report.target_id) == ("trace", TRACE)
    assert (report.name, report.text, report.value) == ("edited", "The refund is for A-1002.", None)
    assert report.metadata["annotator"] == "kim"


def test_any_other_expectation_stays_under_its_name() -> None:
    (report,) = read(assessment(assessment_name="expected_facts", expectation={"value": ["a", "b"]}))
    assert (report.name, report.text) == ("expected_facts", '["a","b"]')
    serialized = {"serialization_format": "JSON_FORMAT", "value": '{"a": 1}'}
    (report,) = read(assessment(expectation={"serialized_value": serialized}))
    assert report.text == '{"a":1}'


@pytest.mark.parametrize("trace_id", [TRACE, f"tr-{TRACE}", f"trace:/catalog.schema/{TRACE}"])
def test_a_trace_is_named_in_every_form_that_mlflow_has(trace_id: str) -> None:
    (report,) = read(assessment(feedback={"value": 0.5}), trace_id)
    assert (report.target_id, report.value) == (TRACE, 0.5)


def test_feedback_that_could_not_be_given_keeps_the_error() -> None:
    (report,) = read(assessment(feedback={"error": {"error_code": "RATE_LIMIT"}}, valid=False))
    assert report.value is None
    assert (report.metadata["error"], report.metadata["valid"]) == ('{"error_code":"RATE_LIMIT"}', "false")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, "assessment"),
        ({"assessment": []}, "assessment"),
        (assessment(), "feedback"),
        (assessment(feedback={"value": 1}, expectation={"value": 1}), "either"),
        (assessment(feedback={}), "no value"),
        (assessment(feedback={"value": 1}, trace_id="tr-" + "0" * 32), "The path names"),
        (assessment(feedback={"value": 1}, span_id="x"), "16 hexadecimal"),
        (assessment(expectation={"serialized_value": {"value": "{"}}), "no JSON"),
        ({"assessment": {"feedback": {"value": 1}}}, "assessment_name"),
    ],
)
def test_a_bad_assessment_is_told(content: Any, reason: str) -> None:
    with pytest.raises(BadInputError, match=reason):
        read(content)


def test_the_answer_is_the_assessment_with_its_id() -> None:
    content = assessment(feedback={"value": 1})
    status, answer = MLFLOW_ASSESSMENT.answer(Received(content=content, accepted={0: ["f_1"]}, rejected={}))
    assert status == 200
    assert answer["assessment"] == {**content["assessment"], "valid": True, "assessment_id": "a-1"}
    status, answer = MLFLOW_ASSESSMENT.answer(Received(content=content, accepted={}, rejected={0: "no"}))
    assert (status, answer) == (400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "assessment: no"})
