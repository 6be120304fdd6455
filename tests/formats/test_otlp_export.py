"""What goes out is valid OTLP, and read again by a Penstock it is the same row."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.protobuf.message import Message

from penstock.edge.feedback_api import build_feedback
from penstock.errors import BadInputError
from penstock.formats.otlp import Encoding, parse_logs, parse_traces
from penstock.formats.otlp_export import export_evaluations, export_events, export_feedback, export_spans
from penstock.ingest.decode import decode_logs, decode_traces
from penstock.ingest.interactions import build_interactions
from penstock.ingest.redact import Redaction
from penstock.ingest.relayed import restore_spans
from penstock.ingest.sampling import thin
from penstock.records.feedback import Feedback
from penstock.records.span import Span
from penstock.text.redaction import Redactor
from tests.ingest.otlp_requests import trace_request
from tests.rows import LATER, make_feedback, make_span, trace

ALL_GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "otlp").rglob("*.pb"))
GOLDEN = [path for path in ALL_GOLDEN if "logs" not in path.stem and "evaluations" not in path.stem]
SPAN = "00000000000000ab"
FULL: dict[str, Any] = {
    "request_id": "r", "response_id": "p", "session_id": "s", "tenant": "t", "operation": "chat", "provider": "openai",
    "request_model": "m", "response_model": "m-1", "model_version": "fp", "checkpoint_id": "c", "release_arm": "candidate",
    "arm_probability": 0.5, "exposure": "shadow", "prompt_name": "n", "prompt_version": "2", "user_id": "u_" + 24 * "a",
    "segment": "free", "tags": {"a": "b"}, "keys": {"ticket": "T-1"}, "first_token_ms": 250.0,
    "input_messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]',
    "output_messages": '[{"role":"assistant","parts":[{"type":"text","content":"ho"}]}]',
    "system_instructions": '[{"type":"text","content":"be good"}]', "retrieved_documents": '[{"id":"1"}]',
    "finish_reason": "stop", "error_type": "timeout", "input_tokens": 3, "output_tokens": 4, "cached_tokens": 1,
    "cache_write_tokens": 1, "reasoning_tokens": 2, "token_logprobs": [-0.5, -0.25],
    "parameters": '{"temperature":0.5,"max_tokens":10}',
    "content_present": True, "sample_probability": 0.5, "capture_probability": 0.75, "parent_span_id": "00000000000000cd",
    "dialect": "openinference",
    "scope": "tests 1.0", "application": "shop", "status": "error", "redactions": {"email": 2},
    "attributes": {
        "resource.host.name": "h", "custom": "x", "otel.status.message": "went wrong", "penstock.sample_probability": "0.5",
    },
}  # fmt: skip


def full_span(**fields: Any) -> Span:
    return make_span(trace(1), SPAN, **{**FULL, "name": "chat m", **fields})


def sent_and_read(spans: list[Span], *, with_thin_rows: bool = True) -> list[Span]:
    """Through bytes, as over a wire, and in at the door of another Penstock."""
    traces = export_spans(spans, with_thin_rows=with_thin_rows).SerializeToString()
    logs = export_events(spans, with_thin_rows=with_thin_rows).SerializeToString()
    known_at = LATER + timedelta(days=1)
    read = decode_traces(parse_traces(traces, Encoding.PROTOBUF), known_at).spans
    return restore_spans([*read, *decode_logs(parse_logs(logs, Encoding.PROTOBUF), known_at).spans])


def comparable(span: Span) -> Span:
    """Its maps in one order, and when it became known left out."""
    in_order = {name: dict(sorted(getattr(span, name).items())) for name in ("attributes", "tags", "keys")}
    return msgspec.structs.replace(span, known_at=LATER, **in_order)


def test_a_span_with_everything_comes_back_the_same() -> None:
    span = full_span()
    (read,) = sent_and_read([span])
    assert comparable(read) == comparable(span)


def test_a_thin_span_comes_back_thin() -> None:
    span = thin(full_span())
    (read,) = sent_and_read([span])
    assert comparable(read) == comparable(span)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_what_real_producers_sent_comes_back_the_same(path: Path) -> None:
    spans = redacted(path)
    read = sent_and_read(spans)
    assert spans and [comparable(span) for span in read] == [comparable(span) for span in spans]
    assert sent_and_read(spans) == read  # the same rows are the same bytes, so that a receiver knows them again


def test_events_of_real_producers_come_back_with_what_they_said() -> None:
    spans = redacted(next(path for path in ALL_GOLDEN if "logs" in path.stem))
    read = sent_and_read(spans)

    def without_key(span: Span) -> Span:
        return msgspec.structs.replace(comparable(span), span_key="")

    assert spans and [without_key(span) for span in read] == [without_key(span) for span in spans]
    assert sent_and_read(spans) == read


def redacted(path: Path) -> list[Span]:
    parsed = path.read_bytes()
    if "logs" in path.stem:
        decoded = decode_logs(parse_logs(parsed, Encoding.PROTOBUF), LATER)
    else:
        decoded = decode_traces(parse_traces(parsed, Encoding.PROTOBUF), LATER)
    return Redaction(Redactor(b"k" * 32)).redact_spans(decoded.spans)


def test_content_outside_messages_becomes_messages() -> None:
    outside = {"prompt_text": "hi", "response_text": "ho", "tool_calls": '[{"name":"f"}]'}
    (read,) = sent_and_read([full_span(input_messages=None, output_messages=None, **outside)])
    assert read.content_present and read.input_messages is not None
    (settled,) = build_interactions([read], LATER)
    assert (settled.prompt_text, settled.response_text) == ("hi", "ho")
    assert json.loads(settled.tool_calls or "")[0]["name"] == "f"


def test_span_events_are_events_again() -> None:
    request = trace_request({"a": "b"})
    events = request.resource_spans[0].scope_spans[0].spans[0].events
    for name, attributes in (
        ("exception", {"exception.type": "E", "exception.message": ""}),
        ("exception", {"exception.type": "F"}),
        ("gen_ai.choice", {"index": "0", "2": "x"}),
    ):
        event = events.add(name=name)
        for key, value in attributes.items():
            event.attributes.add(key=key).value.string_value = value
    spans = decode_traces(request, LATER).spans
    sent = export_spans(spans, with_thin_rows=True).resource_spans[0].scope_spans[0].spans[0]
    assert [(event.name, [pair.key for pair in event.attributes]) for event in sent.events] == [
        ("exception", ["exception.type", "exception.message"]),
        ("exception", ["exception.type"]),
        ("gen_ai.choice", ["index", "2"]),
    ]  # fmt: skip
    (read,) = sent_and_read(spans)
    assert read.attributes == {**spans[0].attributes}


def test_without_thin_rows_the_probability_becomes_that_of_coming_at_all() -> None:
    whole, out = full_span(), thin(make_span(trace(2), SPAN, sample_probability=0.5))
    (read,) = sent_and_read([whole, out], with_thin_rows=False)
    assert (read.trace_id, read.sample_probability, read.capture_probability) == (trace(1), 1.0, 0.375)
    assert read.attributes["penstock.sample_probability"] == "1.0"  # sampled already: not to be sampled again


def test_spans_of_one_resource_and_scope_are_sent_in_one_group() -> None:
    spans = [make_span(trace(number), SPAN, application="shop", scope="a 1") for number in range(5)]
    spans += [make_span(trace(9), SPAN, application="bank")]
    request = export_spans(spans, with_thin_rows=True)
    assert [len(group.scope_spans[0].spans) for group in request.resource_spans] == [5, 1]


def test_nothing_to_send_is_an_empty_request() -> None:
    request: Message = export_spans([], with_thin_rows=True)
    assert request.ByteSize() == 0


def test_reports_come_back_the_same() -> None:
    reports = [
        make_feedback("rating", "request", "r", value=1.0, text="good", metadata={"a": "b"}),
        make_feedback("thumb", "span", f"{trace(1)}:{SPAN}"),
        make_feedback("outcome.solved", "key", "k_" + 24 * "b", key="ticket"),
        make_feedback("thumb", "session", "s"),
        make_feedback("thumb", "response", "p"),
    ]
    arrived = passed_on(reports)
    assert [msgspec.structs.replace(report, feedback_id="", idempotency_key="") for report in arrived] == [
        msgspec.structs.replace(report, feedback_id="", idempotency_key="") for report in reports
    ]
    assert passed_on(arrived) == arrived


def passed_on(reports: Sequence[Feedback]) -> list[Feedback]:
    """As the next Penstock takes them."""
    return [build_feedback(item, LATER) for item in msgspec.json.decode(msgspec.json.encode(export_feedback(reports)))]


def test_reports_on_spans_and_responses_have_a_form_that_other_backends_know() -> None:
    reports = [
        make_feedback("rating", "response", "p", value=1.0, text="good", metadata={"a": "b"}),
        make_feedback("thumb", "span", f"{trace(1)}:{SPAN}"),
    ]
    read = decode_logs(export_evaluations(reports), LATER).feedback

    def comparable_report(report: Feedback) -> Feedback:
        return msgspec.structs.replace(report, feedback_id="", idempotency_key="", source="")

    assert [comparable_report(report) for report in read] == [comparable_report(report) for report in reports]
    with pytest.raises(BadInputError, match="session"):
        export_evaluations([make_feedback("thumb", "session", "s")])


CAPTURED = Path(__file__).resolve().parents[3] / "shared" / "otlp"


@pytest.mark.skipif(not CAPTURED.exists(), reason="the captured bodies are not on this machine")
def test_every_captured_body_comes_back_the_same() -> None:
    bodies = sorted(CAPTURED.rglob("v1_traces*.pb"))
    assert len(bodies) > 20
    for path in bodies:
        spans = redacted(path)
        assert [comparable(span) for span in sent_and_read(spans)] == [comparable(span) for span in spans], path
