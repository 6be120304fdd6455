"""The plain case gives what going through records gives."""

import json
from typing import Any

import pyarrow as pa
import pytest

from penstock.ingest import plain_interactions as plain_interactions_module
from penstock.ingest.interactions import build_interactions
from penstock.ingest.plain_interactions import find_plain, plain_interactions
from penstock.ingest.prices import load_prices
from penstock.lake.arrow_schema import conform, from_arrow, to_arrow
from penstock.lake.tables import TABLES
from penstock.records.interaction import Interaction
from penstock.records.span import Span
from tests.rows import LATER, make_span, trace

CALL = {"type": "tool_call", "id": "c", "name": "look", "arguments": {}}
MESSAGES = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}, CALL]}])
FULL: dict[str, Any] = {
    "session_id": "chat", "user_id": "u_1", "request_id": "r", "response_id": "a", "tags": {"plan": "pro"},
    "input_messages": MESSAGES, "output_messages": MESSAGES,
    "keys": {"ticket": "7"}, "token_logprobs": [-0.5, -0.1], "content_present": True, "exposure": "simulated",
    "sample_probability": 0.5, "redactions": {"email": 2}, "error_type": "timeout", "dialect": "gateway",
    "application": "shop", "attributes": {"x": "y"},
}  # fmt: skip


def _rows(*spans: Span) -> pa.Table:
    return to_arrow(TABLES["spans"], spans)


@pytest.mark.parametrize("fields", [{}, FULL, {"session_id": "chat"}, {**FULL, "prompt_text": "ha", "response_text": "ho"}])
def test_it_is_what_the_records_give(fields: dict[str, Any]) -> None:
    spans = [make_span(trace(number), f"{number + 1:016x}", start=number, **fields) for number in range(3)]
    rows = _rows(*spans)
    made = conform(TABLES["interactions"], plain_interactions(rows.filter(find_plain(rows)), LATER))
    assert from_arrow(Interaction, made) == build_interactions(spans, LATER)


def test_texts_are_read_a_few_rows_at_a_time_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_interactions_module, "_ROWS_AT_ONCE", 2)
    asked = ["one", None, "three", "four", "five"]
    messages = [ask and MESSAGES.replace("hi", ask) for ask in asked]
    rows = _rows(*(make_span(trace(n), f"{n + 1:016x}", input_messages=text, start=n) for n, text in enumerate(messages)))
    assert plain_interactions(rows, LATER).column("prompt_text").to_pylist() == asked


def test_it_costs_what_the_records_cost() -> None:
    tokens = {"input_tokens": 1000, "output_tokens": 10, "cached_tokens": 400, "cache_write_tokens": 200}
    span = make_span(trace(1), "a", request_model="claude-sonnet-4", **tokens)
    price = load_prices({}).cost
    made = from_arrow(Interaction, conform(TABLES["interactions"], plain_interactions(_rows(span), LATER, price)))
    assert made == build_interactions([span], LATER, price)
    assert [(row.cache_write_tokens, row.cost) for row in made] == [(200, pytest.approx(0.00222))]


def test_only_inferences_that_are_all_of_their_trace_are_plain() -> None:
    rows = _rows(
        make_span(trace(1), "a"),
        make_span(trace(2), "a"),
        make_span(trace(2), "b", "a", kind="tool"),
        make_span(trace(3), "a"),
        make_span(trace(3), "a"),
        make_span(trace(4), "a", kind="agent"),
        make_span("", "a"),
    )
    assert find_plain(rows).to_pylist() == [True, False, False, False, False, False, False]
