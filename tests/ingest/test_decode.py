"""OTLP requests as Spans and Feedback, also those that no one should send."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from penstock.formats.otlp import Encoding, parse_logs, parse_traces
from penstock.ingest.decode import decode_logs, decode_traces
from tests.ingest.otlp_requests import CHAT, logs_request, trace_request
from tests.rows import LATER, T0

GOLDEN = Path(__file__).parent.parent / "golden" / "otlp"


def test_a_span_without_attributes_is_kept() -> None:
    (span,) = decode_traces(trace_request(), LATER).spans
    assert (span.kind, span.dialect, span.application, span.reason) == ("other", "none", "shop", None)
    assert (span.started_at, span.ended_at - span.started_at) == (T0, timedelta(seconds=1.5))


@pytest.mark.parametrize(
    ("trace_id", "span_id", "why"),
    [(b"", b"\x02" * 8, "0 bytes"), (b"\x01" * 16, b"\x00" * 8, "all zero"), (b"\x01" * 5, b"\x02" * 8, "5 bytes")],
)
def test_a_span_with_an_invalid_id_is_rejected_and_kept_with_the_reason(trace_id: bytes, span_id: bytes, why: str) -> None:
    decoded = decode_traces(trace_request(CHAT, trace_id=trace_id, span_id=span_id), LATER)
    (span,) = decoded.spans
    assert decoded.rejected == 1
    assert why in decoded.message
    assert why in str(span.reason)
    assert (span.kind, span.span_key[:2]) == ("other", "x_")


@pytest.mark.parametrize("start", [0, 1, 2**64 - 1, 4_000_000_000_000_000_000])
def test_a_start_that_no_clock_shows_is_replaced_by_the_arrival_with_the_reason(start: int) -> None:
    (span,) = decode_traces(trace_request(CHAT, start=start, end=start), LATER).spans
    assert (span.started_at, span.ended_at) == (LATER, LATER)
    assert "not plausible" in str(span.reason)


def test_an_end_before_the_start_is_the_start() -> None:
    (span,) = decode_traces(trace_request(CHAT, end=0), LATER).spans
    assert span.ended_at == span.started_at == T0


def test_an_error_names_its_type_or_at_least_that_it_was_one() -> None:
    request = trace_request(CHAT)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.status.code = Status.STATUS_CODE_ERROR
    assert decode_traces(request, LATER).spans[0].error_type == "error"
    span.events.add(name="exception").attributes.add(key="exception.type").value.string_value = "Timeout"
    (decoded,) = decode_traces(request, LATER).spans
    assert (decoded.error_type, decoded.status) == ("Timeout", "error")


def test_an_evaluation_reports_on_the_span_or_on_the_response_that_it_names() -> None:
    named = {"gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": 0.5, "gen_ai.evaluation.score.label": "good"}
    (on_span,) = decode_logs(logs_request("gen_ai.evaluation.result", named), LATER).feedback
    assert (on_span.target_kind, on_span.target_id) == ("span", f"{'01' * 16}:{'02' * 8}")
    assert (on_span.name, on_span.value, on_span.text) == ("relevance", 0.5, "good")
    answered = {**named, "gen_ai.response.id": "r1"}
    (on_both,) = decode_logs(logs_request("gen_ai.evaluation.result", answered), LATER).feedback
    assert (on_both.target_kind, on_both.metadata["gen_ai.response.id"]) == ("span", "r1")
    (on_response,) = decode_logs(logs_request("gen_ai.evaluation.result", answered, span_id=b""), LATER).feedback
    assert (on_response.target_kind, on_response.target_id) == ("response", "r1")


def test_an_evaluation_of_nothing_is_rejected_and_kept_and_a_score_that_is_no_number_is_left_out() -> None:
    decoded = decode_logs(logs_request("gen_ai.evaluation.result", {}, trace_id=b"", span_id=b""), LATER)
    assert (decoded.feedback, decoded.rejected) == ([], 1)
    assert "names neither" in str(decoded.spans[0].reason)
    endless = {"gen_ai.evaluation.score.value": float("inf")}
    assert decode_logs(logs_request("gen_ai.evaluation.result", endless), LATER).feedback[0].value is None


def test_the_same_event_sent_twice_has_the_same_key_and_another_has_another() -> None:
    keys = [decode_logs(logs_request("note", {"a": value}), LATER).spans[0].span_key for value in (1, 1, 2)]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    "name",
    [
        "genai_openai-1.3b0_span_and_event/v1_traces.03_tools",
        "genai_openai-1.3b0_no_content/v1_traces.01_chat",
        "grpc_genai_openai-1.3b0/grpc_traces.01",
        "util_genai-1.3b0_agent_retrieval_eval/v1_traces.01",
    ],
)
def test_recorded_traces_are_understood(name: str) -> None:
    decoded = decode_traces(parse_traces((GOLDEN / f"{name}.pb").read_bytes(), Encoding.PROTOBUF), LATER + timedelta(days=3650))
    inferences = [span for span in decoded.spans if span.kind == "inference"]
    assert inferences
    assert decoded.rejected == 0
    for span in inferences:
        assert (span.dialect, span.operation, span.reason) == ("genai", "chat", None)
        assert None not in (span.provider, span.request_model, span.response_id, span.input_tokens, span.finish_reason)
        assert span.content_present == (span.input_messages is not None)
    assert any(span.content_present for span in inferences) == ("no_content" not in name)


def test_a_recorded_agent_has_its_tool_and_its_retrieval() -> None:
    request = parse_traces((GOLDEN / "util_genai-1.3b0_agent_retrieval_eval" / "v1_traces.01.pb").read_bytes(), Encoding.PROTOBUF)
    assert {span.kind for span in decode_traces(request, LATER).spans} >= {"agent", "retrieval", "tool", "inference"}


@pytest.mark.parametrize("body", [{"finish_reason": "end_turn"}, {"finish_reason": "end_turn", "message": {"content": "Yo"}}])
def test_a_finish_reason_in_a_log_record_has_the_usual_spelling(body: dict[str, Any]) -> None:
    (event,) = decode_logs(logs_request("gen_ai.choice", {}, body=body), LATER).spans
    assert (event.finish_reason, event.attributes["penstock.raw.finish_reason"]) == ("stop", "end_turn")


def test_recorded_evaluations_become_feedback_and_recorded_events_keep_their_content() -> None:
    evaluations = decode_logs(
        parse_logs((GOLDEN / "util_genai-1.3b0_agent_retrieval_eval" / "v1_logs.01.pb").read_bytes(), Encoding.PROTOBUF), LATER
    )
    assert len(evaluations.feedback) + evaluations.rejected == 3
    events = decode_logs(
        parse_logs((GOLDEN / "genai_openai-1.3b0_span_and_event" / "v1_logs.01.pb").read_bytes(), Encoding.PROTOBUF), LATER
    ).spans
    assert all(event.kind == "event" and event.input_messages for event in events)


def test_litellm_names_its_records_in_an_attribute() -> None:
    body = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yo"}}
    attributes = {"event_name": "gen_ai.content.completion", "gen_ai.system": "openai", "message.content": "Yo"}
    (event,) = decode_logs(logs_request("", attributes, body=body), LATER).spans
    assert (event.name, event.finish_reason, event.provider) == ("gen_ai.content.completion", "stop", "openai")
    assert event.output_messages is not None and "Yo" in event.output_messages
    assert not {"event_name", "message.content"} & event.attributes.keys()
    (named,) = decode_logs(logs_request("other", {"event_name": "mine"}), LATER).spans
    assert (named.name, named.attributes["event_name"]) == ("other", "mine")
