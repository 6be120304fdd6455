"""OTLP/gRPC: every rule of the specification that a server has to keep, with real exporters where they can say it."""

import gzip
import logging
import socket
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from penstock.edge.application import build_edge_app
from penstock.edge.keys import KeyGuard
from penstock.edge.otlp_grpc import OtlpGrpcServer
from penstock.errors import ConfigurationError, StorageError
from penstock.records.access import Scope
from penstock.registry.registry import Registry
from penstock.settings import Settings
from tests.edge.live_server import serve
from tests.edge.recording_door import MOST_ANSWER_BYTES, Accepted, RecordingDoor

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
PROFILES = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"


@pytest.fixture
def target(door: RecordingDoor, registry: Registry, settings: Settings) -> Iterator[str]:
    """Where a gRPC server that takes a million bytes at most listens."""
    server = OtlpGrpcServer(door, KeyGuard(registry.keys, host="127.0.0.1"), "127.0.0.1:0", 1_000_000)
    with serve(build_edge_app(door, registry, settings), grpc=server):
        yield f"127.0.0.1:{server.port}"


def call(target: str, body: bytes, method: str = TRACES, **options: Any) -> bytes:
    with grpc.insecure_channel(target) as channel:
        answer: bytes = channel.unary_unary(method)(body, timeout=20, **options)
        return answer


def refusal(target: str, body: bytes, method: str = TRACES, **options: Any) -> tuple[Any, Status]:
    """The error of a call, and the google.rpc.Status in its trailers."""
    with pytest.raises(grpc.RpcError) as refused:
        call(target, body, method, **options)
    error: Any = refused.value
    trailers = dict(error.trailing_metadata())
    return error, Status.FromString(trailers.get("grpc-status-details-bin", b""))


def trace_request(name: str = "chat m") -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"\1" * 16, span_id=b"\2" * 8, name=name)
    return request


def a_span() -> Any:
    span = TracerProvider().get_tracer("test").start_span("chat m")
    span.end()
    return span


def test_spans_are_acknowledged_with_an_empty_message(target: str, door: RecordingDoor) -> None:
    assert call(target, trace_request().SerializeToString()) == b""
    assert door.traces == [trace_request()]


def test_log_records_are_kept(target: str, door: RecordingDoor) -> None:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(event_name="gen_ai.evaluation.result")
    assert call(target, request.SerializeToString(), LOGS) == b""
    assert door.logs == [request]


@pytest.mark.parametrize("method", [METRICS, PROFILES])
def test_metrics_and_profiles_are_answered_with_success_and_dropped(target: str, door: RecordingDoor, method: str) -> None:
    assert call(target, b"", method) == b""
    assert not door.traces and not door.logs


def test_an_empty_request_is_a_success(target: str) -> None:
    assert call(target, b"") == b""


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_compressed_request_is_inflated(target: str, door: RecordingDoor, compression: Any) -> None:
    assert call(target, trace_request("x" * 1000).SerializeToString(), compression=compression) == b""
    assert door.traces == [trace_request("x" * 1000)]


def test_partial_success_says_how_many_were_rejected_and_why(target: str, door: RecordingDoor) -> None:
    door.answer = Accepted(rejected=3, message="three spans have no trace id")
    partial = ExportTraceServiceResponse.FromString(call(target, trace_request().SerializeToString())).partial_success
    assert (partial.rejected_spans, partial.error_message) == (3, "three spans have no trace id")


def test_partial_success_of_logs_counts_records(target: str, door: RecordingDoor) -> None:
    door.answer = Accepted(rejected=2, message="two evaluations name no target")
    partial = ExportLogsServiceResponse.FromString(call(target, b"", LOGS)).partial_success
    assert (partial.rejected_log_records, partial.error_message) == (2, "two evaluations name no target")


@pytest.mark.parametrize("method", [TRACES, LOGS])
def test_an_answer_is_short_however_much_there_is_to_say(target: str, door: RecordingDoor, method: str) -> None:
    door.answer = Accepted(rejected=2**62, message="\u6c34" * MOST_ANSWER_BYTES)
    assert 0 < len(call(target, b"", method)) < MOST_ANSWER_BYTES


