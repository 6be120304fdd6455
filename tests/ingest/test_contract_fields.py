"""What is printed to be changed really makes the field be met."""

import re

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from penstock.edge.gateway_request import read_request
from penstock.formats.genai import read_genai
from penstock.ingest.contract_fields import FIELDS, change
from tests.rows import T0

COLUMNS = {"model": "request_model", "session": "session_id", "user": "user_id", "tokens": "input_tokens"}
BY_ATTRIBUTE = [name for name, field in FIELDS.items() if field.otel.startswith("span.")] + ["keys.ticket_id", "tags.team"]
BY_HEADER = [name for name, field in FIELDS.items() if "extra_headers" in field.gateway] + ["keys.ticket_id", "tags.team"]


@pytest.mark.parametrize("field", BY_ATTRIBUTE)
def test_the_line_for_opentelemetry_sets_what_is_read(field: str) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    class Anything:
        """Stands for the variables of an application."""

        system_fingerprint = "fp"
        prompt_tokens = 3

        @property
        def usage(self) -> "Anything":
            return self

    with provider.get_tracer("test").start_as_current_span("chat") as span:
        names = {"span": span, "response": Anything()}
        names |= dict.fromkeys(("model", "conversation_id", "user_id", "ticket_id", "team"), "x")
        exec(change(field).otel, names)
    (finished,) = exporter.get_finished_spans()
    columns = read_genai(dict(finished.attributes or {})).columns
    name = field.partition(".")[0]
    assert columns[COLUMNS.get(name, name)]


@pytest.mark.parametrize("field", BY_HEADER)
def test_the_line_for_the_gateway_sends_what_is_read(field: str) -> None:
    found = re.search(r'extra_headers=\{"([^"]+)": ', change(field).gateway)
    assert found
    request = read_request("chat/completions", [(found[1].encode(), b"x")], b'{"model": "m"}', T0)
    name = field.partition(".")[0]
    assert getattr(request, {"session": "session_id", "user": "user_id"}.get(name, name))
