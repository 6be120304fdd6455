"""Microseconds of CPU time that each step of the worker takes an interaction, and bytes that it writes, without edge or load.

    python benchmarks/settle.py [--spans 300000] [--round 25000] [--commits 2] [--amended 0.05]
                                [--maintain N] [--signals] [--profile]

GenAI chat spans of about 2.5 kB are appended round by round, in as many commits as an edge has workers, and settled after each
round as the worker does; a share of the calls gets a tool's span two rounds later, so that their interactions are amended.
`--maintain` compacts after so many rounds, and else once at the end. Prints one JSON line: `cpu_us` by step, per chat span;
`written` by step, bytes per byte of the bodies that the spans came in; `rss_mb` the most memory resident.
"""

import argparse
import cProfile
import gc
import json
import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import ibis
import psutil
import pyarrow as pa
from ingest_decode import make_bodies

from penstock.app import Penstock
from penstock.ingest.decode_bodies import decode_bodies
from penstock.lake.lake import Lake
from penstock.records.clock import utc_now
from penstock.records.ids import interaction_id
from penstock.records.span import Span
from penstock.settings import Settings
from penstock.worker.stages import Stages

_TEMPLATES = 10_000
_LATE_ROUNDS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=300_000)
    parser.add_argument("--round", type=int, default=25_000)
    parser.add_argument("--commits", type=int, default=2)
    parser.add_argument("--amended", type=float, default=0.05)
    parser.add_argument("--maintain", type=int, default=0)
    parser.add_argument("--signals", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, cProfile.Profile() if options.profile else nullcontext() as profile:
        measure(Path(folder), options, profile)
    if profile is not None:
        profile.print_stats("tottime")


def measure(home: Path, options: argparse.Namespace, profile: cProfile.Profile | None) -> None:
    if profile is not None:
        profile.disable()
    penstock = Penstock(Settings(home=str(home)))
    stages = Stages(penstock.registry, penstock.settings, penstock.clock)
    traffic = Traffic(options.amended)
    steps = Steps(profile)
    maintaining, reading = penstock.open_lake(), penstock.open_lake()
    rounds = options.spans // options.round
    for number in range(rounds):
        with steps.measured("append"):
            traffic.append(penstock.lake, options.round, options.commits)
        with steps.measured("settle"):
            stages.settle(penstock.lake)
        if options.maintain and number % options.maintain == options.maintain - 1:
            with steps.measured("maintain"):
                maintaining.maintain(utc_now(), penstock.settings.retention)
    if not options.maintain:
        with steps.measured("maintain"):
            maintaining.maintain(utc_now(), penstock.settings.retention)
    if options.signals:
        with steps.measured("signals"):
            stages.read(reading)
    spans, taken_in = rounds * options.round, traffic.body_bytes_per_span * rounds * options.round
    figures = {
        "spans": spans,
        "revised": penstock.lake.revisions("interactions").filter(ibis._.revision > 0).count().to_pyarrow().as_py(),
        "interactions": penstock.lake.current("interactions").count().to_pyarrow().as_py(),
        "cpu_us": {name: round(seconds * 1e6 / spans, 1) for name, seconds in steps.cpu_s.items()},
        "written": {name: round(count / taken_in, 3) for name, count in steps.written.items()},
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(figures))


class Steps:
    """What each step took and wrote, in this process."""

    def __init__(self, profile: cProfile.Profile | None) -> None:
        self.cpu_s: Counter[str] = Counter()
        self.written: Counter[str] = Counter()
        self._profile = profile
        self._process = psutil.Process()

    @contextmanager
    def measured(self, name: str) -> Iterator[None]:
        gc.collect()
        cpu_s, written = time.process_time(), self._written()
        if self._profile is not None and name != "append":
            self._profile.enable()
        yield
        if self._profile is not None:
            self._profile.disable()
        self.cpu_s[name] += time.process_time() - cpu_s
        self.written[name] += self._written() - written

    def _written(self) -> int:
        return int(self._process.io_counters().write_bytes)


class Traffic:
    """Spans as an edge flushes them: the same contents again and again, under new ids."""

    def __init__(self, amended: float) -> None:
        bodies = make_bodies(_TEMPLATES, 100, 0.05)
        self.body_bytes_per_span = sum(map(len, bodies)) / _TEMPLATES
        self._templates = pa.Table.from_batches([decode_bodies(bodies[at : at + 4], utc_now()).rows for at in range(0, 100, 4)])
        self._amended = amended
        self._late: list[list[tuple[str, str]]] = []

    def append(self, lake: Lake, spans: int, commits: int) -> None:
        calls: list[tuple[str, str]] = []
        for part in range(commits):
            rows, new = self._chats(spans // commits + (part < spans % commits))
            lake.append("spans", rows)
            calls += new
        self._late.append(calls[: round(len(calls) * self._amended)])
        if len(self._late) > _LATE_ROUNDS and (callers := self._late.pop(0)):
            lake.append("spans", [_tool(trace, span) for trace, span in callers])

    def _chats(self, count: int) -> tuple[pa.Table, list[tuple[str, str]]]:
        traces, spans = ([os.urandom(size).hex() for _ in range(count)] for size in (16, 8))
        rows = self._templates.take(pa.array([number % _TEMPLATES for number in range(count)]))
        given: dict[str, Any] = {
            "trace_id": traces,
            "span_id": spans,
            "span_key": [interaction_id(trace, span) for trace, span in zip(traces, spans, strict=True)],
            "known_at": [utc_now()] * count,
        }
        for name, values in given.items():
            at = rows.schema.get_field_index(name)
            rows = rows.set_column(at, rows.schema.field(at), pa.array(values, rows.schema.field(at).type))
        return rows, list(zip(traces, spans, strict=True))


def _tool(trace: str, caller: str) -> Span:
    now, span = utc_now(), os.urandom(8).hex()
    return Span(
        span_key=interaction_id(trace, span), trace_id=trace, span_id=span, parent_span_id=caller, kind="tool",
        name="execute_tool look_up", operation="execute_tool", started_at=now, ended_at=now, known_at=now, dialect="genai",
        application="support-bot", tool_calls=json.dumps([{"id": span, "name": "look_up"}]),
    )  # fmt: skip


if __name__ == "__main__":
    main()
