"""A real S3 server process for tests: moto's, from an environment of its own, on a free port, with nothing in it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_START_S = 60.0
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@contextmanager
def running_s3() -> Iterator[str]:
    """The URL of a running server; skips the test where it is not installed."""
    program = Path(sys.prefix) / "servers" / "bin" / "moto_server"
    found = str(program) if program.exists() else shutil.which("moto_server")
    if found is None:
        pytest.skip("the S3 server is not installed: sh tools/install_test_servers.sh")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [found, "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, **ENVIRONMENT},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(url, server)
        yield url
    finally:
        server.terminate()
        server.wait()


def make_bucket(url: str, name: str) -> None:
    """An empty bucket."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/{name}", method="PUT")).close()


def _wait(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            urllib.request.urlopen(url).close()
        except (urllib.error.URLError, ConnectionError):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the S3 server did not start") from None
            time.sleep(0.1)
        else:
            return
