"""OTLP bodies in both encodings."""

import json

import pytest
from google.rpc.status_pb2 import Status

from penstock.errors import BadInputError
from penstock.formats.otlp import Encoding, encode_response, encode_status, encoding_of, parse_traces
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
