"""The same spans over OTLP/HTTP to Penstock's edge, MLflow's tracking server and Arize Phoenix, one after the other.

    python benchmarks/ingest_peers.py --peers-python PATH [--spans 60000] [--peer-spans 2000] [--batch 100] [--connections 8]
        [--workers 2] [--personal 0.05] [--look-s 10] [--patience-s 120] [--peers mlflow phoenix]

PATH is the Python of a virtual environment in which `pip install mlflow arize-phoenix` was done; neither is a dependency of
Penstock. Each peer starts with its defaults on loopback, in a temporary folder with SQLite, telemetry off, and HTTP proxies that
lead nowhere. Every span is a trace of its own. Prints one JSON line per system, and `error` in it, with exit status 1, where one
could not be measured.

`spans_per_s` counts what was answered with 200, and `ratio` is how many times the peer's Penstock's is. Answers promise different
things: Penstock's comes after redaction and fsync, MLflow's after the commit, Phoenix's before anything is stored. `stored` is
what the store itself holds `look-s` after the last answer, `stored_at_end` when waiting ends, `all_stored_s` how long after the
last answer everything acknowledged was seen there. `stored_per_s` counts from the first request to that moment; `stored_ratio`
compares it. Penstock's is too low, as a look takes the seconds of a `penstock sql`. A peer gets few spans: its rate is a burst's.
"""

import argparse
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import psutil
from ingest_decode import make_bodies
from ingest_edge import PROTOBUF, cpu_of, load_in_process, start_edge, wait_for_url

from penstock import __version__

START_S = 180
STEP_S = 0.1
STOP_S = 20
IDLE_LOOK_S = 2.0
IDLE_SHARE = 0.1  # of one core
BUSY_S = 60  # a writer may hold the database that long
WARM_UP_BODIES = {"penstock": 50, "mlflow": 8, "phoenix": 8}  # until everything is imported and every state built
COUNT = "SELECT count(DISTINCT span_id) AS n FROM spans"
DEAD_PROXY = "http://127.0.0.1:9"


class NotMeasuredError(Exception):
    """A system that did not start, or whose store never held the first spans."""


class Running(NamedTuple):
    version: str
    url: str
    headers: Mapping[str, str]
    count_stored: Callable[[], int]


class Peer(NamedTuple):
    package: str
    module: str
    arguments: tuple[str, ...]  # {port} is filled in
    environment: Mapping[str, str]  # {home}, {port} and {grpc_port} are filled in
    ready: str
    headers: Mapping[str, str]
    database: str


