"""OTLP/HTTP: every rule of the specification that a server has to keep, with real exporters where they can say it."""

import gzip
import http.client
import json
import logging
import socket

import httpx
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult

from penstock.errors import StorageError
from tests.edge.recording_door import MOST_ANSWER_BYTES, Accepted, RecordingDoor

PROTOBUF = "application/x-protobuf"
JSON_TRACE = {
    "resourceSpans": [
        {
            "scopeSpans": [
                {"spans": [{"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174", "name": "chat m"}]}
            ]
        }
    ]
}


def trace_request(name: str = "chat m") -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"\1" * 16, span_id=b"\2" * 8, name=name)
    return request


def post(url: str, body: bytes, content_type: str = PROTOBUF, path: str = "/v1/traces", **headers: str) -> httpx.Response:
    return httpx.post(url + path, content=body, headers={"content-type": content_type, **headers})


def status_of(response: httpx.Response) -> Status:
    assert response.headers["content-type"] == PROTOBUF
    return Status.FromString(response.content)


def test_protobuf_spans_are_acknowledged_with_an_empty_body_in_protobuf(edge: str, door: RecordingDoor) -> None:
    response = post(edge, trace_request().SerializeToString())
    assert (response.status_code, response.headers["content-type"], response.content) == (200, PROTOBUF, b"")
    assert door.traces == [trace_request()]


def test_json_spans_are_acknowledged_with_an_empty_object_in_json(edge: str, door: RecordingDoor) -> None:
    response = post(edge, json.dumps(JSON_TRACE).encode(), "application/json")
    assert (response.status_code, response.headers["content-type"], response.json()) == (200, "application/json", {})
    span = door.traces[0].resource_spans[0].scope_spans[0].spans[0]
    assert span.trace_id.hex() == "5b8efff798038103d269b633813fc60c"


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON;charset=UTF-8"])
def test_a_content_type_may_have_parameters(edge: str, content_type: str) -> None:
    assert post(edge, b"{}", content_type).status_code == 200


def test_log_records_are_kept(edge: str, door: RecordingDoor) -> None:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(event_name="gen_ai.evaluation.result")
    assert post(edge, request.SerializeToString(), path="/v1/logs").status_code == 200
    assert door.logs == [request]


def test_metrics_are_answered_with_success_and_dropped(edge: str, door: RecordingDoor) -> None:
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    response = post(edge, request.SerializeToString(), path="/v1/metrics")
    assert (response.status_code, response.content) == (200, b"")
    assert not door.traces and not door.logs


def test_profiles_are_answered_with_success_and_dropped(edge: str, door: RecordingDoor) -> None:
    response = post(edge, b"", path="/v1development/profiles")
    assert (response.status_code, response.content) == (200, b"")
    assert not door.traces and not door.logs


@pytest.mark.parametrize("path", ["/api/public/otel/v1/traces", "/otel/v1/traces", "/api/v1/otel/v1/traces"])
def test_spans_are_taken_where_the_clients_of_langfuse_and_langsmith_send_them(edge: str, door: RecordingDoor, path: str) -> None:
    assert post(edge, trace_request().SerializeToString(), path=path).status_code == 200
    assert door.traces == [trace_request()]


@pytest.mark.parametrize(
    ("body", "content_type", "answer"), [(b"", PROTOBUF, b""), (b'{"resourceSpans":[]}', "application/json", b"{}")]
)
def test_an_empty_request_is_a_success(edge: str, body: bytes, content_type: str, answer: bytes) -> None:
    response = post(edge, body, content_type)
    assert (response.status_code, response.content) == (200, answer)


def test_gzip_is_inflated(edge: str, door: RecordingDoor) -> None:
    body = gzip.compress(trace_request().SerializeToString())
    assert post(edge, body, **{"content-encoding": "gzip"}).status_code == 200
    assert door.traces == [trace_request()]


def test_partial_success_says_how_many_were_rejected_and_why(edge: str, door: RecordingDoor) -> None:
    door.answer = Accepted(rejected=3, message="three spans have no trace id")
    response = post(edge, trace_request().SerializeToString())
    partial = ExportTraceServiceResponse.FromString(response.content).partial_success
    assert (response.status_code, partial.rejected_spans, partial.error_message) == (200, 3, "three spans have no trace id")


