"""<home>/run/edge.json: where a running edge can be reached, written once it is ready and removed when it stops."""

import os
from pathlib import Path

import msgspec
from msgspec import Struct


class RunningEdge(Struct, frozen=True, kw_only=True):
    """What other processes need to find it."""

    host: str
    port: int
    url: str
    pid: int
    workers: int
    grpc_port: int | None = None  # where OTLP/gRPC is served


def run_file(home: Path) -> Path:
    """Its path."""
    return home / "run" / "edge.json"


def write_run_file(home: Path, host: str, port: int, workers: int, grpc_port: int | None = None) -> None:
    """Write it whole or not at all."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not listened on
    address = f"[{reachable}]" if ":" in reachable else reachable
    url = f"http://{address}:{port}"
    running = RunningEdge(host=host, port=port, url=url, pid=os.getpid(), workers=workers, grpc_port=grpc_port)
    path = run_file(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    partial.write_bytes(msgspec.json.encode(running))
    partial.replace(path)


def read_run_file(home: Path) -> RunningEdge | None:
    """The edge of this home, if one is or was running."""
    try:
        return msgspec.json.decode(run_file(home).read_bytes(), type=RunningEdge)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def remove_run_file(home: Path) -> None:
    """Remove it, unless another process has written its own over it."""
    running = read_run_file(home)
    if running is not None and running.pid == os.getpid():
        run_file(home).unlink(missing_ok=True)