PEERS = {
    "mlflow": Peer(
        package="mlflow",
        module="mlflow",
        arguments=("server", "--host", "127.0.0.1", "--port", "{port}"),
        environment={"MLFLOW_DISABLE_TELEMETRY": "true"},
        ready="/health",
        headers={"x-mlflow-experiment-id": "0"},
        database="mlflow.db",
    ),
    "phoenix": Peer(
        package="arize-phoenix",
        module="phoenix.server.main",
        arguments=("serve",),
        environment={
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": "{port}",
            "PHOENIX_GRPC_PORT": "{grpc_port}",
            "PHOENIX_WORKING_DIR": "{home}",
            "PHOENIX_TELEMETRY_ENABLED": "false",
            "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        },
        ready="/healthz",
        headers={},
        database="phoenix.db",
    ),
}


def main() -> None:
    options = parse()
    ours = report("penstock", running_penstock(options), options.spans, options)
    results = [ours]
    for name in options.peers:
        results.append(report(name, running_peer(name, options.peers_python), options.peer_spans, options, ours))
    sys.exit(int(any("error" in result for result in results)))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers-python", type=Path, required=True)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--spans", type=int, default=60_000)
    parser.add_argument("--peer-spans", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--personal", type=float, default=0.05)
    parser.add_argument("--look-s", type=float, default=10.0)
    parser.add_argument("--patience-s", type=float, default=120.0)
    parser.set_defaults(rate=0.0)
    options = parser.parse_args()
    options.peers_python = options.peers_python.absolute()  # peers start in other folders
    if options.spans % options.batch or options.peer_spans % options.batch:
        parser.error("--spans and --peer-spans must be multiples of --batch: answers are counted in whole requests.")
    return options


def report(
    name: str,
    system: AbstractContextManager[Running],
    spans: int,
    options: argparse.Namespace,
    ours: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Print and return the line of one system; what kept it from being measured is a line as well."""
    result: dict[str, Any] = {"system": name, "spans": spans}
    try:
        with system as running:
            result |= {"version": running.version} | measure(running, spans, WARM_UP_BODIES[name], options)
    except (NotMeasuredError, aiohttp.ClientError, OSError, sqlite3.Error) as error:
        result["error"] = f"{type(error).__name__}: {error}"
    if ours is not None:
        result |= {"ratio": ratio(ours, result, "spans_per_s"), "stored_ratio": ratio(ours, result, "stored_per_s")}
    print(json.dumps(result), flush=True)
    return result


def ratio(ours: Mapping[str, Any], theirs: Mapping[str, Any], rate: str) -> float | None:
    return round(ours[rate] / theirs[rate], 2) if ours.get(rate) and theirs.get(rate) else None


def measure(running: Running, spans: int, warm_up_bodies: int, options: argparse.Namespace) -> dict[str, Any]:
    first = make_bodies(warm_up_bodies * options.batch, options.batch, options.personal)
    bodies = make_bodies(spans, options.batch, options.personal)
    headers = {**PROTOBUF, **running.headers}
    warmed = load_in_process(running.url, first, options, headers)
    acknowledged_before = warmed["statuses"].get(200, 0) * options.batch
    before = watch_store(running.count_stored, acknowledged_before, options)
    if before["all_stored_s"] is None or not acknowledged_before:
        raise NotMeasuredError(
            f"Of the first {len(first) * options.batch} spans its store holds {before}; answers: {warmed['statuses']}."
        )
    load_average = round(os.getloadavg()[0], 2)
    result = load_in_process(running.url, bodies, options, headers)
    acknowledged = result["statuses"].get(200, 0) * options.batch
    found = watch_store(lambda: running.count_stored() - acknowledged_before, acknowledged, options)
    waited_s = options.patience_s if found["all_stored_s"] is None else found["all_stored_s"]
    stored_per_s = round(found["stored_at_end"] / (result["seconds"] + waited_s), 1)
    return result | {"acknowledged": acknowledged} | found | {"stored_per_s": stored_per_s, "load_average": load_average}


def watch_store(count: Callable[[], int], expected: int, options: argparse.Namespace) -> dict[str, Any]:
    """Look until everything expected is there, or patience ends; seconds are those at the end of a look."""
    begun = time.monotonic()
    early: int | None = None
    while True:
        stored, waited_s = count(), time.monotonic() - begun
        if early is None and (waited_s >= options.look_s or stored >= expected):
            early = stored
        if stored >= expected or waited_s >= options.patience_s:
            all_stored_s = round(waited_s, 1) if stored >= expected else None
            return {"stored": early, "stored_at_end": stored, "all_stored_s": all_stored_s}
        time.sleep(STEP_S)


@contextmanager
def running_penstock(options: argparse.Namespace) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        edge = start_edge(home, options.workers)
        try:
            yield Running(__version__, f"{wait_for_url(home, edge)}/v1/traces", {}, partial(count_in_lake, home))
        finally:
            edge.terminate()
            edge.wait(START_S)


def count_in_lake(home: Path) -> int:
    command = [str(Path(sys.executable).with_name("penstock")), "sql", "--home", str(home), "--json", COUNT]
    return int(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)[0]["n"])


@contextmanager
def running_peer(name: str, python: Path) -> Iterator[Running]:
    peer = PEERS[name]
    version = installed_version(peer.package, python)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        places = {"home": folder, "port": str(free_port()), "grpc_port": str(free_port())}
        base_url = f"http://127.0.0.1:{places['port']}"
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(python), "-m", peer.module, *(argument.format(**places) for argument in peer.arguments)],
                cwd=home,
                env=environment_of(peer, python, places),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, so that its workers end with it
            )
        try:
            wait_until_ready(base_url + peer.ready, process, home / "log")
            wait_until_idle(process)
            yield Running(version, f"{base_url}/v1/traces", peer.headers, partial(count_in_sqlite, home / peer.database))
        finally:
            stop_group(process)


def installed_version(package: str, python: Path) -> str:
    program = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
    found = subprocess.run([str(python), "-c", program, package], capture_output=True, text=True)
    if found.returncode:
        raise NotMeasuredError(f"{package} is not installed for {python}; run pip install {package} there.")
    return found.stdout.strip()


def environment_of(peer: Peer, python: Path, places: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the caller's but PATH, so that no setting or credential of theirs reaches it."""
    quiet = {"DO_NOT_TRACK": "true", "http_proxy": DEAD_PROXY, "https_proxy": DEAD_PROXY, "no_proxy": "127.0.0.1,localhost"}
    own = {name: value.format(**places) for name, value in peer.environment.items()}
    return {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "HOME": places["home"], **quiet, **own}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with closing(opener.open(url, timeout=START_S)):
                return
        except OSError:  # an answer that is not 200 is one as well
            time.sleep(STEP_S)
    ended = "did not answer" if process.poll() is None else f"ended with {process.returncode}"
    raise NotMeasuredError(
        f"It {ended} within {START_S} s of its start; its last words: {log.read_text(errors='replace')[-1000:]}"
    )


def wait_until_idle(process: "subprocess.Popen[bytes]") -> None:
    """One of several workers answers while the others still import what they need."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with suppress(psutil.NoSuchProcess):  # a helper that has done its work
            cpu_s = cpu_of(process)
            time.sleep(IDLE_LOOK_S)
            if cpu_of(process) - cpu_s < IDLE_SHARE * IDLE_LOOK_S:
                return


def stop_group(process: "subprocess.Popen[bytes]") -> None:
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)


def count_in_sqlite(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=BUSY_S)) as connection:
        return int(connection.execute(COUNT).fetchone()[0])


if __name__ == "__main__":
    main()
