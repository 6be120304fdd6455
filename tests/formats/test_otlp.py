"""OTLP bodies in both encodings."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from google.rpc.status_pb2 import Status

from penstock.errors import BadInputError
from penstock.formats.otlp import (
    Encoding,
    encode_response,
    encode_status,
    encoding_of,
    parse_logs,
    parse_metrics,
    parse_traces,
)
from tests.ingest.otlp_requests import CHAT, trace_request


def test_the_encoding_is_told_by_the_content_type_whatever_its_parameters() -> None:
    assert encoding_of("application/JSON; charset=utf-8") is Encoding.JSON
    assert encoding_of("application/x-protobuf") is Encoding.PROTOBUF
    assert encoding_of("text/plain") is None
    assert encoding_of(None) is None


def test_json_with_hexadecimal_ids_and_numbers_as_strings_is_the_same_request() -> None:
    span = {
        "traceId": "AB" * 16, "spanId": "02" * 8, "name": "x", "startTimeUnixNano": "17", "kind": 3, "unknownField": {"a": 1},
        "attributes": [{"key": "n", "value": {"intValue": 5}}, {"key": "m", "value": {"intValue": "6"}}],
    }  # fmt: skip
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    parsed = parse_traces(body, "application/json").resource_spans[0].scope_spans[0].spans[0]
    assert (parsed.trace_id, parsed.start_time_unix_nano) == (b"\xab" * 16, 17)
    assert [pair.value.int_value for pair in parsed.attributes] == [5, 6]


def in_json(record: dict[str, Any], where: str = "spans") -> bytes:
    """A request whose only span, resource, scope and so on is this."""
    groups = {
        "resource": {"resource": record},
        "scope": {"scopeSpans": [{"scope": record}]},
        "scopeSpans": {"scopeSpans": [record]},
        "spans": {"scopeSpans": [{"spans": [record]}]},
    }
    return json.dumps({"resourceSpans": [groups[where]]}).encode()


def with_value(value: dict[str, Any]) -> dict[str, Any]:
    return {"attributes": [{"key": "k", "value": value}]}


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (in_json(with_value({"string_value": "x"})), "string_value in AnyValue"),
        (in_json(with_value({"arrayValue": {"values": [{"stringValue": "x"}, {"int_value": 1}]}})), "int_value in AnyValue"),
        (
            in_json(with_value({"kvlistValue": {"values": [{"key": "k", "value": {"bool_value": True}}]}})),
            "bool_value in AnyValue",
        ),
        (in_json({"events": [{"name": "e"}, {"time_unix_nano": "1"}]}), "time_unix_nano in Event"),
        (in_json({"events": [with_value({"double_value": 1})]}), "double_value in AnyValue"),
        (in_json({"links": [{"trace_state": "a=b"}]}), "trace_state in Link"),
        (in_json({"links": [{"trace_id": "ab", "span_id": "cd"}]}), "span_id, trace_id in Link"),
        (in_json({"dropped_events_count": 1}), "dropped_events_count in Span"),
        (in_json({"dropped_attributes_count": 1}, "resource"), "dropped_attributes_count in Resource"),
        (in_json(with_value({"string_value": "x"}), "resource"), "string_value in AnyValue"),
        (in_json({"dropped_attributes_count": 1}, "scope"), "dropped_attributes_count in InstrumentationScope"),
        (in_json({"schema_url": "u"}, "scopeSpans"), "schema_url in ScopeSpans"),
        (b'{"resourceSpans": [{"schema_url": "u"}]}', "schema_url in ResourceSpans"),
    ],
)
def test_json_keys_are_lower_camel_case_wherever_a_field_is_known(body: bytes, key: str) -> None:
    with pytest.raises(BadInputError, match=f"lowerCamelCase; this body has {key}"):
        parse_traces(body, Encoding.JSON)


@pytest.mark.parametrize(("parse", "group"), [(parse_logs, "Logs"), (parse_metrics, "Metrics")])
def test_json_keys_are_lower_camel_case_in_every_signal(parse: Callable[[bytes, str], Any], group: str) -> None:
    resource = {"resource": with_value({"string_value": "x"})}
    with pytest.raises(BadInputError, match="string_value in AnyValue"):
        parse(json.dumps({f"resource{group}": [resource]}).encode(), Encoding.JSON)
    with pytest.raises(BadInputError, match=f"resource_{group.lower()}"):
        parse(json.dumps({f"resource_{group.lower()}": []}).encode(), Encoding.JSON)


@pytest.mark.parametrize("record", [{"fromTheFuture": {"trace_id": "x"}}, {"status": {"status_code": 2}, "links": None}])
def test_json_keys_that_nobody_knows_are_ignored_whatever_is_under_them(record: dict[str, Any]) -> None:
    assert len(parse_traces(in_json(record), Encoding.JSON).resource_spans[0].scope_spans[0].spans) == 1


def test_ids_are_hexadecimal_in_links_as_well() -> None:
    parsed = parse_traces(in_json({"links": [{"traceId": "AB" * 16, "spanId": "no"}]}), Encoding.JSON)
    (link,) = parsed.resource_spans[0].scope_spans[0].spans[0].links
    assert (link.trace_id, link.span_id) == (b"\xab" * 16, b"")


def test_protobuf_comes_back_as_it_was_sent() -> None:
    request = trace_request(CHAT)
    assert parse_traces(request.SerializeToString(), Encoding.PROTOBUF) == request


@pytest.mark.parametrize("content_type", ["application/json", "application/x-protobuf", "text/plain"])
def test_what_cannot_be_decoded_is_bad_input(content_type: str) -> None:
    with pytest.raises(BadInputError):
        parse_traces(b"\xff[not otlp", content_type)


def test_full_success_leaves_partial_success_unset() -> None:
    assert encode_response("traces", 0, "", Encoding.PROTOBUF) == b""
    assert json.loads(encode_response("traces", 0, "", Encoding.JSON)) == {}
    answer = json.loads(encode_response("logs", 2, "why", Encoding.JSON))
    assert answer == {"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "why"}}


def test_a_refusal_is_a_status_in_the_encoding_of_the_question() -> None:
    assert Status.FromString(encode_status(14, "no", Encoding.PROTOBUF)) == Status(code=14, message="no")
    assert json.loads(encode_status(14, "later", Encoding.JSON)) == {"code": 14, "message": "later"}
