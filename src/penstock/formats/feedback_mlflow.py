"""MLflow's assessments: POST /api/3.0/mlflow/traces/{trace_id}/assessments, feedback or an expectation.

An expectation that gives the whole right answer is the corrected answer; any other is kept under its own name.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from penstock.errors import BadInputError
from penstock.formats.foreign_report import (
    Ecosystem,
    Received,
    Report,
    Said,
    all_reasons,
    as_object,
    edited_beside,
    flat,
    read_as,
    say,
    span_target,
    trace_target,
)
from penstock.formats.report_time import read_time

WHOLE_ANSWERS = ("expected_response", "expected_output", "expected_answer", "expected_text", "ground_truth", "correction")
_ERROR_CODES = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    413: "REQUEST_LIMIT_EXCEEDED",
    415: "BAD_REQUEST",
}


class AssessmentSource(Struct, frozen=True, kw_only=True):
    """Who says so."""

    source_type: str | None = None
    source_id: str | None = None


class AssessmentValue(Struct, frozen=True, kw_only=True):
    """A value, plain or as JSON in a string, or the error that kept it from being given."""

    value: Any = None
    serialized_value: dict[str, str] | None = None
    error: dict[str, Any] | None = None


class Assessment(Struct, frozen=True, kw_only=True):
    """The fields that are read."""

    assessment_name: str
    trace_id: str
    assessment_id: str | None = None
    span_id: str | None = None
    source: AssessmentSource | None = None
    feedback: AssessmentValue | None = None
    expectation: AssessmentValue | None = None
    rationale: str | None = None
    metadata: dict[str, Any] | None = None
    overrides: str | None = None
    valid: bool | None = None
    create_time: str | float | None = None


def translate_assessment(item: Any) -> list[Report]:
    """The reports that one assessment is."""
    given = read_as(item, Assessment)
    kind, target_id = span_target(given.span_id, given.trace_id) if given.span_id else trace_target(given.trace_id)
    value = _value(given)
    correction = value if given.expectation is not None and given.assessment_name in WHOLE_ANSWERS else None
    said = Said(text=given.rationale or None) if correction is not None else say(value, given.rationale)
    source = given.source or AssessmentSource()
    extra = {
        "annotator_kind": source.source_type,
        "annotator": source.source_id,
        "assessment": "feedback" if given.feedback is not None else "expectation",
        "overrides": given.overrides,
        "valid": None if given.valid is not False else "false",
        "error": given.feedback.error if given.feedback is not None else None,
    }
    report = Report(
        target_kind=kind,
        target_id=target_id,
        name=given.assessment_name,
        value=said.value,
        text=said.text,
        occurred_at=read_time(given.create_time) if given.create_time else None,
        idempotency_key=f"mlflow:{given.assessment_id}" if given.assessment_id else None,
        source="mlflow",
        metadata={**flat(given.metadata), **flat(extra), **said.metadata},
    )
    return edited_beside(report, correction)


def _value(given: Assessment) -> Any:
    if (given.feedback is None) == (given.expectation is None):
        raise BadInputError("An assessment has either `feedback` or `expectation`, with its value.")
    found = given.feedback or given.expectation or AssessmentValue()
    if found.serialized_value is None:
        if found.value is None and found.error is None:
            raise BadInputError(f"The assessment {given.assessment_name[:100]!r} has no value.")
        return found.value
    text = found.serialized_value.get("value", "")
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise BadInputError(f"The serialized_value is no JSON: {error}.") from error


def _assessment(content: Any, path: Mapping[str, str]) -> list[Any]:
    given = as_object(as_object(content, "An assessment request").get("assessment"), "`assessment`")
    named = path["trace_id"]
    if given.get("trace_id") and given["trace_id"] != named:
        raise BadInputError(f"The path names the trace {named[:100]!r}, the assessment {str(given['trace_id'])[:100]!r}.")
    return [{**given, "trace_id": named.rpartition("/")[2].removeprefix("tr-")}]


def answer_assessment(received: Received) -> tuple[int, Any]:
    """200 with the assessment and its id, or 400."""
    if received.rejected:
        return 400, refuse_assessment(400, all_reasons(received, "assessment"))
    given = received.content["assessment"]
    named = given.get("assessment_id") or f"a-{received.accepted[0][0].removeprefix('f_')}"
    return 200, {"assessment": {"valid": True, **given, "assessment_id": named}}


def refuse_assessment(status: int, message: str) -> Any:
    """A refusal as MLflow writes it."""
    return {"error_code": _ERROR_CODES.get(status, "TEMPORARILY_UNAVAILABLE"), "message": message}


MLFLOW_ASSESSMENT = Ecosystem(
    name="mlflow", items=_assessment, translate=translate_assessment, answer=answer_assessment, refusal=refuse_assessment
)
