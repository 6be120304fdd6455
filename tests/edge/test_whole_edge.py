"""The edge with its real door, spool and lake: what a client sends is what the lake holds, redacted and joinable."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import httpx
import msgspec
import openai
import pytest
from langfuse import Langfuse
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from penstock.assembly import build_edge_services
from penstock.edge.application import build_edge_app
from penstock.edge.keys import KeyGuard
from penstock.edge.otlp_grpc import OtlpGrpcServer
from penstock.edge.server import hold_port
from penstock.ingest.settle import settle_interactions
from penstock.ingest.settle_feedback import settle_feedback
from penstock.lake.lake import Lake
from penstock.policy_settings import PolicySettings, RedactSettings
from penstock.records.clock import WriterClock, utc_now
from penstock.settings import LakeSettings, Settings
from penstock.signals.run import run_signals
from tests.edge.conftest import checkpoint
from tests.edge.live_server import serve, wait_for
from tests.edge.recording_door import MOST_ANSWER_BYTES

Rows = Callable[[str], list[Any]]


@pytest.fixture
def rows(settings: Settings) -> Rows:
    def read(table: str) -> list[Any]:
        lake = Lake(settings.home_path / "lake", LakeSettings())
        lake.create()
        return list(lake.to_records(table, lake.current(table)))

    return read


@pytest.fixture
def grpc_port() -> Iterator[int]:
    with hold_port("127.0.0.1", 0, "edge.grpc_port") as port:
        yield port


@pytest.fixture
def whole(gateway_settings: Settings, rows: Rows, grpc_port: int) -> Iterator[str]:
    assert rows("spans") == []
    policy = PolicySettings(redact=RedactSettings(hashed_keys=["ticket_id"]))
    edge = msgspec.structs.replace(gateway_settings.edge, flush_interval_s=0.05)
    settings = msgspec.structs.replace(gateway_settings, policy=policy, edge=edge)
    services = build_edge_services(settings, 0)
    services.registry.checkpoints.put(checkpoint("one", "m1"))
    services.registry.routes.set_stable("assistant", "c_one", utc_now())
    try:
        grpc_server = OtlpGrpcServer(
            services.door, KeyGuard(services.registry.keys, host="127.0.0.1"), f"127.0.0.1:{grpc_port}", 1_000_000
        )
        with serve(build_edge_app(services.door, services.registry, settings), grpc=grpc_server) as url:
            yield url
    finally:
        services.close(10.0)


def test_spans_of_a_real_exporter_reach_the_lake(whole: str, rows: Rows) -> None:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{whole}/v1/traces", compression=Compression.Gzip)))
    for number in range(20):
        with provider.get_tracer("app").start_as_current_span(f"chat m{number}") as span:
            span.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "user.id": "jane@example.com"})
    provider.shutdown()
    found = wait_for(lambda: len(found := rows("spans")) == 20 and found)
    assert {row.operation for row in found} == {"chat"}
    assert all("jane" not in row.user_id for row in found)


def test_log_events_of_a_real_exporter_reach_the_lake_as_feedback(whole: str, rows: Rows) -> None:
    provider = LoggerProvider()
    provider.add_log_record_processor(
        SimpleLogRecordProcessor(OTLPLogExporter(endpoint=f"{whole}/v1/logs", compression=Compression.Gzip))
    )
    attributes = {"gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": 0.5, "gen_ai.response.id": "resp-1"}
    record = LogRecord(
        timestamp=10**18, severity_number=SeverityNumber.INFO, attributes=attributes, event_name="gen_ai.evaluation.result"
    )
    provider.get_logger("app").emit(record)
    provider.shutdown()
    found = wait_for(lambda: rows("feedback"))
    assert (found[0].target_kind, found[0].target_id, found[0].name, found[0].value) == ("response", "resp-1", "relevance", 0.5)


def test_thousands_that_are_rejected_are_counted_in_a_short_answer(whole: str, grpc_port: int) -> None:
    traces, logs = ExportTraceServiceRequest(), ExportLogsServiceRequest()
    spans, records = traces.resource_spans.add().scope_spans.add().spans, logs.resource_logs.add().scope_logs.add().log_records
    for _ in range(3000):
        spans.add(name="x" * 200)
        records.add(event_name="gen_ai.evaluation.result")
    answers: list[Any] = []
    headers = {"content-type": "application/x-protobuf"}
    with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        for signal, service, request in (("traces", "trace.v1.TraceService", traces), ("logs", "logs.v1.LogsService", logs)):
            body = request.SerializeToString()
            export = channel.unary_unary(f"/opentelemetry.proto.collector.{service}/Export")
            by_http = httpx.post(f"{whole}/v1/{signal}", content=body, headers=headers, timeout=30).content
            answers += [by_http, export(body, timeout=30)]
    assert max(map(len, answers)) < MOST_ANSWER_BYTES
    of_traces = [ExportTraceServiceResponse.FromString(answer).partial_success for answer in answers[:2]]
    of_logs = [ExportLogsServiceResponse.FromString(answer).partial_success for answer in answers[2:]]
    assert (
        [partial.rejected_spans for partial in of_traces] == [partial.rejected_log_records for partial in of_logs] == [3000] * 2
    )
    assert all("and 2995 more" in partial.error_message for partial in (*of_traces, *of_logs))


def test_what_passes_through_the_gateway_joins_with_its_feedback_and_is_redacted(whole: str, rows: Rows) -> None:
    headers = {"x-penstock-session": "jane@example.com-1", "x-penstock-key-ticket_id": "T-9", "x-penstock-request-id": "req-1"}
    with openai.OpenAI(base_url=f"{whole}/v1", api_key="x", max_retries=0, default_headers=headers) as client:
        messages: Any = [{"role": "user", "content": "Write to jane@example.com"}]
        client.chat.completions.create(model="assistant", messages=messages, user="jane")
    reports = [
        {"request_id": "req-1", "name": "rating", "value": 1, "text": "ask joe@example.com"},
        {"session_id": "jane@example.com-1", "name": "outcome.solved", "value": True},
        {"key": {"name": "ticket_id", "value": "T-9"}, "name": "outcome.closed", "value": True},
    ]
    assert httpx.post(f"{whole}/v1/feedback", json=reports).json()["accepted"] == 3
    span = wait_for(lambda: rows("spans"))[0]
    found = wait_for(lambda: len(found := rows("feedback")) == 3 and found)
    feedback = {row.target_kind: row for row in found}
    assert (span.dialect, span.checkpoint_id, span.release_arm) == ("gateway", "c_one", "stable")
    assert feedback["request"].target_id == span.request_id == "req-1"
    assert feedback["session"].target_id == span.session_id
    assert feedback["key"].target_id == span.keys["ticket_id"] != "T-9"
    kept = str(span) + str(feedback)
    assert "example.com" not in kept and "'jane'" not in kept
    assert span.token_logprobs


def test_a_correction_sent_by_langfuses_client_is_an_edit_of_the_answer_that_came_by_grpc(
    grpc_port: int, whole: str, rows: Rows, settings: Settings
) -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(GrpcSpanExporter(endpoint=f"127.0.0.1:{grpc_port}", insecure=True)))
    answer = [{"role": "assistant", "parts": [{"type": "text", "content": "It is A-1001."}]}]
    tracer = provider.get_tracer("app")
    with tracer.start_as_current_span("agent") as agent, tracer.start_as_current_span("chat m") as span:
        span.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.output.messages": json.dumps(answer)})
    provider.shutdown()
    client = Langfuse(public_key="pk-lf-whole", secret_key="any", base_url=whole, tracer_provider=TracerProvider())
    trace_id, span_id = (f"{agent.get_span_context().trace_id:032x}", f"{agent.get_span_context().span_id:016x}")
    correction = {"name": "output", "value": "It is A-1002.", "data_type": "CORRECTION"}
    client.create_score(**correction, trace_id=trace_id, observation_id=span_id)
    client.flush()
    wait_for(lambda: len(rows("spans")) == 2 and rows("feedback"))
    client.shutdown()
    lake, clock = Lake(settings.home_path / "lake", LakeSettings()), WriterClock()
    settle_interactions(lake, clock)
    settle_feedback(lake, clock, 24)
    run_signals(lake, clock)
    found = {row.name: row for row in rows("signals")}
    assert (found["edit"].text, round(found["edit"].value, 3)) == ("It is A-1002.", 0.25)
    assert found["edit"].interaction_id == rows("interactions")[0].interaction_id


LANGSMITH_PROGRAM = """
import uuid
from langsmith import Client, traceable