def test_partial_success_of_logs_counts_records(edge: str, door: RecordingDoor) -> None:
    door.answer = Accepted(rejected=2, message="two evaluations name no target")
    response = post(edge, b"", path="/v1/logs")
    partial = ExportLogsServiceResponse.FromString(response.content).partial_success
    assert (response.status_code, partial.rejected_log_records, partial.error_message) == (200, 2, door.answer.message)
    told = {"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": door.answer.message}}
    assert post(edge, b"{}", "application/json", "/v1/logs").json() == told


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
@pytest.mark.parametrize(("content_type", "body"), [(PROTOBUF, b""), ("application/json", b"{}")])
def test_an_answer_is_short_however_much_there_is_to_say(
    edge: str, door: RecordingDoor, path: str, content_type: str, body: bytes
) -> None:
    door.answer = Accepted(rejected=2**62, message="\u6c34" * MOST_ANSWER_BYTES)
    response = post(edge, body, content_type, path)
    assert response.status_code == 200
    assert 0 < len(response.content) < MOST_ANSWER_BYTES


def test_a_refusal_is_short_however_long_what_it_quotes_is(edge: str) -> None:
    span = {"startTimeUnixNano": "x" * 900_000}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    response = post(edge, body, "application/json")
    assert response.status_code == 400 and len(response.content) < 10_000


def test_a_warning_rejects_nothing_and_has_a_message(edge: str, door: RecordingDoor) -> None:
    door.answer = Accepted(rejected=0, message="old convention")
    response = post(edge, b"{}", "application/json")
    assert response.json() == {"partialSuccess": {"errorMessage": "old convention"}}


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", ""])
def test_another_content_type_is_refused_as_unsupported(edge: str, content_type: str) -> None:
    response = post(edge, b"x", content_type)
    assert response.status_code == 415
    assert response.json()["code"] == 3


def test_another_content_encoding_is_refused_as_unsupported(edge: str) -> None:
    assert post(edge, b"x", **{"content-encoding": "br"}).status_code == 415


def test_truncated_protobuf_is_refused_with_a_status_in_protobuf(edge: str, door: RecordingDoor) -> None:
    response = post(edge, trace_request("a long name").SerializeToString()[:-3])
    assert response.status_code == 400
    assert status_of(response).code == 3
    assert "protobuf" in status_of(response).message
    details = BadRequest()
    assert status_of(response).details[0].Unpack(details)
    assert details.field_violations[0].description == status_of(response).message
    assert not door.traces


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"resourceSpans": 3}',
        b'{"resourceSpans":[{"scopeSpans":"x"}]}',
        b"\xff\xfe",
        b'{"a": "\xff"}',
        b"[" * 100_000,
        b"",
    ],
)
def test_undecodable_json_is_refused_with_a_status_in_json(edge: str, body: bytes) -> None:
    response = post(edge, body, "application/json")
    assert (response.status_code, response.headers["content-type"], response.json()["code"]) == (400, "application/json", 3)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"resource_spans": []}, "resource_spans"),
        ({"resourceSpans": [{"scope_spans": []}]}, "scope_spans"),
        ({"resourceSpans": [{"scopeSpans": [{"spans": [{"trace_id": "5b8e"}]}]}]}, "trace_id"),
        ({"resourceLogs": [{"scopeLogs": [{"log_records": []}]}]}, "log_records"),
    ],
)
def test_json_with_keys_of_another_mapping_is_refused_and_the_key_named(edge: str, body: object, key: str) -> None:
    path = "/v1/logs" if "resourceLogs" in str(body) else "/v1/traces"
    response = post(edge, json.dumps(body).encode(), "application/json", path)
    assert response.status_code == 400 and key in response.json()["message"]


def test_json_values_are_read_as_the_mapping_of_otlp_has_them(edge: str, door: RecordingDoor) -> None:
    attributes = [
        {"key": "n", "value": {"intValue": "9007199254740993"}},
        {"key": "m", "value": {"intValue": 7}},
        {"key": "b", "value": {"bytesValue": "AAE="}},
    ]
    span = {
        "traceId": "5B8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "kind": 3,
        "attributes": attributes,
        "startTimeUnixNano": "1544712660000000000",
        "endTimeUnixNano": 1544712661000000000,
        "fromTheFuture": {"x": 1},
    }
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}], "unknown": []}
    assert post(edge, json.dumps(body).encode(), "application/json").status_code == 200
    read = door.traces[0].resource_spans[0].scope_spans[0].spans[0]
    assert (read.kind, read.start_time_unix_nano, read.end_time_unix_nano) == (3, 1544712660000000000, 1544712661000000000)
    assert [item.value.int_value for item in read.attributes[:2]] == [9007199254740993, 7]
    assert read.attributes[2].value.bytes_value == b"\0\1"


