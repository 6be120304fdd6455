"""How a client's program sends what its instrumentation records: real exporters, over the transport that it is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry import trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

APPLICATION = "refund-bot"


@contextmanager
def exporting(edge_url: str) -> Iterator[tuple[TracerProvider, LoggerProvider]]:
    """Providers that are the process's own, and that have sent everything when this ends."""
    resource = Resource.create({"service.name": APPLICATION})
    traces, logs = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    spans, records = _exporters(edge_url)
    traces.add_span_processor(BatchSpanProcessor(spans))
    logs.add_log_record_processor(BatchLogRecordProcessor(records))
    trace.set_tracer_provider(traces)
    set_logger_provider(logs)
    try:
        yield traces, logs
    finally:
        traces.shutdown()
        logs.shutdown()


def _exporters(edge_url: str) -> tuple[Any, Any]:
    """A URL of HTTP, or `grpc://` and an address."""
    if edge_url.startswith("grpc://"):
        wire = {"endpoint": edge_url.removeprefix("grpc://"), "insecure": True, "compression": grpc.Compression.Gzip}
        return GrpcSpanExporter(**wire), GrpcLogExporter(**wire)
    return (
        OTLPSpanExporter(endpoint=f"{edge_url}/v1/traces", compression=Compression.Gzip),
        OTLPLogExporter(endpoint=f"{edge_url}/v1/logs", compression=Compression.Gzip),
    )


@contextmanager
def request(scenario: str) -> Iterator[None]:
    """The application's own span around what it does for one request, which knows whose it is."""
    attributes = {
        "http.request.method": "POST",
        "scenario": scenario,
        "session.id": f"session-{scenario}",
        "user.id": "user-7",
        "penstock.segment": "enterprise",
        "penstock.key.ticket_id": "T-9",
    }
    tracer = trace.get_tracer("refund-bot-app")
    with tracer.start_as_current_span("POST /chat", kind=SpanKind.SERVER, attributes=attributes):
        yield
