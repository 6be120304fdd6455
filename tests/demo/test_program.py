"""The processes that the demo starts end with it, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.edge.live_server import wait_for

_START_S, _END_S = 90, 45


def _running(home: Path) -> list[psutil.Process]:
    """Every process that was told to work in this home."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PENSTOCK_HOME") == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_demo_that_is_killed_leaves_nothing_running(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    demo = subprocess.Popen([sys.executable, "-m", "penstock.cli", "demo", "--home", str(home)], stderr=subprocess.DEVNULL)
    try:
        wait_for((home / "run" / "edge.json").exists, _START_S)
        assert _running(home)
        demo.send_signal(signal.SIGKILL)
        demo.wait()
        wait_for(lambda: not _running(home), _END_S)
    finally:
        demo.kill()
        for process in _running(home):
            os.kill(process.pid, signal.SIGKILL)