client = Client()

@traceable(run_type="llm", name="model", client=client)
def ask(messages):
    return {"role": "assistant", "content": "It is A-1001."}

@traceable(name="chain", client=client)
def answer(question):
    return ask([{"role": "user", "content": question}])

run_id = uuid.uuid4()
answer("Which order?", langsmith_extra={"run_id": run_id, "metadata": {"penstock.request.id": str(run_id)}})
client.flush()
client.create_feedback(run_id, key="rating", score=True, correction={"output": "It is A-1002."})
"""


def test_what_langsmiths_client_traces_and_reports_joins(whole: str, rows: Rows, settings: Settings) -> None:
    variables = {"LANGSMITH_ENDPOINT": whole, "LANGSMITH_API_KEY": "any", "LANGSMITH_TRACING": "true"}
    modes = {"LANGSMITH_OTEL_ENABLED": "true", "LANGSMITH_OTEL_ONLY": "true"}
    subprocess.run([sys.executable, "-c", LANGSMITH_PROGRAM], env={**os.environ, **variables, **modes}, check=True, timeout=60)
    wait_for(lambda: len(rows("spans")) == 2 and len(rows("feedback")) == 2)
    lake, clock = Lake(settings.home_path / "lake", LakeSettings()), WriterClock()
    settle_interactions(lake, clock)
    settle_feedback(lake, clock, 24)
    run_signals(lake, clock)
    (interaction,) = rows("interactions")
    found = {row.name: row for row in rows("signals")}
    assert {row.interaction_id for row in found.values()} == {interaction.interaction_id}
    assert (found["rating"].value, found["edit"].text) == (1.0, "It is A-1002.")


def test_a_full_spool_answers_503_and_recovers_once_the_lake_takes_some(settings: Settings, rows: Rows) -> None:
    edge = msgspec.structs.replace(settings.edge, spool_max_bytes=60_000, flush_interval_s=0.2)
    small = msgspec.structs.replace(settings, edge=edge)
    services = build_edge_services(small, 0)
    report = {"request_id": "r", "name": "edit", "text": "x" * 20_000}
    answers: list[httpx.Response] = []
    try:
        with serve(build_edge_app(services.door, services.registry, small)) as url:
            for number in range(60):
                answers.append(httpx.post(f"{url}/v1/feedback", json={**report, "idempotency_key": f"k{number}"}))
            refused = [answer for answer in answers if answer.status_code == 503]
            assert refused and all(int(answer.headers["retry-after"]) > 0 for answer in refused)
            wait_for(lambda: httpx.post(f"{url}/v1/feedback", json={**report, "idempotency_key": "last"}).status_code == 200)
    finally:
        services.close(10.0)
    accepted = sum(answer.status_code == 200 for answer in answers) + 1
    assert len(rows("feedback")) == accepted


def test_a_lake_that_cannot_be_written_stops_nothing_and_is_told(
    settings: Settings, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    obstacle = settings.home_path / "lake"
    obstacle.write_text("a file where the lake's folder should be")
    edge = msgspec.structs.replace(settings.edge, flush_interval_s=0.05)
    services = build_edge_services(msgspec.structs.replace(settings, edge=edge), 0)
    try:
        with serve(build_edge_app(services.door, services.registry, settings)) as url:
            assert httpx.post(f"{url}/v1/feedback", json={"request_id": "r", "name": "n"}).status_code == 200
            status = wait_for(lambda: (found := httpx.get(f"{url}/v1/status").json())["ingest"]["lake_error"] and found)
            assert status["ingest"]["spool_bytes"] > 0
            obstacle.unlink()
            wait_for(lambda: httpx.get(f"{url}/v1/status").json()["ingest"]["spool_bytes"] == 0, 20)
    finally:
        services.close(10.0)
    assert len(rows("feedback")) == 1
