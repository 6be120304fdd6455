"""The real processes of one home, to be killed and started anew on the same port."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from tests.edge.live_server import wait_for

READY_S = 90.0
_STOP_S = 60.0
QUICK = {"PENSTOCK_EDGE_GRPC_PORT": "0", "PENSTOCK_EDGE_FLUSH_INTERVAL_S": "0.1", "PENSTOCK_INGEST_SETTLE_INTERVAL_S": "0.1"}


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Service:
    """One process of Penstock, in a group of its own with all that it starts."""

    def __init__(self, command: str, home: Path, environment: Mapping[str, str], wrapper: tuple[str, ...] = ()) -> None:
        self.command = command
        self._home = home
        self._environment = {**os.environ, **QUICK, "PENSTOCK_HOME": str(home), **environment}
        self._wrapper = wrapper
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process running now."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it; it may not be ready yet."""
        command = [*self._wrapper, sys.executable, "-m", "penstock.cli", self.command]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, start_new_session=True)

    @property
    def log(self) -> Path:
        """What it said; beside the home, since a power cut takes what is in it."""
        return self._home.with_name(f"{self._home.name}-{self.command}.log")

    def kill(self) -> None:
        """Kill it and all that it started, now."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def stop(self) -> None:
        """Have it end as it would."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(_STOP_S)

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None


class Edge(Service):
    """An edge on a port of its own, the same at every start."""

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None, wrapper: tuple[str, ...] = ()) -> None:
        self.port = free_port()
        super().__init__("edge", home, {"PENSTOCK_EDGE_PORT": str(self.port), **(environment or {})}, wrapper)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start_ready(self) -> None:
        """Start it and wait until it serves."""
        self.start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Until /healthz says so."""
        wait_for(lambda: not self.is_running() or self._is_healthy(), READY_S)
        assert self.is_running(), self.log.read_text()[-4000:]

    def ingest_status(self) -> dict[str, object]:
        """What its door says of itself."""
        return dict(httpx.get(f"{self.url}/v1/status", timeout=30).json()["ingest"])

    def _is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


@contextlib.contextmanager
def killed_at_the_end(*services: Service) -> Iterator[None]:
    """Leave no process behind, however the test ends."""
    try:
        yield
    finally:
        for service in services:
            service.kill()