@pytest.mark.parametrize(
    "body", [b"no gzip at all", gzip.compress(b"x" * 1000, mtime=0)[:-9], gzip.compress(b"", mtime=0) + b"trailing"]
)
def test_broken_gzip_is_refused(edge: str, body: bytes) -> None:
    response = post(edge, body, **{"content-encoding": "gzip"})
    assert response.status_code == 400


def test_several_gzip_members_are_one_body(edge: str, door: RecordingDoor) -> None:
    body = trace_request().SerializeToString()
    members = gzip.compress(body[:5], mtime=0) + gzip.compress(body[5:], mtime=0) + b"\0" * 8
    assert post(edge, members, **{"content-encoding": "gzip"}).status_code == 200
    assert door.traces == [trace_request()]


def test_a_body_that_declares_too_much_is_refused(edge: str) -> None:
    response = post(edge, b"x" * 1_000_001)
    assert response.status_code == 413
    assert status_of(response).code == 8


def test_a_chunked_body_is_counted_while_it_is_read(edge: str) -> None:
    response = httpx.post(f"{edge}/v1/traces", content=(b"x" * 100_000 for _ in range(20)), headers={"content-type": PROTOBUF})
    assert response.status_code == 413


def test_a_gzip_bomb_is_refused_while_it_is_inflated(edge: str) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, mtime=0)
    assert len(bomb) < 1_000_000
    response = post(edge, bomb, **{"content-encoding": "gzip"})
    assert response.status_code == 413


def test_a_bomb_of_empty_gzip_members_is_refused(edge: str) -> None:
    assert post(edge, gzip.compress(b"", mtime=0) * 20_000, **{"content-encoding": "gzip"}).status_code == 400


def test_a_body_at_the_limit_is_taken(edge: str) -> None:
    padding = json.dumps({"unknown": ""})
    body = json.dumps({"unknown": "x" * (1_000_000 - len(padding))}).encode()
    assert len(body) == 1_000_000
    assert post(edge, body, "application/json").status_code == 200
    assert post(edge, gzip.compress(body, mtime=0), "application/json", **{"content-encoding": "gzip"}).status_code == 200


def test_a_full_spool_asks_to_come_back_and_recovers(edge: str, door: RecordingDoor) -> None:
    door.fill()
    response = post(edge, trace_request().SerializeToString())
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert status_of(response).code == 14
    retry = RetryInfo()
    assert status_of(response).details[0].Unpack(retry) and retry.retry_delay.seconds == int(response.headers["retry-after"])
    door.failure = None
    assert post(edge, trace_request().SerializeToString()).status_code == 200


@pytest.mark.parametrize(
    "failure", [StorageError("The disk is full."), OSError(28, "No space left on device"), RuntimeError("a bug")]
)
def test_no_failure_is_answered_with_500(
    edge: str, door: RecordingDoor, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    door.failure = failure
    response = post(edge, b"{}", "application/json")
    assert response.status_code == 503
    assert "retry-after" in response.headers


def test_a_real_exporter_is_served_with_gzip(edge: str, door: RecordingDoor) -> None:
    exporter = OTLPSpanExporter(endpoint=f"{edge}/v1/traces", compression=Compression.Gzip)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("chat m") as span:
        span.set_attribute("gen_ai.operation.name", "chat")
    provider.shutdown()
    assert door.traces[0].resource_spans[0].scope_spans[0].spans[0].name == "chat m"


def test_a_real_exporter_comes_back_after_a_full_spool(edge: str, door: RecordingDoor) -> None:
    door.fill()
    door.fails_once = True
    exporter = OTLPSpanExporter(endpoint=f"{edge}/v1/traces")
    span = TracerProvider().get_tracer("test").start_span("chat m")
    span.end()
    assert exporter.export([span]) is SpanExportResult.SUCCESS  # type: ignore[list-item]  # a span of the SDK is readable
    assert len(door.traces) == 1
    exporter.shutdown()


def test_a_client_that_goes_away_mid_body_harms_nobody(edge: str, door: RecordingDoor) -> None:
    host, port = edge.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 99\r\n\r\nabc"
        )
    assert post(edge, b"{}", "application/json").status_code == 200
    assert len(door.traces) == 1


def test_a_client_that_keeps_sending_too_much_still_gets_its_answer(edge: str) -> None:
    connection = http.client.HTTPConnection(edge.removeprefix("http://"))
    connection.request("POST", "/v1/traces", body=b"x" * 3_000_000, headers={"content-type": PROTOBUF})
    assert connection.getresponse().status == 413
    connection.close()
