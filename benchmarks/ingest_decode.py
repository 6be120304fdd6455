"""Spans per second of each step between a request body and the spool: parse, decode, redact, Arrow, IPC.

    python benchmarks/ingest_decode.py [--spans 4000] [--batch 100] [--personal 0.05] [--profile]

One thread, GenAI chat spans of about 2.5 kB. Prints one JSON line; `parse_ratio` is how many times bare parsing all steps take.
"""

import argparse
import cProfile
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from penstock.formats.otlp import Encoding, parse_traces
from penstock.ingest.decode import decode_traces
from penstock.ingest.redact import Redaction
from penstock.lake.arrow_schema import to_arrow
from penstock.lake.tables import TABLES
from penstock.text.redaction import Redactor

PERSONAL = ("mail me at jane.doe@example.com", "call +1 415 555 0134", "card 4111 1111 1111 1111")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--personal", type=float, default=0.05)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    bodies = make_bodies(options.spans, options.batch, options.personal)
    measure(bodies[:2])  # the first call imports what the others find loaded
    with cProfile.Profile() if options.profile else _Nothing() as profile:
        seconds = measure(bodies)
    if options.profile:
        profile.print_stats("tottime")
    spans = options.spans
    rates = {name: round(spans / taken) for name, taken in seconds.items()}
    total = sum(seconds.values())
    print(json.dumps({**rates, "all": round(spans / total), "parse_ratio": round(total / seconds["parse"], 1)}))


class _Nothing:
    """Stands in for the profiler."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def measure(bodies: Sequence[bytes]) -> dict[str, float]:
    """Seconds that every step takes over all bodies."""
    redaction = Redaction(Redactor(b"k" * 32))
    seconds: dict[str, float] = {}

    def step(name: str, work: Callable[[Any], Any], inputs: Sequence[Any]) -> list[Any]:
        begun = time.perf_counter()
        outputs = [work(item) for item in inputs]
        seconds[name] = time.perf_counter() - begun
        return outputs

    requests = step("parse", lambda body: parse_traces(body, Encoding.PROTOBUF), bodies)
    decoded = step("decode", lambda request: decode_traces(request, datetime.now(UTC)).spans, requests)
    redacted = step("redact", redaction.redact_spans, decoded)
    tables = step("arrow", lambda spans: to_arrow(TABLES["spans"], spans), redacted)
    step("ipc", write_ipc, tables)
    return seconds


def write_ipc(table: pa.Table) -> int:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write(table)
    return int(sink.getvalue().size)


def make_bodies(spans: int, batch: int, personal: float) -> list[bytes]:
    chance = random.Random(7)
    vocabulary = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 10))) for _ in range(20_000)]
    return [make_body(range(first, min(first + batch, spans)), vocabulary, chance, personal) for first in range(0, spans, batch)]


def make_body(numbers: range, vocabulary: list[str], chance: random.Random, personal: float) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "support-bot"
    spans = group.scope_spans.add().spans
    for number in numbers:
        question, answer = (" ".join(chance.choices(vocabulary, k=chance.randint(30, 260))) for _ in range(2))
        if chance.random() < personal:
            question += " " + chance.choice(PERSONAL)
        begun = time.time_ns()
        span = spans.add(trace_id=os.urandom(16), span_id=os.urandom(8), name="chat m", start_time_unix_nano=begun)
        span.end_time_unix_nano = begun + 900_000_000
        for name, value in attributes(number, question, answer).items():
            kind = {str: "string_value", int: "int_value", float: "double_value"}[type(value)]
            setattr(span.attributes.add(key=name).value, kind, value)
    return request.SerializeToString()


def attributes(number: int, question: str, answer: str) -> dict[str, Any]:
    output = {"role": "assistant", "parts": [{"type": "text", "content": answer}], "finish_reason": "stop"}
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": f"m-{number % 3}",
        "gen_ai.response.id": f"resp-{number}",
        "gen_ai.conversation.id": f"c{number // 3}",
        "user.id": f"u{number % 5000}",
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": question}]}]),
        "gen_ai.output.messages": json.dumps([output]),
        "gen_ai.usage.input_tokens": 200,
        "gen_ai.usage.output_tokens": 100,
        "server.port": 443,
        "gen_ai.request.temperature": 0.5,
    }


if __name__ == "__main__":
    main()
