"""Spans read a column at a time are the spans that are read one by one; whatever could differ is left to that."""

import json
import struct
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from penstock.errors import BadInputError
from penstock.formats.otlp import Encoding, parse_traces
from penstock.formats.otlp_columns import read_trace_columns
from penstock.ingest.decode import decode_traces
from penstock.ingest.decode_bodies import decode_bodies
from penstock.ingest.plain_spans import read_plain_spans
from penstock.lake.arrow_schema import from_arrow, to_arrow
from penstock.lake.tables import TABLES
from penstock.records.span import Span
from tests.golden.records import PRODUCERS, bodies
from tests.ingest.otlp_requests import CHAT, nanoseconds, set_attributes, trace_request
from tests.rows import LATER, T0

MESSAGES = '[{"role": "user", "parts": [{"type": "text", "content": "hello"}]}]'
SYSTEM = '[{"role": "system", "parts": [{"type": "text", "content": "be kind"}]}, {"role": "user", "parts": []}]'
OLD = '[{"role": "user", "content": "hello"}]'
NAMES = st.sampled_from(
    [
        *CHAT,
        "gen_ai.response.id",
        "gen_ai.response.finish_reasons",
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.system",
        "gen_ai.conversation.id",
        "session.id",
        "user.id",
        "enduser.id",
        "error.type",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.request.temperature",
        "gen_ai.request.seed",
        "gen_ai.request.stop_sequences",
        "gen_ai.openai.request.logit_bias",
        "gen_ai.tool.definitions",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.retrieval.documents",
        "gen_ai.something.new",
        "server.port",
        "http.route",
        "llm.from.the.future",
        "penstock.request.id",
        "penstock.key.ticket_id",
        "penstock.tag.team",
        "penstock.exposure",
        "penstock.cost",
        "gen_ai.cost.total_cost",
        "penstock.sample_probability",
        "metadata.plan",
        "order_id",
        "resource.host",
        "openinference.span.kind",
        "ai.operationId",
        "otel.status.message",
    ]
)
WORDS = [
    "",
    "chat",
    "acompletion",
    "openai",
    "OpenAI",
    "azure",
    "u-1",
    "stop",
    "end_turn",
    '["length"]',
    "7",
    "1e400",
    "served",
    "x" * 33_000,
]
BESIDE = '[{"role": "tool", "parts": [{"type": "text", "text": "7"}], "tool_call_id": "c1"}]'
CALL = '[{"parts": [{"type": "tool_call", "arguments": "{}"}]}]'
VALUES = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from([MESSAGES, SYSTEM, OLD, CALL, BESIDE, "hello", "[]", "{"]),
    st.text(max_size=20),
    st.integers(-3, 2**63 - 1),
    st.floats(),
    st.booleans(),
    st.binary(max_size=4),
    st.none(),
    st.lists(st.one_of(st.text(max_size=5), st.integers(0, 9)), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
)
RESOURCES = st.dictionaries(st.sampled_from(["service.name", "host.name", "telemetry.sdk.name", "n", "n\0"]), VALUES, max_size=3)
TIMES = st.sampled_from([nanoseconds(T0), nanoseconds(T0) + 999, nanoseconds(LATER), 0, 5, 2**63, 2**64 - 1])
IDS = st.sampled_from([b"\x01", b"\xab", b"\x00", b""])


@st.composite
def requests(draw: Callable[..., Any]) -> ExportTraceServiceRequest:
    """Requests such as nobody sends, of groups with and without spans and resources."""
    request = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(0, 3))):
        group = request.resource_spans.add()
        set_attributes(group.resource.attributes, draw(RESOURCES))
        for _ in range(draw(st.integers(0, 2))):
            scope = group.scope_spans.add()
            scope.scope.name = draw(st.sampled_from(["", "tests"]))
            for _ in range(draw(st.integers(0, 4))):
                _add_span(scope.spans.add(), draw)
    return request


def _add_span(span: Any, draw: Callable[..., Any]) -> None:
    span.trace_id, span.span_id = draw(IDS) * 16, draw(IDS) * 8
    span.parent_span_id = draw(st.sampled_from([b"", b"\x07" * 8, b"\x07" * 3]))
    span.name = draw(st.sampled_from(["", "chat m", "tööl"]))
    span.start_time_unix_nano, span.end_time_unix_nano = draw(TIMES), draw(TIMES)
    for name, value in draw(st.lists(st.tuples(NAMES, VALUES), max_size=8)):
        set_attributes(span.attributes, {name: value})
    span.status.code = draw(st.sampled_from([0, 0, 1, 2]))
    if draw(st.booleans()):
        span.status.message = draw(st.sampled_from(["", "it broke"]))
    if draw(st.sampled_from([False, False, True])):
        span.events.add(name="exception")


