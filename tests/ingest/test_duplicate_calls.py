"""A call counts once however many saw it."""

from typing import Any

from penstock.ingest.interactions import build_interactions
from penstock.records.interaction import Interaction
from penstock.records.span import Span
from tests.rows import LATER, make_span, trace

TRACE = trace(0)


def span(name: str, parent: str | None, start: float, **fields: Any) -> Span:
    return make_span(TRACE, name, parent, start=start, **fields)


def counting(*spans: Span) -> dict[str, str | None]:
    """Which spans are interactions that count, and into which the others went."""
    rows = build_interactions(spans, LATER)
    names = {row.interaction_id: row.span_id for row in rows}
    return {row.span_id: names.get(row.merged_into or "") for row in rows}


def kept(*spans: Span) -> Interaction:
    (row,) = [row for row in build_interactions(spans, LATER) if row.merged_into is None]
    return row


def test_a_framework_and_the_client_below_it_saw_one_call() -> None:
    outer = span("outer", None, 0, dialect="langsmith", response_id="r1", session_id="s", prompt_name="p", tags={"a": "1"})
    inner = span("inner", "outer", 0.1, dialect="openinference", response_id="r1", model_version="fp")
    found = kept(outer, inner)
    assert (found.span_id, found.session_id, found.prompt_name, found.model_version) == ("inner", "s", "p", "fp")
    assert found.tags == {"a": "1"}


def test_a_view_without_a_response_id_is_known_by_its_tokens_its_text_or_by_saying_nothing() -> None:
    inner = span("inner", "outer", 0.1, response_id="r1", input_tokens=3, output_tokens=4, response_text="Yes", request_model="m")
    for said in (
        {"input_tokens": 3, "output_tokens": 4},
        {"response_text": "Yes", "request_model": "m-2024-07-18"},
        {},
    ):
        assert counting(span("outer", None, 0, **said), inner) == {"outer": "inner", "inner": None}


def test_what_differs_is_another_call() -> None:
    inner = span("inner", "outer", 0.1, response_id="r1", input_tokens=3, output_tokens=4, response_text="Yes", request_model="m")
    for said in (
        {"input_tokens": 30, "output_tokens": 4},
        {"response_text": "No", "request_model": "m"},
        {"request_model": "another"},
        {"response_id": "r2"},
    ):
        assert counting(span("outer", None, 0, **said), inner) == {"outer": None, "inner": None}


def test_three_who_saw_one_call_end_in_the_innermost_which_knows_what_the_outermost_knew() -> None:
    spans = [
        span("framework", None, 0, session_id="s", response_text="Yes"),
        span("client", "framework", 0.1, response_id="r1", response_text="Yes"),
        span("gateway", "client", 0.2, response_id="r1", dialect="gateway", request_id="q1"),
    ]
    assert counting(*spans) == {"framework": "gateway", "client": "gateway", "gateway": None}
    assert (kept(*spans).session_id, kept(*spans).request_id) == ("s", "q1")


def test_a_wrapper_that_sums_up_or_repeats_the_calls_within_it_is_none() -> None:
    inner = [
        span("one", "wrapper", 1, response_id="r1", input_tokens=3, output_tokens=4, response_text="hm"),
        span("two", "wrapper", 2, response_id="r2", input_tokens=5, output_tokens=6, response_text="Yes"),
    ]
    summing = span("wrapper", None, 0, input_tokens=8, output_tokens=10, response_text="Yes")
    assert counting(summing, *inner) == {"wrapper": "two", "one": None, "two": None}
    assert counting(span("wrapper", None, 0), *inner)["wrapper"] == "two"
    assert counting(span("wrapper", None, 0, input_tokens=9, output_tokens=10), *inner)["wrapper"] is None


def test_a_program_around_a_call_that_names_no_model_is_none() -> None:
    """As DSPy's modules under MLflow, and LlamaIndex's structured_predict, whose answer is what they made of the call's."""
    inner = span("inner", "program", 1, request_model="m", tool_calls='[{"id":"t1"}]')
    program = span("program", None, 0, response_text='{"name":"Bob"}')
    assert counting(program, inner) == {"program": "inner", "inner": None}
    assert kept(program, inner).response_text is None
    nothing_known = span("inner", "program", 1, response_text="Yes")
    assert counting(program, nothing_known) == {"program": None, "inner": None}


def test_attempts_that_failed_count_and_the_last_is_the_one_that_was_seen() -> None:
    found = counting(
        span("client", None, 0, response_id="r1"),
        span("failed", "client", 1, dialect="gateway", error_type="503"),
        span("answered", "client", 2, dialect="gateway", response_id="r1"),
    )
    assert found == {"client": "answered", "failed": None, "answered": None}


def test_a_step_of_googles_kit_is_the_call_right_within_it_though_it_counts_thoughts_otherwise() -> None:
    step = span("step", None, 0, dialect="google-adk", input_tokens=3, output_tokens=4, response_text="Yes", request_model="m")
    call = span("call", "step", 0.1, input_tokens=3, output_tokens=9, request_model="m")
    tool = span("tool", "step", 0.5, kind="tool")
    nested = span("nested", "tool", 0.6, dialect="google-adk", input_tokens=1, output_tokens=1, request_model="m")
    assert counting(step, call, tool, nested) == {"step": "call", "call": None, "nested": None}
    assert (kept(step, call).output_tokens, kept(step, call).response_text) == (9, "Yes")
    assert counting(step, tool, nested) == {"step": None, "nested": None}