@pytest.mark.parametrize("body", [b"\xff\xff", trace_request().SerializeToString()[:-3], gzip.compress(b"", mtime=0)])
def test_what_cannot_be_decoded_is_an_invalid_argument_that_says_why(target: str, door: RecordingDoor, body: bytes) -> None:
    error, status = refusal(target, body)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT and "protobuf" in error.details()
    bad_request = BadRequest()
    assert status.code == 3 and status.details[0].Unpack(bad_request)
    assert "protobuf" in bad_request.field_violations[0].description
    assert not door.traces


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_too_much_as_sent_or_inflated_is_exhausted_and_not_to_be_tried_again(target: str, compression: Any) -> None:
    error, status = refusal(target, trace_request("x" * 40_000_000).SerializeToString(), compression=compression)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not status.details
    assert call(target, b"") == b""


def test_a_full_spool_is_unavailable_with_the_time_of_the_next_try(target: str, door: RecordingDoor) -> None:
    door.fill()
    error, status = refusal(target, trace_request().SerializeToString())
    retry = RetryInfo()
    assert error.code() is grpc.StatusCode.UNAVAILABLE and "spool" in error.details()
    assert status.code == 14 and status.details[0].Unpack(retry)
    assert retry.retry_delay == Duration(seconds=2)
    door.failure = None
    assert call(target, trace_request().SerializeToString()) == b""


@pytest.mark.parametrize(
    "failure", [StorageError("The disk is full."), OSError(28, "No space left on device"), RuntimeError("a bug")]
)
def test_every_failure_of_ours_invites_a_second_try(
    target: str, door: RecordingDoor, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    door.failure = failure
    error, status = refusal(target, trace_request().SerializeToString())
    assert error.code() is grpc.StatusCode.UNAVAILABLE and len(status.details) == 1


def test_a_long_reason_in_any_script_still_fits_into_the_trailers(target: str, door: RecordingDoor) -> None:
    door.failure = StorageError("\u6c34\u8eca" * 5000)
    error, _ = refusal(target, trace_request().SerializeToString())
    assert error.code() is grpc.StatusCode.UNAVAILABLE and error.details().startswith("\u6c34\u8eca")


def test_another_method_is_unimplemented(target: str) -> None:
    error, _ = refusal(target, b"", "/grpc.health.v1.Health/Check")
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_keys_are_shown_in_metadata_just_as_in_headers(target: str, registry: Registry) -> None:
    key, other = registry.keys.create("in", {Scope.INGEST}), registry.keys.create("back", {Scope.FEEDBACK})
    assert refusal(target, b"")[0].code() is grpc.StatusCode.UNAUTHENTICATED
    assert refusal(target, b"", metadata=[("x-api-key", "pk_1_2")])[0].code() is grpc.StatusCode.UNAUTHENTICATED
    assert refusal(target, b"", metadata=[("x-api-key", other)])[0].code() is grpc.StatusCode.PERMISSION_DENIED
    assert call(target, b"", metadata=[("x-api-key", key)]) == b""
    assert call(target, b"", metadata=[("authorization", f"Bearer {key}")]) == b""


def test_a_real_exporter_is_served_with_gzip_and_a_key(target: str, door: RecordingDoor, registry: Registry) -> None:
    key = registry.keys.create("in", {Scope.INGEST})
    exporter = OTLPSpanExporter(
        endpoint=target, insecure=True, compression=grpc.Compression.Gzip, headers=(("authorization", f"Bearer {key}"),)
    )
    assert exporter.export([a_span()]) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert door.traces[0].resource_spans[0].scope_spans[0].spans[0].name == "chat m"


def test_a_real_exporter_comes_back_after_a_full_spool(target: str, door: RecordingDoor) -> None:
    door.fill()
    door.fails_once = True
    exporter = OTLPSpanExporter(endpoint=target, insecure=True)
    assert exporter.export([a_span()]) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert len(door.traces) == 1


def test_real_exporters_of_logs_and_metrics_are_served(target: str, door: RecordingDoor) -> None:
    logs = LoggerProvider()
    logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(endpoint=target, insecure=True)))
    logs.get_logger("app").emit(LogRecord(timestamp=10**18, event_name="gen_ai.evaluation.result"))
    logs.shutdown()
    metrics = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=target, insecure=True))])
    metrics.get_meter("app").create_counter("tokens").add(1)
    assert metrics.force_flush()
    metrics.shutdown()
    assert door.logs[0].resource_logs[0].scope_logs[0].log_records[0].event_name == "gen_ai.evaluation.result"


async def test_a_port_that_another_program_holds_alone_is_told(registry: Registry, door: RecordingDoor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = OtlpGrpcServer(door, KeyGuard(registry.keys, host="127.0.0.1"), address, 1_000_000)
        with pytest.raises(ConfigurationError, match=r"edge\.grpc_port"):
            await server.start()
