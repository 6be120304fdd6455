"""Bodies as no library writes them: large ones, which are read by column, mean and refuse what small ones do."""

import struct

import pyarrow as pa
import pytest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as EncodedSpan

from penstock.errors import BadInputError
from penstock.formats.otlp import Encoding, parse_traces
from penstock.ingest.decode import decode_traces
from penstock.ingest.decode_bodies import FEWEST, decode_bodies
from penstock.lake.arrow_schema import from_arrow
from penstock.records.span import Span
from tests.ingest.otlp_requests import CHAT, nanoseconds, set_attributes
from tests.ingest.otlp_requests import wire_field as field
from tests.rows import LATER, T0

LARGE, SMALL = 12, 1
ODD = field(9, field(1, b"openinference.span.kind") + field(2, field(1, b"LLM")))  # an attribute that takes a closer look
RESOURCE, SCOPE, SCOPES, SPANS, SCHEMA_URL, LINKS, TRACE_STATE = 1, 1, 2, 2, 3, 13, 3
NO_TEXT = field(3, b"a\xff")
BROKEN = {
    "bad varint": b"\x30" + b"\xff" * 11,
    "truncated": b"\x0a\x10abc",
    "hello": b"hello",
    "no UTF-8": NO_TEXT,
    "within an attribute": field(4, field(1, b"k") + field(2, field(5, b"hello"))),
}


def attribute(name: str, value: str) -> bytes:
    pair = KeyValue(key=name)
    pair.value.string_value = value
    return field(1, pair.SerializeToString())


def encoded_span(number: int) -> bytes:
    begun = nanoseconds(T0)
    span = EncodedSpan(trace_id=b"\1" * 16, span_id=struct.pack(">Q", number + 1), name="chat m", start_time_unix_nano=begun)
    set_attributes(span.attributes, CHAT)
    return span.SerializeToString()


def body(
    count: int,
    *,
    span: bytes = b"",
    scope: tuple[bytes, ...] = (b"",),
    resource: tuple[bytes, ...] = (b"",),
    scope_spans: bytes = b"",
    resource_spans: bytes = b"",
    behind: bytes = b"",
) -> bytes:
    """A request of one group, in which the last span, the scopes, the resource and so on say more than they should."""
    encoded = [encoded_span(number) + (span if number == count - 1 else b"") for number in range(count)]
    # The first before the spans, the others behind them.
    of_scope = [field(SCOPE, piece) for piece in scope]
    of_scope.insert(1, b"".join(field(SPANS, one) for one in encoded))
    of_resource = [field(RESOURCE, piece) for piece in resource]
    of_resource.insert(1, field(SCOPES, b"".join(of_scope) + scope_spans))
    return field(1, b"".join(of_resource) + resource_spans) + behind


def large(encoded: bytes) -> list[Span]:
    """As the edge reads it, in the order of the ids."""
    decoded = decode_bodies([encoded], LATER)
    assert decoded.rows is not None
    rows = from_arrow(Span, pa.Table.from_batches([decoded.rows]))
    return sorted([*rows, *decoded.requests[0].spans], key=lambda span: span.span_id)


def small(encoded: bytes) -> list[Span]:
    return decode_traces(parse_traces(encoded, Encoding.PROTOBUF), LATER).spans


@pytest.mark.parametrize("odd", [b"", ODD])
@pytest.mark.parametrize(
    "resource",
    [
        (attribute("service.name", "a"), attribute("host.name", "h")),
        (attribute("service.name", "a"), attribute("service.name", "b")),
        (attribute("service.name", "a"), b"", attribute("n", "1")),
        (attribute("service.name", "a"), b""),
    ],
)
def test_a_resource_given_several_times_is_merged(resource: tuple[bytes, ...], odd: bytes) -> None:
    encoded = body(LARGE, resource=resource, span=odd)
    read = large(encoded)
    assert read == small(encoded)
    assert len(read) == LARGE >= FEWEST
    assert {span.application for span in read} == {"b" if b"b" in resource[1] else "a"}


@pytest.mark.parametrize(("second", "scope"), [(field(2, b"v1"), "tests v1"), (field(1, b"other"), "other"), (b"", "tests")])
def test_a_scope_given_twice_is_merged(second: bytes, scope: str) -> None:
    encoded = body(LARGE, scope=(field(1, b"tests"), second))
    read = large(encoded)
    assert read == small(encoded)
    assert {span.scope for span in read} == {scope}


