"""An edge and a worker under a steady load: what is acknowledged, how late interactions stand, memory, and bytes written.

    python benchmarks/soak.py [--rate 12500] [--minutes 10] [--batch 100] [--connections 8] [--workers 2] [--amended 0.05]
        [--users N]

GenAI chat spans of about 2.5 kB over OTLP/HTTP; some seconds later a share of the calls gets a tool's span, in batches of the
same size, so that their interactions are amended. People come, ask some eight times, once in twenty seconds, and go; with few
`--users` each of them has asked thousands of times instead. Prints one JSON line per sample and one at the end. `lag_s` is the
time from an acknowledgement until the interaction is found in the lake; `written` is bytes written by each process, compaction
included, per byte taken in. Settling and reading signals are two processes of the worker.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import ibis
import psutil
from ingest_decode import make_bodies
from ingest_edge import processes_of, start_edge, wait_for_url
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from penstock.lake.lake import Lake
from penstock.records.ids import interaction_id
from penstock.settings import LakeSettings

_HEADERS = {"content-type": "application/x-protobuf"}
_SAMPLE_S = 10.0
_LATE_S = 5.0
_LONGEST_LAG_S = 60.0
_TRACE_BYTES, _SPAN_BYTES = 16, 8
_VISIT_REQUESTS, _VISIT_PAUSE_S = 8, 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=12_500)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--amended", type=float, default=0.05)
    parser.add_argument("--users", type=int)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not without ending what was started
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        edge = start_edge(home, options.workers)
        url = wait_for_url(home, edge) + "/v1/traces"
        command = [str(Path(sys.executable).with_name("penstock")), "worker", "--home", str(home)]
        worker = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        context = multiprocessing.get_context("spawn")
        told = context.Queue()
        load = context.Process(target=run_load, args=(url, options, told))
        load.start()
        try:
            watch(home, edge, worker, told, options)
        finally:
            for process in (load, edge, worker):
                process.terminate()
            load.join()
            edge.wait(60)
            worker.wait(60)


def watch(
    home: Path, edge: "subprocess.Popen[bytes]", worker: "subprocess.Popen[bytes]", told: Any, options: argparse.Namespace
) -> None:
    """Sample until the load has ended."""
    lake: Lake | None = None
    most: dict[str, float] = {}
    while (answered := told.get()).get("what") != "done":
        lake = lake or Lake(home / "lake", LakeSettings())
        sample = {
            "s": answered["s"],
            "lag_s": round(wait_for_interaction(lake, answered["trace"], answered["span"], answered["at"]), 1),
            "edge_rss_mb": rss_mb(processes_of(edge)[1:]),
            "settling_rss_mb": rss_mb(processes_of(worker)[:1]),
            "reading_rss_mb": rss_mb(processes_of(worker)[1:]),
        }
        most = {name: max(value, most.get(name, 0)) for name, value in sample.items()}
        print(json.dumps({**sample, "acknowledged": answered["acknowledged"]}), flush=True)
        while not told.empty() and answered.get("what") != "done":
            answered = told.get()
        if answered.get("what") == "done":
            break
    parts = {"edge": processes_of(edge), "settling": processes_of(worker)[:1], "reading": processes_of(worker)[1:]}
    written = {name: sum(process.io_counters().write_bytes for process in part) for name, part in parts.items()}
    cpu_s = {name: round(sum(sum(process.cpu_times()[:2]) for process in part)) for name, part in parts.items()}
    figures = {name: value for name, value in answered.items() if name != "what"}
    if lake is not None:
        figures["amended"] = lake.revisions("interactions").filter(ibis._.revision > 0).count().to_pyarrow().as_py()
    figures |= {f"most_{name}": value for name, value in most.items() if name != "s"}
    figures |= {"written": {name: round(count / answered["bytes"], 2) for name, count in written.items()}, "cpu_s": cpu_s}
    print(json.dumps({"rate": options.rate, "workers": options.workers, "batch": options.batch, **figures}))


def rss_mb(processes: list[psutil.Process]) -> int:
    return round(sum(process.memory_info().rss for process in processes) / 2**20)


def wait_for_interaction(lake: Lake, trace: str, span: str, acknowledged_at: float) -> float:
    """Seconds from the acknowledgement until the interaction is there."""
    wanted = [interaction_id(trace, span)]
    while (lag_s := time.time() - acknowledged_at) < _LONGEST_LAG_S:
        if lake.current("interactions", ids=wanted, indexed=True).count().to_pyarrow().as_py():
            return lag_s
        time.sleep(0.5)
    return lag_s


class Template:
    """A body whose ids are written over each time it is sent."""

    def __init__(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        spans = [span for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]
        users = [attribute.value for span in spans for attribute in span.attributes if attribute.key == "user.id"]
        for user in users:
            user.string_value = make_user().decode()
        body = request.SerializeToString()
        self._traces = [body.index(span.trace_id) for span in spans]
        self._spans = [body.index(span.span_id) for span in spans]
        self._users = [body.index(user.string_value.encode()) for user in users]
        self._parents = [body.index(span.parent_span_id) for span in spans if span.parent_span_id]
        self._body = body

    def fill(self, ids: list[tuple[bytes, bytes]], parents: Sequence[bytes] = (), users: Sequence[bytes] = ()) -> bytes:
        """The body with these traces and spans, the spans that they are below, and who asked."""
        body = bytearray(self._body)
        for trace_at, span_at, (trace, span) in zip(self._traces, self._spans, ids, strict=True):
            body[trace_at : trace_at + _TRACE_BYTES] = trace
            body[span_at : span_at + _SPAN_BYTES] = span
        for at, written in (*zip(self._parents, parents, strict=True), *zip(self._users, users, strict=True)):
            body[at : at + len(written)] = written
        return bytes(body)


def make_user() -> bytes:
    return os.urandom(8).hex().encode()


class Visitors:
    """Who is there: people who ask a few times and are followed by others."""

    def __init__(self, count: int) -> None:
        self._chance = random.Random(5)
        self._there = [make_user() for _ in range(count)]

    def ask(self) -> bytes:
        """One of them."""
        place = int(self._chance.random() * len(self._there))
        user = self._there[place]
        if self._chance.random() < 1 / _VISIT_REQUESTS:
            self._there[place] = make_user()
        return user


def tool_body(count: int) -> bytes:
    """Spans of a tool, each to be put below a call."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "support-bot"
    spans = group.scope_spans.add().spans
    for _ in range(count):
        begun = time.time_ns()
        ids = {"trace_id": os.urandom(16), "span_id": os.urandom(8), "parent_span_id": os.urandom(8)}
        span = spans.add(**ids, name="execute_tool look_up", start_time_unix_nano=begun)
        span.end_time_unix_nano = begun + 1_000_000
        span.attributes.add(key="gen_ai.operation.name").value.string_value = "execute_tool"
        span.attributes.add(key="gen_ai.tool.name").value.string_value = "look_up"
    return request.SerializeToString()


