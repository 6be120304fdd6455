"""Microseconds of CPU time a span of each step between a request body and the spool, by column and span by span.

    python benchmarks/ingest_decode.py [--spans 8000] [--batch 100] [--together 4] [--personal 0.05] [--profile]

One thread, GenAI chat spans of about 2.5 kB, best of five rounds; `--together` is how many bodies are decoded at once. Prints one
JSON line; `ratio` is how many times as long all steps take span by span, and `parse` what bare parsing takes.
"""

import argparse
import cProfile
import gc
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from penstock.formats.otlp import Encoding, parse_traces
from penstock.ingest.decode import decode_traces
from penstock.ingest.decode_bodies import decode_bodies
from penstock.ingest.redact import Redaction
from penstock.ingest.redact_rows import redact_rows
from penstock.ingest.spool import to_stream
from penstock.lake.arrow_schema import to_arrow
from penstock.lake.tables import TABLES
from penstock.text.redaction import Redactor

PERSONAL = ("mail me at jane.doe@example.com", "call +1 415 555 0134", "card 4111 1111 1111 1111")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=8000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--together", type=int, default=4)
    parser.add_argument("--personal", type=float, default=0.05)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    gc.disable()  # as good as in the edge, where it seldom runs
    bodies = make_bodies(options.spans, options.batch, options.personal)
    groups = [bodies[first : first + options.together] for first in range(0, len(bodies), options.together)]
    measure(groups[:2])  # the first call imports what the others find loaded
    with cProfile.Profile() if options.profile else nullcontext() as profile:
        rounds = [measure(groups) for _ in range(1 if options.profile else 5)]
    if profile is not None:
        profile.print_stats("tottime")
    best = {name: min(of_round[name] for of_round in rounds) / options.spans * 1e6 for name in rounds[0]}
    by_column = sum(best[name] for name in ("decode", "redact", "ipc"))
    by_span = sum(best[name] for name in ("decode_spans", "redact_spans", "arrow_spans", "ipc"))
    figures = {"all": by_column, "all_spans": by_span, **best}
    print(json.dumps({**{name: round(value, 1) for name, value in figures.items()}, "ratio": round(by_span / by_column, 2)}))


def measure(groups: Sequence[list[bytes]]) -> dict[str, float]:
    """Seconds of CPU time that every step takes over all bodies."""
    redaction = Redaction(Redactor(b"k" * 32))
    seconds: dict[str, float] = {}
    now = datetime.now(UTC)

    def step(name: str, work: Callable[[Any], Any], inputs: Sequence[Any]) -> list[Any]:
        begun = time.process_time()
        outputs = [work(item) for item in inputs]
        seconds[name] = time.process_time() - begun
        return outputs

    bodies = [body for group in groups for body in group]
    rows = step("decode", lambda group: decode_bodies(group, now).rows, groups)
    step("ipc", to_stream, step("redact", lambda batch: redact_rows(redaction, batch), rows))
    step("parse", lambda body: parse_traces(body, Encoding.PROTOBUF), bodies)
    spans = step("decode_spans", lambda body: decode_traces(parse_traces(body, Encoding.PROTOBUF), now).spans, bodies)
    step("arrow_spans", lambda batch: to_arrow(TABLES["spans"], batch), step("redact_spans", redaction.redact_spans, spans))
    return seconds


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
