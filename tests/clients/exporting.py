"""How a client's program sends what its instrumentation records: real exporters, over the transport that it is told."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry._logs import set_logger_provider
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
    spans = OTLPSpanExporter(endpoint=f"{edge_url}/v1/traces", compression=Compression.Gzip)
    records = OTLPLogExporter(endpoint=f"{edge_url}/v1/logs", compression=Compression.Gzip)
    traces.add_span_processor(BatchSpanProcessor(spans))
    logs.add_log_record_processor(BatchLogRecordProcessor(records))
    trace.set_tracer_provider(traces)
    set_logger_provider(logs)
    try:
        yield traces, logs
    finally:
        traces.shutdown()
        logs.shutdown()


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
