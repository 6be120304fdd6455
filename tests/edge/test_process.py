"""The real edge process: where it says it is, what it keeps when it is told to stop, and what happens when a worker dies."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from penstock.edge.run_file import RunningEdge, read_run_file, remove_run_file, run_file, write_run_file
from penstock.lake.lake import Lake
from penstock.registry.registry import Registry
from penstock.settings import LakeSettings
from tests.edge.live_server import wait_for


@contextmanager
def running_edge(home: Path, **settings: str) -> Iterator[tuple[subprocess.Popen[bytes], RunningEdge]]:
    environment = {
        **os.environ,
        "PENSTOCK_HOME": str(home),
        "PENSTOCK_EDGE_PORT": "0",
        "PENSTOCK_EDGE_GRPC_PORT": "0",
        **settings,
    }
    with (home / "edge.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "penstock.cli", "edge"], env=environment, stdout=log, stderr=log)
    try:
        yield process, wait_for(lambda: process.poll() is None and read_run_file(home), 60)
    finally:
        process.terminate()
        process.wait(40)


def send_spans(url: str, count: int, start: int = 0) -> None:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number in range(start, start + count):
        spans.add(
            trace_id=(number + 1).to_bytes(16, "big"),
            span_id=(number + 1).to_bytes(8, "big"),
            name="x",
            start_time_unix_nano=10**18,
        )
    response = httpx.post(
        f"{url}/v1/traces", content=request.SerializeToString(), headers={"content-type": "application/x-protobuf"}
    )
    assert response.status_code == 200


def spans_in_lake(home: Path) -> set[str]:
    lake = Lake(home / "lake", LakeSettings())
    lake.create()
    return {row.span_id for row in lake.to_records("spans", lake.current("spans"))}


def test_one_worker_says_where_it_is_and_leaves_everything_in_the_lake(home: Path) -> None:
    with running_edge(home) as (process, running):
        assert running.pid == process.pid and running.port > 0
        assert httpx.get(f"{running.url}/healthz").status_code == 200
        send_spans(running.url, 3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    assert not run_file(home).exists()
    assert len(spans_in_lake(home)) == 3


def send_spans_by_grpc(port: int, count: int) -> None:
    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=f"127.0.0.1:{port}", insecure=True)
    spans = [provider.get_tracer("x").start_span(f"x{number}") for number in range(count)]
    for span in spans:
        span.end()
    assert exporter.export(spans) is SpanExportResult.SUCCESS  # type: ignore[arg-type]  # spans of the SDK are readable
    exporter.shutdown()


def test_grpc_is_served_beside_http_and_leaves_everything_in_the_lake_as_well(home: Path) -> None:
    with running_edge(home) as (process, running):
        assert running.grpc_port
        send_spans_by_grpc(running.grpc_port, 3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    assert len(spans_in_lake(home)) == 3


def test_grpc_can_be_left_out(home: Path) -> None:
    with running_edge(home, PENSTOCK_EDGE_GRPC="false") as (_process, running):
        assert running.grpc_port is None
        assert httpx.get(f"{running.url}/healthz").status_code == 200


@pytest.mark.slow
def test_several_workers_share_the_port_of_grpc(home: Path) -> None:
    with running_edge(home, PENSTOCK_EDGE_WORKERS="2") as (process, running):
        assert running.grpc_port
        for _ in range(20):
            send_spans_by_grpc(running.grpc_port, 5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert len(spans_in_lake(home)) == 100


@pytest.mark.slow
def test_several_workers_share_the_port_and_one_that_is_killed_is_replaced_without_loss(home: Path) -> None:
    with running_edge(home, PENSTOCK_EDGE_WORKERS="2", PENSTOCK_EDGE_FLUSH_INTERVAL_S="60.0") as (process, running):
        assert running.workers == 2

        def workers() -> set[int]:
            found = set()
            for _ in range(30):
                with suppress(httpx.TransportError):  # a connection that the kernel had given to the one that died
                    found.add(httpx.get(f"{running.url}/v1/status").json()["pid"])
            return found

        first = wait_for(lambda: len(found := workers()) == 2 and found)
        for number in range(20):
            send_spans(running.url, 5, start=5 * number)
        os.kill(min(first), signal.SIGKILL)
        wait_for(lambda: len(found := workers()) == 2 and min(first) not in found, 60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert len(spans_in_lake(home)) == 100


@pytest.mark.slow
def test_workers_stop_when_their_parent_is_killed(home: Path) -> None:
    with running_edge(home, PENSTOCK_EDGE_WORKERS="2") as (process, running):
        process.kill()
        process.wait()

        def is_gone() -> bool:
            try:
                socket.create_connection(("127.0.0.1", running.port), 1).close()
            except OSError:
                return True
            return False

        wait_for(is_gone, 40)


def refused(home: Path, **settings: str) -> str:
    environment = {**os.environ, "PENSTOCK_HOME": str(home), "PENSTOCK_EDGE_GRPC_PORT": "0", **settings}
    ended = subprocess.run([sys.executable, "-m", "penstock.cli", "edge"], env=environment, capture_output=True, timeout=60)
    assert ended.returncode == 1
    return ended.stderr.decode()


def test_the_network_is_not_listened_on_without_a_key(home: Path, registry: Registry) -> None:
    message = refused(home, PENSTOCK_EDGE_HOST="0.0.0.0", PENSTOCK_EDGE_PORT="0")
    assert "API key" in message and "Traceback" not in message
    assert not run_file(home).exists()


def test_a_port_that_is_taken_is_told(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        message = refused(home, PENSTOCK_EDGE_PORT=str(taken.getsockname()[1]))
    assert "Cannot listen" in message and "edge.port" in message and "Traceback" not in message


def test_a_port_for_grpc_that_is_taken_is_told(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        message = refused(home, PENSTOCK_EDGE_PORT="0", PENSTOCK_EDGE_GRPC_PORT=str(taken.getsockname()[1]))
    assert "Cannot listen" in message and "edge.grpc_port" in message and "Traceback" not in message
    assert not run_file(home).exists()


@pytest.mark.slow
def test_several_workers_refuse_the_network_and_a_taken_port_alike(home: Path) -> None:
    assert "API key" in refused(home, PENSTOCK_EDGE_HOST="0.0.0.0", PENSTOCK_EDGE_PORT="0", PENSTOCK_EDGE_WORKERS="2")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "Cannot listen" in refused(home, PENSTOCK_EDGE_PORT=str(taken.getsockname()[1]), PENSTOCK_EDGE_WORKERS="2")


def test_a_run_file_of_another_process_is_left_alone(home: Path) -> None:
    write_run_file(home, "0.0.0.0", 4318, 1)
    running = read_run_file(home)
    assert running is not None and running.url == "http://127.0.0.1:4318"
    run_file(home).write_text(run_file(home).read_text().replace(f'"pid":{os.getpid()}', '"pid":1'))
    remove_run_file(home)
    assert run_file(home).exists()
