"""Spans per second that an edge acknowledges after fsync, redaction on, beside plain Python that only reads the same bytes.

    python benchmarks/ingest_edge.py [--spans 60000] [--batch 100] [--connections 8] [--workers 2] [--personal 0.05] [--rate N]
                                     [--grpc] [--relay] [--home FOLDER]

The load comes from a process of its own, over OTLP/HTTP in protobuf, or with --grpc over OTLP/gRPC, on the same machine; with
--rate it sends at that many spans per second instead of as fast as it is answered. With --relay the edge is a relay in front of
a second one, and `passed_on_s` is how long after the last answer the second one had everything. With --home the edge stores into
a home that is there already, such as large_lake.py keeps. Prints one JSON line; `ratio`
is the edge's rate in that of plain Python, `rss_mb` the resident memory of all its processes, `cpu_us` what they took per span.
Two threads of one core may look like two cores: `plain_python_beside_another` is what plain Python reads while a second process
does the same.
"""

import argparse
import asyncio
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import psutil
from ingest_decode import make_bodies
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from penstock.lake.lake import Lake
from penstock.settings import LakeSettings

_START_S = 60
_STEP_S = 0.05
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_LONGEST_RELAY_S = 300
Post = Callable[[bytes], Awaitable[int]]  # sends a body and gives the status of the answer
PROTOBUF = {"content-type": "application/x-protobuf"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=60_000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--personal", type=float, default=0.05)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--grpc", action="store_true")
    parser.add_argument("--relay", action="store_true")
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    bodies = make_bodies(options.spans, options.batch, options.personal)
    plain = read_plainly(bodies[:100]) * options.batch
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        beside = min(pool.map(read_plainly, [bodies[:200]] * 2, chunksize=1)) * options.batch
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder)
        result = measure_relay(home, bodies, options) if options.relay else measure(home, bodies, options)
    result |= {
        "plain_python": round(plain),
        "plain_python_beside_another": round(beside),
        "ratio": round(result["spans_per_s"] / plain, 3),
    }
    print(json.dumps(result))


def measure(home: Path, bodies: list[bytes], options: argparse.Namespace, *more: str) -> dict[str, Any]:
    """What an edge acknowledges, and what it takes for that."""
    edge = start_edge(home, options.workers, *more)
    try:
        url = wait_for_url(home, edge) + "/v1/traces"
        if options.grpc:
            url = f"127.0.0.1:{json.loads((home / 'run' / 'edge.json').read_text())['grpc_port']}"
        load_in_process(url, bodies[:50], options)  # until everything is imported and every state built
        cpu_s = cpu_of(edge)
        result = load_in_process(url, bodies, options)
        result |= {
            "cpu_us": round((cpu_of(edge) - cpu_s) / options.spans * 1e6, 1),
            "rss_mb": round(sum(process.memory_info().rss for process in processes_of(edge)) / 2**20),
        }
        if options.relay:
            lake = Lake(home.parent / "behind" / "lake", LakeSettings())
            result["passed_on_s"] = wait_for_spans(lake, len(bodies) * options.batch)
        return result
    finally:
        edge.terminate()
        edge.wait(_START_S)


def measure_relay(home: Path, bodies: list[bytes], options: argparse.Namespace) -> dict[str, Any]:
    """The same of a relay, with the edge behind it on the same machine."""
    behind = start_edge(home / "behind", 1)
    try:
        target = wait_for_url(home / "behind", behind)
        return measure(home / "relay", bodies, options, f"edge.relay={target}")
    finally:
        behind.terminate()
        behind.wait(_START_S)


def wait_for_spans(lake: Lake, spans: int) -> float | None:
    """Seconds until so many spans are in a lake; None where that took too long."""
    begun = time.perf_counter()
    while (waited := time.perf_counter() - begun) < _LONGEST_RELAY_S:
        if lake.current("spans").count().to_pyarrow().as_py() >= spans:
            return round(waited, 1)
        time.sleep(0.5)
    return None


