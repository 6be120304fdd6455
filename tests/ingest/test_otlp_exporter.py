"""Sending to another backend, over real HTTP: what is sent, and what each answer means."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from penstock.errors import BadInputError, ConfigurationError, UpstreamError
from penstock.formats.otlp_export import export_spans
from penstock.ingest.otlp_exporter import LOGS, TRACES, OtlpExporter, Sent, TooLargeError
from penstock.policy_settings import ForwardSettings
from tests.replay.receiver import Receiver, receiving
from tests.rows import make_span, trace

REQUEST = export_spans([make_span(trace(1), "00000000000000ab")], with_thin_rows=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def exporters() -> Iterator[list[OtlpExporter]]:
    """Those made by a test, closed after it."""
    made: list[OtlpExporter] = []
    yield made
    for exporter in made:
        exporter.close()


def export(made: list[OtlpExporter], url: str, environment: dict[str, str] | None = None, **settings: Any) -> OtlpExporter:
    made.append(OtlpExporter(ForwardSettings(endpoint=url, **settings), environment or {}, "far"))
    return made[-1]


def test_a_request_goes_out_compressed_with_its_headers(receiver: Receiver, exporters: list[OtlpExporter]) -> None:
    exporter = export(
        exporters, receiver.url + "/base/", {"KEY": "secret"}, headers={"x-team": "a"}, headers_env={"x-api-key": "KEY"}
    )
    assert exporter.send_telemetry(TRACES, REQUEST) == Sent()
    assert receiver.bodies == [("/base/v1/traces", "application/x-protobuf", REQUEST.SerializeToString())]
    sent = receiver.headers[0]
    assert (sent["content-encoding"], sent["x-team"], sent["x-api-key"]) == ("gzip", "a", "secret")


def test_compression_can_be_turned_off(receiver: Receiver, exporters: list[OtlpExporter]) -> None:
    export(exporters, receiver.url, compression="none").send_telemetry(LOGS, REQUEST)
    assert "content-encoding" not in receiver.headers[0]


def test_a_secret_that_is_not_there_is_told_before_anything_is_sent(receiver: Receiver) -> None:
    with pytest.raises(ConfigurationError, match=r"policy\.forward\.far .* KEY"):
        OtlpExporter(ForwardSettings(endpoint=receiver.url, headers_env={"x-api-key": "KEY"}), {"KEY": ""}, "far")


@pytest.mark.parametrize("status", [400, 415, 422])
def test_what_the_backend_cannot_read_is_refused_for_good(status: int, receiver: Receiver, exporters: list[OtlpExporter]) -> None:
    receiver.misbehave = lambda *_: (status, b"no such thing", {})
    with pytest.raises(BadInputError, match=f"{status}: no such thing"):
        export(exporters, receiver.url).send_telemetry(TRACES, REQUEST)


@pytest.mark.parametrize("status", [301, 401, 403, 404, 429, 500, 502, 503, 504])
def test_all_else_may_be_mended_and_is_kept(status: int, receiver: Receiver, exporters: list[OtlpExporter]) -> None:
    receiver.misbehave = lambda *_: (status, b"", {"Location": "http://127.0.0.1:9/"})
    with pytest.raises(UpstreamError, match=str(status)):
        export(exporters, receiver.url).send_telemetry(TRACES, REQUEST)


def test_feedback_where_there_is_no_such_path_is_refused_for_good(receiver: Receiver, exporters: list[OtlpExporter]) -> None:
    receiver.misbehave = lambda *_: (404, b"", {})
    with pytest.raises(BadInputError):
        export(exporters, receiver.url).send_feedback([{"name": "x"}])


def test_a_body_that_is_too_large_is_told_apart(receiver: Receiver, exporters: list[OtlpExporter]) -> None:
    receiver.misbehave = lambda *_: (413, b"", {})
    with pytest.raises(TooLargeError):
        export(exporters, receiver.url).send_telemetry(TRACES, REQUEST)


def test_nothing_is_sent_before_the_time_that_retry_after_names(receiver: Receiver, exporters: list[OtlpExporter]) -> None:
    receiver.misbehave = lambda number, *_: (503, b"", {"Retry-After": "0.5"}) if number == 1 else None
    exporter = export(exporters, receiver.url)
    for _ in range(3):
        with pytest.raises(UpstreamError):
            exporter.send_telemetry(TRACES, REQUEST)
    assert receiver.requests == 1
    time.sleep(0.55)
    assert exporter.send_telemetry(TRACES, REQUEST) == Sent()


def test_partial_success_is_counted(receiver: Receiver, exporters: list[OtlpExporter]) -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans, answer.partial_success.error_message = 1, "bad id"
    receiver.misbehave = lambda *_: (200, answer.SerializeToString(), {})
    assert export(exporters, receiver.url).send_telemetry(TRACES, REQUEST) == Sent(1, "bad id")
    receiver.misbehave = lambda *_: (200, b"\xff no protobuf", {})
    assert export(exporters, receiver.url).send_telemetry(TRACES, REQUEST) == Sent()


def test_a_dead_endpoint_and_a_slow_one_are_told(exporters: list[OtlpExporter], receiver: Receiver) -> None:
    with pytest.raises(UpstreamError, match="does not answer"):
        export(exporters, "http://127.0.0.1:9").send_telemetry(TRACES, REQUEST)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UpstreamError, match="does not answer"):
        export(exporters, f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.3).send_telemetry(TRACES, REQUEST)
