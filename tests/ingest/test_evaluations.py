"""One evaluation, however it comes."""

from datetime import timedelta
from typing import Any

from penstock.formats.any_value import plain_map
from penstock.formats.otlp_export import export_spans
from penstock.ingest.decode import Decoded, decode_logs, decode_traces
from penstock.records.feedback import Feedback
from tests.ingest.otlp_requests import CHAT, logs_request, nanoseconds, set_attributes, trace_request
from tests.rows import LATER, T0

NAMED = {
    "gen_ai.evaluation.name": "relevance",
    "gen_ai.evaluation.score.value": 0.5,
    "gen_ai.evaluation.score.label": "good",
    "gen_ai.evaluation.explanation": "It answers.",
    "judge": "j-1",
}
ANNOTATED = {
    "openinference.span.kind": "LLM",
    "annotations.0.annotation.name": "relevance",
    "annotations.0.annotation.score": 0.5,
    "annotations.0.annotation.label": "good",
    "annotations.0.annotation.explanation": "It answers.",
    "annotations.0.annotation.metadata": '{"judge": "j-1"}',
}


def with_events(*events: dict[str, Any], at: int = nanoseconds(T0), **ids: bytes) -> Decoded:
    request = trace_request(CHAT, **ids)  # type: ignore[arg-type]
    span = request.resource_spans[0].scope_spans[0].spans[0]
    for attributes in events:
        event = span.events.add(name="gen_ai.evaluation.result", time_unix_nano=at)
        set_attributes(event.attributes, attributes)
    return decode_traces(request, LATER)


def content(report: Feedback) -> tuple[Any, ...]:
    return report.target_kind, report.target_id, report.name, report.value, report.text, report.source, report.metadata


def test_a_log_event_an_event_of_the_span_and_an_annotation_say_the_same() -> None:
    (logged,) = decode_logs(logs_request("gen_ai.evaluation.result", NAMED), LATER).feedback
    (on_span,) = with_events(NAMED).feedback
    (annotated,) = decode_traces(trace_request(ANNOTATED), LATER).feedback
    assert content(logged) == content(on_span) == content(annotated)
    assert logged.occurred_at == on_span.occurred_at == T0
    assert annotated.occurred_at == T0 + timedelta(seconds=1.5)


def test_it_is_not_kept_in_the_span_as_well_so_that_a_relay_sends_it_once() -> None:
    for decoded in (with_events(NAMED), decode_traces(trace_request(ANNOTATED), LATER)):
        (span,) = decoded.spans
        assert not [name for name in span.attributes if "evaluation" in name or "annotation" in name]
        (sent,) = export_spans([span], with_thin_rows=True).resource_spans[0].scope_spans[0].spans
        assert not sent.events
        assert not [name for name in plain_map(sent.attributes) if "annotation" in name]


def test_a_span_that_is_sent_again_reports_the_same_and_each_of_its_evaluations_is_one() -> None:
    other = {**NAMED, "gen_ai.evaluation.name": "tone"}
    once, again = (with_events(NAMED, NAMED, other).feedback for _ in range(2))
    assert [report.feedback_id for report in once] == [report.feedback_id for report in again]
    assert len({report.feedback_id for report in once}) == 3
    (elsewhere, *_) = with_events(NAMED, span_id=b"\x03" * 8).feedback
    assert elsewhere.feedback_id not in {report.feedback_id for report in once}


def test_an_event_without_a_time_is_as_late_as_its_span() -> None:
    (report,) = with_events(NAMED, at=0).feedback
    assert report.occurred_at == T0 + timedelta(seconds=1.5)


def test_a_span_without_valid_ids_keeps_its_evaluations_to_itself() -> None:
    decoded = with_events(NAMED, trace_id=b"")
    assert (decoded.feedback, decoded.rejected) == ([], 1)
    assert decoded.spans[0].attributes["event.gen_ai.evaluation.result.judge"] == "j-1"


def test_an_evaluator_reports_on_the_span_that_it_links_to() -> None:
    said = {
        "openinference.span.kind": "EVALUATOR", "evaluations.0.evaluation.name": "true", "evaluations.0.evaluation.score": 1.0
    }  # fmt: skip
    request = trace_request(said)
    request.resource_spans[0].scope_spans[0].spans[0].links.add(trace_id=b"\x05" * 16, span_id=b"\x06" * 8)
    decoded = decode_traces(request, LATER)
    assert [report.target_id for report in decoded.feedback] == [f"{'05' * 16}:{'06' * 8}"]
    assert decoded.spans[0].exposure == "judge"