def one_by_one(body: bytes) -> list[Span]:
    return decode_traces(parse_traces(body, Encoding.PROTOBUF), LATER).spans


def by_column(body: bytes) -> tuple[list[Span], list[bool]]:
    read = read_plain_spans(read_trace_columns([body]), LATER)
    for name in ("attributes", "keys", "tags"):
        entries: Any = read.rows.column(name)
        assert all(len({key for key, _ in row}) == len(row) for row in entries.to_pylist())  # a dict would hide a repeated key
    return from_arrow(Span, pa.Table.from_batches([read.rows])), read.odd.tolist()


def stored(spans: list[Span]) -> list[Span]:
    """As they would come back from the disk, where NaN and the like are what they are."""
    return from_arrow(Span, to_arrow(TABLES["spans"], spans))


@settings(max_examples=400, deadline=None)
@given(requests())
def test_what_is_read_by_column_is_what_is_read_span_by_span(request: ExportTraceServiceRequest) -> None:
    body = request.SerializeToString()
    expected = stored(one_by_one(body))
    found, odd = by_column(body)
    assert found == [span for span, is_odd in zip(expected, odd, strict=True) if not is_odd]


@pytest.mark.parametrize("producer", PRODUCERS)
def test_every_recorded_body_gives_the_same_spans_by_column(producer: str) -> None:
    for recorded in bodies(producer):
        if recorded.suffix != ".json" and "_logs" not in recorded.name:
            body = recorded.read_bytes()
            expected = stored(one_by_one(body))
            found, odd = by_column(body)
            assert found == [span for span, is_odd in zip(expected, odd, strict=True) if not is_odd]


def plain_request(attributes: dict[str, Any], count: int = 3, **span: Any) -> bytes:
    request = None
    for number in range(count):
        request = trace_request(attributes, span_id=struct.pack(">Q", number + 1), request=request, **span)
    assert request is not None
    return request.SerializeToString()


@pytest.mark.parametrize(
    "attributes",
    [
        {**CHAT, "gen_ai.input.messages": MESSAGES, "gen_ai.output.messages": OLD, "server.port": 443},
        {**CHAT, "gen_ai.input.messages": SYSTEM, "gen_ai.response.finish_reasons": ["end_turn"]},
        {**CHAT, "gen_ai.request.temperature": 0.5, "gen_ai.request.seed": 3, "gen_ai.request.user": "u"},
        {**CHAT, "penstock.key.ticket_id": "t-1", "penstock.tag.team": "blue", "gen_ai.usage.input_tokens": 7},
        {**CHAT, "gen_ai.operation.name": "acompletion", "gen_ai.input.messages": BESIDE, "gen_ai.cost.total_cost": 0.5},
        {**CHAT, "gen_ai.operation.name": "chat.completions", "gen_ai.response.finish_reason": "FinishReason.STOP"},
        {"http.route": "/", "http.status_code": 200, "ok": True},
        {"gen_ai.system": "az.ai.openai", "gen_ai.operation.name": "chat"},
        {},
    ],
)
def test_what_nearly_everyone_sends_is_read_by_column(attributes: dict[str, Any]) -> None:
    body = plain_request(attributes, resource={"host.name": "a", "process.pid": 7})
    found, odd = by_column(body)
    assert odd == [False] * 3
    assert found == one_by_one(body)


@pytest.mark.parametrize(
    "attributes",
    [
        {"openinference.span.kind": "LLM"},
        {"gen_ai.conversation.id": "a", "session.id": "b"},
        {"gen_ai.usage.input_tokens": "7"},
        {"user.id": 7},
        {"http.header.x": "x" * 40_000},
        {"penstock.exposure": "served"},
        {"gen_ai.tool.definitions": "[]"},
        {"gen_ai.server.time_to_first_token": 0.25},
        {"gen_ai.request.stop_sequences": ["a"]},
        {"nothing": None},
    ],
)
def test_what_takes_a_closer_look_is_left_out_alone(attributes: dict[str, Any]) -> None:
    request = trace_request(CHAT, span_id=b"\x01" * 8)
    trace_request({**CHAT, **attributes}, span_id=b"\x02" * 8, request=request)
    trace_request(CHAT, span_id=b"\x03" * 8, request=request)
    _, odd = by_column(request.SerializeToString())
    assert odd == [False, True, False]


