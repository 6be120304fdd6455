"""`penstock up` keeps its children running, ends with them, and leaves none behind however it ends."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from penstock.errors import StorageError
from penstock.worker.supervisor import Program, supervise
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
SLEEPER = "echo $$ >> pids; exec sleep 600"


@contextmanager
def supervised(folder, *programs, stop_s=10.0):
    command = [sys.executable, "-m", "tests.worker.supervisor_process", str(folder), str(stop_s), *programs]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def pids(folder, count):
    def read():
        lines = (folder / "pids").read_text().splitlines() if (folder / "pids").exists() else []
        return lines if len(lines) >= count else None

    return [int(line) for line in wait_for(read)]


def is_running(pid):
    """Neither gone nor a zombie that nobody has collected yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_that_dies_is_started_again(tmp_path):
    with supervised(tmp_path, f"one={SLEEPER}") as supervisor:
        (first,) = pids(tmp_path, 1)
        os.kill(first, signal.SIGKILL)
        second = pids(tmp_path, 2)[1]
        assert is_running(second)
        supervisor.terminate()
        supervisor.wait()
    assert not is_running(second)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_stops_every_child_and_ends_well(tmp_path, number):
    with supervised(tmp_path, f"one={SLEEPER}", f"two={SLEEPER}") as supervisor:
        children = pids(tmp_path, 2)
        supervisor.send_signal(number)
        assert supervisor.wait() == 0
    assert not any(is_running(child) for child in children)


def test_killed_it_takes_its_children_with_it(tmp_path):
    with supervised(tmp_path, f"one={SLEEPER}", f"two={SLEEPER}") as supervisor:
        children = pids(tmp_path, 2)
        supervisor.kill()
        supervisor.wait()
        wait_for(lambda: not any(is_running(child) for child in children))


def test_a_child_that_will_not_stop_is_killed(tmp_path):
    with supervised(tmp_path, "one=trap '' TERM; echo $$ >> pids; while :; do sleep 1; done", stop_s=0.2) as supervisor:
        (child,) = pids(tmp_path, 1)
        supervisor.terminate()
        assert supervisor.wait() == 0
    assert not is_running(child)


def test_it_says_once_that_everything_is_ready(tmp_path):
    with supervised(tmp_path, f"one={SLEEPER}") as supervisor:
        (child,) = pids(tmp_path, 1)
        assert not (tmp_path / "announced").exists()
        (tmp_path / "ready").touch()
        wait_for((tmp_path / "announced").exists)
        os.kill(child, signal.SIGKILL)
        pids(tmp_path, 2)
        supervisor.terminate()
        supervisor.wait()
    assert (tmp_path / "announced").read_text() == "ready\n"


def test_what_children_print_is_kept_by_name(tmp_path):
    with supervised(tmp_path, "one=echo hello; echo trouble >&2; " + SLEEPER) as supervisor:
        pids(tmp_path, 1)
        supervisor.terminate()
        supervisor.wait()
    assert (tmp_path / "logs" / "one.log").read_text().splitlines() == ["hello", "trouble"]


def test_a_log_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "logs").write_text("a file")
    program = Program(name="one", command=("/bin/true",), environment={})
    with pytest.raises(StorageError, match="log folder"):
        supervise([program], tmp_path / "logs", lambda: None, lambda: True)
