"""Encoded trace requests as columns."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from penstock.errors import BadInputError
from penstock.formats.otlp_columns import read_trace_columns
from tests.ingest.otlp_requests import set_attributes


def two_groups() -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for service, spans in (("a", 2), ("b", 1)):
        group = request.resource_spans.add()
        set_attributes(group.resource.attributes, {"service.name": service})
        group.scope_spans.add()  # a scope without spans
        scope = group.scope_spans.add()
        scope.scope.name = f"scope {service}"
        for number in range(spans):
            span = scope.spans.add(name=f"{service}{number}", start_time_unix_nano=number + 1, trace_id=bytes([number]))
            set_attributes(span.attributes, {"text": service, "number": number, "nothing": None, "list": ["x"]})
            span.links.add(trace_id=b"\x07")
    request.resource_spans[1].scope_spans[1].spans[0].events.add(name="e")
    return request


def test_spans_of_all_groups_and_requests_stand_end_to_end() -> None:
    body = two_groups().SerializeToString()
    columns = read_trace_columns([body, b"", body])
    assert columns.name.to_pylist() == ["a0", "a1", "b0"] * 2
    assert columns.body_starts.tolist() == [0, 3, 3, 6]
    assert columns.start_ns.tolist() == [1, 2, 1] * 2
    assert columns.event_counts.tolist() == [0, 0, 1] * 2
    assert columns.attribute_starts.tolist() == list(range(0, 25, 4))
    scopes = [scope for _, scope in columns.groups]
    assert [scopes[group][2:] for group in columns.group] == [b"scope a", b"scope a", b"scope b"] * 2
    assert all(b"service.name" in resource for resource, _ in columns.groups)


def test_each_value_is_of_one_kind_and_what_is_nested_stays_encoded() -> None:
    columns = read_trace_columns([two_groups().SerializeToString()])
    values = {kind: array.to_pylist()[:4] for kind, array in columns.values.items() if array.null_count < len(array)}
    assert columns.keys.to_pylist()[:4] == ["text", "number", "nothing", "list"]
    assert values == {
        "string_value": ["a", None, None, None],
        "int_value": [None, 0, None, None],
        "array_value": [None, None, None, b"\x0a\x03\x0a\x01x"],
    }


@pytest.mark.parametrize("body", [b"hello", b"\x0a\xff", two_groups().SerializeToString()[:-1], b"\x0a\x02\x12\x7f"])
def test_what_is_no_request_is_bad_input_that_says_how_long_it_was(body: bytes) -> None:
    with pytest.raises(BadInputError, match=f"The body of {len(body)} bytes is no ExportTraceServiceRequest"):
        read_trace_columns([body])


def test_text_that_is_no_utf_8_is_bad_input() -> None:
    body = two_groups().SerializeToString().replace(b"a1", b"a\xff")
    with pytest.raises(BadInputError, match="UTF-8"):
        read_trace_columns([body])


def test_no_request_has_no_spans() -> None:
    assert len(read_trace_columns([])) == len(read_trace_columns([b""])) == 0
