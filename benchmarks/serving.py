"""Completions per second of the local model server, from many concurrent clients in one other process.

    python benchmarks/serving.py FOLDER [--clients 64] [--seconds 10] [--threads 1]

FOLDER is a checkpoint whose answers are a few tokens long, such as the demo's base model. Prints one JSON line.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

WORDS = ("cdfg", "hkmn", "ckfm", "gdhn", "mnck", "dfgh", "kcmd", "nhgf")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    folder = options.folder.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        port_file = Path(scratch) / "port"
        command = [
            sys.executable,
            "-m",
            "penstock.serving.server",
            "--port",
            "0",
            "--port-file",
            port_file,
            "--allow",
            folder.parent,
        ]
        server = subprocess.Popen([*command, "--threads", str(options.threads)])
        try:
            while not port_file.exists():
                time.sleep(0.05)
            print(json.dumps(asyncio.run(measure(int(port_file.read_text()), folder.name, options))))
        finally:
            server.terminate()
            server.wait()


async def measure(port: int, model: str, options: argparse.Namespace) -> dict[str, float]:
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    latencies: list[float] = []
    tokens = 0

    async def client(session: aiohttp.ClientSession, number: int, until: float) -> None:
        nonlocal tokens
        turn = number
        while time.perf_counter() < until:
            turn += 1
            message = {"role": "user", "content": f"tab: {WORDS[turn % len(WORDS)]}"}
            body = {"model": model, "messages": [message], "max_tokens": 8, "logprobs": True}
            started = time.perf_counter()
            async with session.post(url, json=body) as response:
                answer = await response.json()
                assert response.status == 200, answer
            latencies.append(time.perf_counter() - started)
            tokens += answer["usage"]["completion_tokens"]

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await client(session, 0, time.perf_counter() + 0.5)  # loads the checkpoint
        latencies.clear()
        tokens = 0
        started = time.perf_counter()
        await asyncio.gather(*(client(session, number, started + options.seconds) for number in range(options.clients)))
        seconds = time.perf_counter() - started
    latencies.sort()
    return {
        "clients": options.clients,
        "threads": options.threads,
        "completions_per_s": round(len(latencies) / seconds, 1),
        "tokens_per_s": round(tokens / seconds, 1),
        "p50_ms": round(latencies[len(latencies) // 2] * 1000, 1),
        "p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1000, 1),
    }


if __name__ == "__main__":
    main()