def read_plainly(bodies: list[bytes]) -> float:
    """Bodies per second when every attribute is read and nothing done with it."""
    begun = time.perf_counter()
    for body in bodies:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    for pair in span.attributes:
                        _ = pair.key, getattr(pair.value, pair.value.WhichOneof("value"))
    return len(bodies) / (time.perf_counter() - begun)


def start_edge(home: Path, workers: int, *more: str) -> "subprocess.Popen[bytes]":
    command = [str(Path(sys.executable).with_name("penstock")), "edge", "--home", str(home)]
    for setting in (f"edge.workers={workers}", "edge.port=0", "edge.grpc_port=0", *more):
        command += ["--set", setting]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def wait_for_url(home: Path, edge: "subprocess.Popen[bytes]") -> str:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and edge.poll() is None:
        try:
            return str(json.loads((home / "run" / "edge.json").read_text())["url"])
        except FileNotFoundError:
            time.sleep(_STEP_S)
    raise SystemExit("The edge did not start.")


def processes_of(edge: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    parent = psutil.Process(edge.pid)
    return [parent, *parent.children(recursive=True)]


def cpu_of(edge: "subprocess.Popen[bytes]") -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes_of(edge))


def load_in_process(
    url: str, bodies: list[bytes], options: argparse.Namespace, headers: Mapping[str, str] = PROTOBUF
) -> dict[str, Any]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(load, (url, bodies, options.batch, options.connections, options.rate, headers))


def load(url: str, bodies: list[bytes], batch: int, connections: int, rate: float, headers: Mapping[str, str]) -> dict[str, Any]:
    return asyncio.run(send(url, bodies, batch, connections, rate, headers))


async def send(
    url: str, bodies: list[bytes], batch: int, connections: int, rate: float, headers: Mapping[str, str]
) -> dict[str, Any]:
    waits: list[float] = []
    statuses: dict[int, int] = {}
    queue = iter(bodies)
    begun = time.perf_counter()
    sent = 0

    async def connection(post: Post) -> None:
        nonlocal sent
        for body in queue:
            if rate:
                await asyncio.sleep(max(0.0, begun + sent * batch / rate - time.perf_counter()))
            sent += 1
            asked = time.perf_counter()
            status = await post(body)
            statuses[status] = statuses.get(status, 0) + 1
            waits.append(time.perf_counter() - asked)

    async with AsyncExitStack() as opened:
        opener = over_http(url, connections, headers) if url.startswith("http") else over_grpc(url, connections)
        await asyncio.gather(*(connection(post) for post in await opened.enter_async_context(opener)))
    taken = time.perf_counter() - begun
    waits.sort()
    milliseconds = {f"p{share}_ms": round(waits[len(waits) * share // 100] * 1000, 1) for share in (50, 99)}
    rate_answered = round(statuses.get(200, 0) * batch / taken)
    return {"spans_per_s": rate_answered, **milliseconds, "statuses": statuses, "seconds": round(taken, 2)}


@asynccontextmanager
async def over_http(url: str, connections: int, headers: Mapping[str, str]) -> AsyncIterator[list[Post]]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as http:

        async def post(body: bytes) -> int:
            async with http.post(url, data=body, headers=headers) as response:
                await response.read()
                return response.status

        yield [post] * connections


@asynccontextmanager
async def over_grpc(address: str, connections: int) -> AsyncIterator[list[Post]]:
    """A channel of its own for each, as exporters in as many processes have."""
    async with AsyncExitStack() as opened:
        own = [("grpc.use_local_subchannel_pool", 1)]
        channels = [await opened.enter_async_context(grpc.aio.insecure_channel(address, own)) for _ in range(connections)]
        calls = [channel.unary_unary(_EXPORT, bytes, ExportTraceServiceResponse.FromString) for channel in channels]
        yield [partial(_export, call) for call in calls]


async def _export(call: Any, body: bytes) -> int:
    """The status that HTTP would have: 200 where it was taken."""
    try:
        await call(body)
    except grpc.aio.AioRpcError as error:
        return int(error.code().value[0])
    return 200


if __name__ == "__main__":
    main()