def test_a_span_with_an_event_or_an_attribute_given_twice_is_left_out() -> None:
    request = trace_request(CHAT, span_id=b"\x01" * 8)
    request.resource_spans[0].scope_spans[0].spans[0].events.add(name="exception")
    trace_request(CHAT, span_id=b"\x02" * 8, request=request)
    set_attributes(request.resource_spans[1].scope_spans[0].spans[0].attributes, {"gen_ai.request.model": "other"})
    _, odd = by_column(request.SerializeToString())
    assert odd == [True, True]


def test_a_failed_span_has_an_error_type() -> None:
    request = trace_request(CHAT)
    request.resource_spans[0].scope_spans[0].spans[0].status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message="no"))
    _, odd = by_column(request.SerializeToString())
    assert odd == [True]  # for its message
    request.resource_spans[0].scope_spans[0].spans[0].status.message = ""
    (span,), _ = by_column(request.SerializeToString())
    assert (span.error_type, span.status, span.attributes) == ("error", "error", {})


def test_a_resource_that_cannot_be_decoded_is_bad_input() -> None:
    whole = trace_request(CHAT).SerializeToString()
    body = whole.replace(b"\x16\x0a\x0cservice.name", b"\x7f\x0a\x0cservice.name")  # longer than what it stands in
    assert body != whole
    with pytest.raises(BadInputError, match="resource"):
        read_plain_spans(read_trace_columns([body]), LATER)


def test_bodies_of_several_senders_are_each_answered_for() -> None:
    odd = trace_request({"openinference.span.kind": "LLM"}, trace_id=b"\x01" * 5).SerializeToString()
    whole = [plain_request(CHAT, 9), odd, plain_request(CHAT, 2, trace_id=b"\x05" * 16), b""]
    decoded = decode_bodies(whole, LATER)
    assert decoded.rows is not None
    assert decoded.rows.num_rows == 11
    told = [(request.rows, len(request.spans), request.rejected) for request in decoded.requests]
    assert told == [(9, 0, 0), (0, 1, 1), (2, 0, 0), (0, 0, 0)]


@pytest.mark.parametrize("broken", [b"hello", b"\x0a\xff", plain_request(CHAT, 9)[:-3]])
def test_a_body_that_is_none_is_bad_input(broken: bytes) -> None:
    with pytest.raises(BadInputError, match=str(len(broken))):
        decode_bodies([broken], LATER)


def test_a_value_of_two_kinds_on_the_wire_is_left_to_protobuf() -> None:
    body = trace_request({**CHAT, "k": "text"}).SerializeToString()
    twice = ExportTraceServiceRequest.FromString(body)
    pair = twice.resource_spans[0].scope_spans[0].spans[0].attributes[-1]
    assert pair.key == "k"
    value = pair.value.SerializeToString()
    assert value in body
    # The same length, so that no length around it changes: a shorter string, and a truth behind it.
    _, odd = by_column(body.replace(value, b"\x0a\x02te\x10\x01"))
    assert odd == [True]


def test_what_a_long_resource_says_is_repeated_no_more_than_fits_in_memory() -> None:
    request = None
    for number in range(2400):
        request = trace_request(
            CHAT, span_id=struct.pack(">Q", number + 1), request=request, resource={"x": "y" * 30_000 if not number else "z"}
        )
    assert request is not None
    spans = [group.scope_spans[0].spans[0] for group in request.resource_spans]
    del request.resource_spans[1:]
    request.resource_spans[0].scope_spans[0].spans.extend(spans[1:])
    read = read_plain_spans(read_trace_columns([request.SerializeToString()]), LATER)
    assert read.odd.all()
    assert read.rows.num_rows == 0
    del request.resource_spans[0].scope_spans[0].spans[200:]
    found, odd = by_column(request.SerializeToString())
    assert not any(odd)
    assert len(found[0].attributes["resource.x"]) == 30_000


def test_very_many_names_are_read_span_by_span() -> None:
    read = read_plain_spans(read_trace_columns([plain_request({f"n{number}": "x" for number in range(600)}, 1)]), LATER)
    assert read.odd.all()


def test_pieces_of_a_stream_are_one_answer_by_column_too() -> None:
    piece = {"role": "assistant", "parts": [{"type": "text", "content": "a"}], "finish_reason": ""}
    body = trace_request({**CHAT, "gen_ai.output.messages": json.dumps([piece, piece])}).SerializeToString()
    found, odd = by_column(body)
    assert (found, odd) == (stored(one_by_one(body)), [False])
    assert json.loads(found[0].output_messages or "") == [{**piece, "parts": [{"type": "text", "content": "aa"}]}]
