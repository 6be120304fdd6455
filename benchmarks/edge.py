"""How fast the edge acknowledges spans, and what the gateway adds to a bare upstream, each with the real process over loopback.

usage: python benchmarks/edge.py [--workers 2] [--spans 20000] [--requests 2000] [--clients 4] [--upstream-ms 20]
Prints one JSON line per measurement. Compare ratios of one run, never figures of two machines.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from penstock.edge.run_file import read_run_file

ANSWER = {
    "id": "answer",
    "object": "chat.completion",
    "created": 1,
    "model": "fake",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello " * 60}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 50, "completion_tokens": 60, "total_tokens": 110},
}
CHUNK = {
    "id": "a",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "fake",
    "choices": [{"index": 0, "delta": {"content": "hello "}}],
}
SPAN_BATCH = 100


def span_requests(spans: int) -> list[bytes]:
    """Export requests of chat spans of about 2.5 kB, one in twenty of them with personal data."""
    chance = random.Random(7)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 10))) for _ in range(20_000)]
    return [_span_request(chance, words, first) for first in range(0, spans, SPAN_BATCH)]


def _span_request(chance: random.Random, words: list[str], first: int) -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "benchmark"
    scope = resource.scope_spans.add()
    now = time.time_ns()
    for number in range(first, first + SPAN_BATCH):
        question, answer = " ".join(chance.choices(words, k=180)), " ".join(chance.choices(words, k=140))
        if chance.random() < 0.05:
            question += f" mail me at jane.doe{number}@example.com"
        span = scope.spans.add(trace_id=os.urandom(16), span_id=os.urandom(8), name="chat m", kind=3)
        span.start_time_unix_nano, span.end_time_unix_nano = now, now + 900_000_000
        texts = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "m",
            "gen_ai.response.id": f"answer-{number}",
            "gen_ai.conversation.id": f"c{number // 3}",
            "user.id": f"u{number % 5000}",
            "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": question}]}]),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": answer}]}]),
        }
        for key, text in texts.items():
            span.attributes.add(key=key).value.string_value = text
        for key in ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"):
            span.attributes.add(key=key).value.int_value = 100
    return request.SerializeToString()


async def serve_upstream(delay_s: float) -> int:
    """A fast upstream in this process; gives its port."""
    whole = json.dumps(ANSWER).encode()
    event = b"data: " + json.dumps(CHUNK).encode() + b"\n\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
                )
                body = await reader.readexactly(length)
                await asyncio.sleep(delay_s)
                if b'"stream":true' in body.replace(b" ", b""):
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
                    for part in [event] * 20 + [b"data: [DONE]\n\n"]:
                        writer.write(b"%x\r\n%s\r\n" % (len(part), part))
                    writer.write(b"0\r\n\r\n")
                else:
                    writer.write(
                        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(whole), whole)
                    )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    port: int = server.sockets[0].getsockname()[1]
    return port


@asynccontextmanager
async def running_edge(workers: int, upstream_port: int) -> AsyncIterator[str]:
    """The real edge process in a fresh home."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "penstock.toml").write_text(
            f'[gateway]\ndefault_upstream = "fake"\n[gateway.upstreams.fake]\nbase_url = "http://127.0.0.1:{upstream_port}/v1"\n'
        )
        ports = {"PENSTOCK_EDGE_PORT": "0", "PENSTOCK_EDGE_GRPC": "false"}
        environment = {**os.environ, "PENSTOCK_HOME": folder, **ports, "PENSTOCK_EDGE_WORKERS": str(workers)}
        process = subprocess.Popen([sys.executable, "-m", "penstock.cli", "edge"], env=environment)
        try:
            while (running := read_run_file(home)) is None:
                if process.poll() is not None:
                    raise SystemExit("the edge did not start")
                await asyncio.sleep(0.1)
            yield running.url
        finally:
            process.terminate()
            process.wait()


async def closed_loop(
    url: str, bodies: list[bytes], clients: int, content_type: str, read: Callable[[aiohttp.ClientResponse], Awaitable[Any]]
) -> tuple[list[float], dict[int, int], float]:
    """Latencies in ms, answers by status, and seconds that it took all clients together."""
    waiting, latencies, statuses = list(bodies), [], {}
    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(connector=connector, headers={"content-type": content_type}) as http:

        async def client() -> None:
            while waiting:
                body = waiting.pop()
                began = time.perf_counter()
                async with http.post(url, data=body) as response:
                    await read(response)
                    statuses[response.status] = statuses.get(response.status, 0) + 1
                latencies.append((time.perf_counter() - began) * 1000)

        began = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        return sorted(latencies), statuses, time.perf_counter() - began


def report(what: str, latencies: list[float], statuses: dict[int, int], seconds: float, **more: Any) -> float:
    """Print one line; gives the median."""
    median = latencies[len(latencies) // 2]
    p99 = latencies[int(len(latencies) * 0.99)]
    line = {
        "what": what,
        **more,
        "requests_per_s": round(len(latencies) / seconds),
        "p50_ms": round(median, 2),
        "p99_ms": round(p99, 2),
    }
    print(json.dumps({**line, "status": statuses}), flush=True)
    return median


async def measure(arguments: argparse.Namespace) -> None:
    upstream_port = await serve_upstream(arguments.upstream_ms / 1000)
    async with running_edge(arguments.workers, upstream_port) as url:
        bodies = span_requests(arguments.spans)
        latencies, statuses, seconds = await closed_loop(
            f"{url}/v1/traces", bodies, 8, "application/x-protobuf", aiohttp.ClientResponse.read
        )
        report("spans", latencies, statuses, seconds, spans_per_s=round(SPAN_BATCH * len(latencies) / seconds))
        for stream in (False, True):
            chat = {
                "model": "fake",
                "stream": stream,
                "user": "u1",
                "messages": [{"role": "user", "content": "about returns " * 20}],
            }
            requests = [json.dumps(chat).encode()] * arguments.requests
            medians: dict[str, float] = {}
            for name, base in (("upstream", f"http://127.0.0.1:{upstream_port}"), ("gateway", url)):
                result = await closed_loop(
                    f"{base}/v1/chat/completions", requests, arguments.clients, "application/json", aiohttp.ClientResponse.read
                )
                medians[name] = report(name, *result, stream=stream)
            added = medians["gateway"] - medians["upstream"]
            ratio = medians["gateway"] / medians["upstream"]
            print(
                json.dumps({"what": "added", "stream": stream, "p50_ms": round(added, 2), "ratio": round(ratio, 3)}), flush=True
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--spans", type=int, default=20_000)
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--upstream-ms", type=float, default=20.0)
    asyncio.run(measure(parser.parse_args()))
