from typing import Any

import pytest

from penstock.ingest.relayed import restore_spans
from penstock.records.span import Span
from tests.rows import make_span, trace


def restored(attributes: dict[str, str], **fields: Any) -> Span:
    (span,) = restore_spans([make_span(trace(1), "00000000000000ab", attributes=attributes, **fields)])
    return span


def test_a_span_that_nobody_sampled_or_relayed_is_left_alone() -> None:
    span = make_span(trace(1), "s", attributes={"a": "b"})
    assert restore_spans([span])[0] is span


def test_what_a_sampler_says_becomes_columns_and_the_mark_stays() -> None:
    span = restored({"penstock.sample_probability": "0.25", "penstock.capture_probability": "0.5", "a": "b"}, response_text="x")
    assert (span.sample_probability, span.capture_probability, span.response_text) == (0.25, 0.5, "x")
    assert span.attributes == {"penstock.sample_probability": "0.25", "a": "b"}


def test_what_comes_without_its_content_is_thin_even_if_some_came() -> None:
    span = restored({"penstock.sample_probability": "0.25", "penstock.content_sampled": "false", "a": "b"}, response_text="x")
    assert (span.content_sampled, span.response_text) == (False, None)
    assert span.attributes == {"penstock.sample_probability": "0.25"}


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "nan", "inf", "", "often", "[0.5]"])
def test_a_probability_that_is_none_is_told_and_counts_as_not_sent(text: str) -> None:
    span = restored({"penstock.sample_probability": text, "penstock.capture_probability": text})
    assert (span.sample_probability, span.capture_probability, span.attributes) == (1.0, 1.0, {})
    assert span.reason is not None and "is no probability" in span.reason


def test_kind_and_dialect_are_taken_only_where_they_can_be() -> None:
    assert (restored({"penstock.relay.kind": "tool"}).kind, restored({"penstock.relay.kind": "nonsense"}).kind) == (
        "tool",
        "inference",
    )
    assert restored({"penstock.relay.kind": "event"}).kind == "inference"
    assert restored({"penstock.relay.kind": "inference"}, span_key="x_1", kind="other").kind == "other"
    assert restored({"penstock.relay.kind": "inference"}, span_key="e_1", kind="event").kind == "event"
    assert restored({"penstock.relay.dialect": "gateway"}).dialect == "gateway"
    assert restored({"penstock.relay.dialect": "x" * 65}).dialect == "genai"


def test_counts_that_are_none_are_left_out() -> None:
    kept = restored({"penstock.relay.kind": "tool", "penstock.relay.redactions": '{"email":2}'})
    assert kept.redactions == {"email": 2}
    assert restored({"penstock.relay.kind": "tool", "penstock.relay.redactions": "[1]"}).redactions == {}
