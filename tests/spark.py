"""A real Spark cluster for tests: a standalone master and two workers, on loopback, as PySpark's own programs run them."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

WORKERS = 2
_START_S = 60.0
_CLASS = "org.apache.spark.deploy"


@contextmanager
def running_cluster() -> Iterator[str]:
    """Start a cluster and give its master's URL; skip the test where Java or PySpark is not installed."""
    if shutil.which("java") is None:
        pytest.skip("Java is not installed (Debian: apt-get install openjdk-17-jre-headless)")
    pyspark = pytest.importorskip("pyspark", reason="PySpark is not installed (pip install 'penstock[spark]')")
    home = Path(pyspark.__file__).parent
    port = _free_port()
    master = f"spark://127.0.0.1:{port}"
    folder = tempfile.mkdtemp(prefix="spark-")
    source = str(Path(__file__).parent.parent / "src")
    environment = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "512m",
        "SPARK_LOCAL_DIRS": folder,
        "SPARK_WORKER_DIR": folder,
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": source,
    }
    run = [str(home / "bin" / "spark-class")]
    commands = [[*run, f"{_CLASS}.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]]
    worker = [*run, f"{_CLASS}.worker.Worker", "--host", "127.0.0.1", "--webui-port", "0", "--cores", "1", "--memory", "1g"]
    commands += [[*worker, master]] * WORKERS
    processes: list[subprocess.Popen[bytes]] = []
    try:
        with (Path(folder) / "log").open("wb") as log:
            for command in commands:
                processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
                if len(processes) == 1:
                    _wait_for(port, processes[0], Path(folder) / "log")
        yield master
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"Spark's master did not start:\n{log.read_text(errors='replace')[-2000:]}")
