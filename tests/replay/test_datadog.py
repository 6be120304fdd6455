"""What is Datadog's own: decimal ids, nanoseconds, tags, evaluations, and the form in which its SDK sends spans."""

import json
from typing import Any

import pytest

from penstock.replay.binding import RowError
from penstock.replay.datadog import translate
from tests.replay.exported_rows import EXPORTS, read_calls, settle

SPAN = {
    "trace_id": "1",
    "span_id": "2",
    "parent_id": "undefined",
    "name": "call",
    "span_kind": "llm",
    "start_ns": 1_772_359_200 * 10**9,
}


def only(**changes: Any) -> Any:
    (span,) = translate({"attributes": {**SPAN, **changes}}).spans
    return span


def test_decimal_ids_are_hex_and_hex_ids_stay() -> None:
    assert (only().trace, only().span, only().parent) == (f"{1:032x}", f"{2:016x}", None)
    assert only(trace_id="67ac0000000000001234567812345678", parent_id="11").trace == "67ac0000000000001234567812345678"
    assert only(parent_id="11").parent == f"{11:016x}"
    with pytest.raises(RowError, match="too large"):
        only(span_id="9" * 30)


def test_spans_as_the_sdk_sends_them_are_read() -> None:
    (interaction,) = settle(read_calls("datadog", "datadog_sdk.json"))
    assert (interaction.session_id, interaction.user_id, interaction.application) == ("chat-7", "anna", "desk")
    assert interaction.response_text == "Hold the button."
    (row,) = [json.loads((EXPORTS / "datadog_sdk.json").read_text())["data"]]
    row["attributes"]["spans"][0]["meta"]["span.kind"] = row["attributes"]["spans"][0]["meta"].pop("kind")
    assert [span.kind for span in translate(row).spans] == ["inference"]


def test_evaluations_are_reports_on_their_span() -> None:
    evaluation = {"tone": {"value": "polite", "assessment": "pass"}, "score": {"value": 0.5}, "flag": {"value": True}, "none": {}}
    reports = translate({"attributes": {**SPAN, "evaluation": evaluation}}).reports
    assert [(report.name, report.value, report.text) for report in reports] == [
        ("tone", None, "polite"),
        ("score", 0.5, None),
        ("flag", 1.0, None),
    ]


def test_a_failed_span_names_its_error() -> None:
    span = only(status="error", meta={"error": {"type": "Timeout", "message": "after 60 s"}})
    assert (span.fields["error_type"], span.note) == ("Timeout", "after 60 s")


def test_only_a_cost_that_the_application_stated_is_taken() -> None:
    assert only(metrics={"total_cost": 0.5, "estimated_total_cost": 7.0}).fields["cost"] == 0.5
    assert only(metrics={"estimated_total_cost": 7.0}).fields["cost"] is None