def test_a_whole_link_changes_nothing() -> None:
    link = EncodedSpan.Link(trace_id=b"\7" * 16, span_id=b"\7" * 8, trace_state="a=b", flags=1)
    set_attributes(link.attributes, {"list": ["x"], "n": 1})
    encoded = body(LARGE, span=field(LINKS, link.SerializeToString()) * 2)
    assert large(encoded) == small(encoded) == small(body(LARGE))


@pytest.mark.parametrize("count", [SMALL, LARGE])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_link_that_is_none_is_refused(count: int, broken: str) -> None:
    encoded = body(count, span=field(LINKS, b"") + field(LINKS, BROKEN[broken]))
    with pytest.raises(BadInputError, match=f"The body of {len(encoded)} bytes is no ExportTraceServiceRequest"):
        decode_bodies([encoded], LATER)


@pytest.mark.parametrize("count", [SMALL, LARGE])
@pytest.mark.parametrize(
    "broken",
    [
        {"resource": (b"hello", b"")},
        {"resource": (b"\x0a", b"\x00")},  # end to end they would be whole
        {"resource": (b"", b"", b"hello")},
        {"scope": (b"hello", b"")},
        {"span": field(TRACE_STATE, b"\xff")},
        {"scope_spans": field(SCHEMA_URL, b"\xff")},
        {"resource_spans": field(SCHEMA_URL, b"\xff")},
        {"behind": field(1, field(RESOURCE, b"hello"))},  # a resource without spans
        {"behind": field(1, field(SCOPES, field(SCOPE, b"hello")))},
    ],
)
def test_what_is_not_kept_is_refused_all_the_same_where_it_is_broken(count: int, broken: dict[str, bytes]) -> None:
    with pytest.raises(BadInputError):
        decode_bodies([body(count, **broken)], LATER)  # type: ignore[arg-type]  # each argument has its own type


ARRAY, MAP, STRING = 5, 6, 1
ONE = [field(1, field(1, text)) for text in (b"a", b"b")]
ENTRIES = [field(1, field(1, key) + field(2, field(1, b"v"))) for key in (b"k", b"l")]


@pytest.mark.parametrize("name", [b"gen_ai.response.finish_reasons", b"gen_ai.input.messages", b"anything"])
@pytest.mark.parametrize(
    "value",
    [
        field(2, field(ARRAY, ONE[0]) + field(ARRAY, ONE[1])),
        field(2, field(ARRAY, b"") + field(ARRAY, ONE[1])),
        field(2, field(ARRAY, ONE[0])) + field(2, field(ARRAY, ONE[1])),
        field(2, field(MAP, ENTRIES[0]) + field(MAP, ENTRIES[1])),
        field(2, field(ARRAY, ONE[0]) + field(STRING, b"text") + field(ARRAY, ONE[1])),
        field(2, field(ARRAY, ONE[0]) + field(STRING, b"text")),
        field(2, field(STRING, b"text") + field(MAP, ENTRIES[0])),
        field(2, field(MAP, ENTRIES[0]) + field(ARRAY, ONE[0])),
    ],
)
def test_a_value_given_several_times_is_what_protobuf_makes_of_it(name: bytes, value: bytes) -> None:
    attributes = EncodedSpan.FromString(encoded_span(0)).attributes
    bare = EncodedSpan(trace_id=b"\1" * 16, span_id=b"\7" * 8, name="chat m", start_time_unix_nano=nanoseconds(T0))
    bare.attributes.extend(pair for pair in attributes if pair.key.encode() != name)
    odd = bare.SerializeToString() + field(9, field(1, name) + value)
    encoded = field(1, field(SCOPES, b"".join(field(SPANS, encoded_span(number)) for number in range(LARGE)) + field(SPANS, odd)))
    assert large(encoded) == sorted(small(encoded), key=lambda span: span.span_id)


@pytest.mark.parametrize("number", [ARRAY, MAP])
def test_broken_pieces_that_make_a_whole_one_end_to_end_are_refused(number: int) -> None:
    whole = field(1, field(1, b"text"))
    pieces = field(2, field(number, whole[:1]) + field(number, whole[1:]))
    encoded = body(LARGE, span=field(9, field(1, b"k") + pieces))
    with pytest.raises(BadInputError):
        small(encoded)
    with pytest.raises(BadInputError):
        large(encoded)