def run_load(url: str, options: argparse.Namespace, told: Any) -> None:
    asyncio.run(Load(url, options, told).run())


class Load:
    """Sends at a rate, and tells every now and then which span was acknowledged last."""

    def __init__(self, url: str, options: argparse.Namespace, told: Any) -> None:
        self._url = url
        self._options = options
        self._told = told
        self._templates = [Template(body) for body in make_bodies(50 * options.batch, options.batch, 0.05)]
        self._visitors = Visitors(options.users or round(options.rate * _VISIT_PAUSE_S))
        self._late = Template(tool_body(options.batch))
        self._amended = round(options.batch * options.amended)  # of each batch
        self._due: deque[tuple[float, tuple[bytes, bytes]]] = deque()
        self._waits: list[float] = []
        self._statuses: dict[int, int] = {}
        self._sent = self._acknowledged = self._bytes = 0
        self._told_at = 0.0

    async def run(self) -> None:
        self._begun = time.monotonic()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=self._options.connections)) as http:
            await asyncio.gather(*(self._send_on(http) for _ in range(self._options.connections)))
        self._waits.sort()
        shares = {f"p{share}_ms": round(self._waits[len(self._waits) * share // 100] * 1000, 1) for share in (50, 99)}
        taken = time.monotonic() - self._begun
        figures = {"spans": self._acknowledged, "spans_per_s": round(self._acknowledged / taken), **shares}
        self._told.put({"what": "done", **figures, "statuses": self._statuses, "bytes": self._bytes})

    async def _send_on(self, http: aiohttp.ClientSession) -> None:
        options = self._options
        while time.monotonic() - self._begun < options.minutes * 60:
            await asyncio.sleep(max(0.0, self._begun + self._sent * options.batch / options.rate - time.monotonic()))
            self._sent += 1
            ids = [(os.urandom(_TRACE_BYTES), os.urandom(_SPAN_BYTES)) for _ in range(options.batch)]
            users = [self._visitors.ask() for _ in ids]
            body = self._templates[self._sent % len(self._templates)].fill(ids, users=users)
            if await self._post(http, body):
                self._acknowledged += options.batch
                self._due.extend((time.monotonic() + _LATE_S, call) for call in ids[: self._amended])
                self._tell(ids[-1])
            if len(self._due) >= options.batch and self._due[options.batch - 1][0] < time.monotonic():
                calls = [self._due.popleft()[1] for _ in range(options.batch)]
                tools = [(trace, os.urandom(_SPAN_BYTES)) for trace, _ in calls]
                await self._post(http, self._late.fill(tools, [span for _, span in calls]))

    async def _post(self, http: aiohttp.ClientSession, body: bytes) -> bool:
        asked = time.perf_counter()
        async with http.post(self._url, data=body, headers=_HEADERS) as response:
            await response.read()
        self._waits.append(time.perf_counter() - asked)
        self._bytes += len(body)
        self._statuses[response.status] = self._statuses.get(response.status, 0) + 1
        return response.status == 200

    def _tell(self, ids: tuple[bytes, bytes]) -> None:
        elapsed = time.monotonic() - self._begun
        if elapsed - self._told_at >= _SAMPLE_S:
            self._told_at = elapsed
            names = {"trace": ids[0].hex(), "span": ids[1].hex(), "at": time.time()}
            self._told.put({"s": round(elapsed), **names, "acknowledged": self._acknowledged})


if __name__ == "__main__":
    main()
