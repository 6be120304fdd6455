"""A disk that is really full, with all of a home on it: refused with 503 while it lasts, and everything acknowledged is there."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.live_server import wait_for
from tests.faults.load import Load, send_chats
from tests.faults.processes import Edge, Service, killed_at_the_end
from tests.faults.stored import bring_home, open_lake, require_exactly_once, span_ids

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 MB, which only root can mount: not full before the worker has started, however slowly it does."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, ballast: Path) -> None:
    """Write until nothing more fits."""
    with ballast.open("ab", buffering=0) as file:
        for size in (1_000_000, 4096):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue


@pytest.mark.slow
def test_a_full_disk_under_load_refuses_and_afterwards_all_is_there(small_disk: Path) -> None:
    home, ballast = small_disk / "home", small_disk / "ballast"
    edge, worker = Edge(home), Service("worker", home, {})
    with killed_at_the_end(edge, worker):
        edge.start_ready()
        worker.start()
        with Load([edge.url]) as load:
            wait_for(lambda: len(load.acknowledged) > 200, 60)
            lake = open_lake(home)
            wait_for(lambda: span_ids(lake, "interactions"), 60)
            fill(small_disk, ballast)
            wait_for(lambda: _is_refused(edge, small_disk, ballast), 60)
            assert edge.is_running() and worker.is_running()
            ballast.unlink()
            reached = len(load.acknowledged)
            wait_for(lambda: len(load.acknowledged) > reached + 100, 80)
        wait_for(lambda: load.acknowledged <= set(span_ids(lake, "interactions")), 80)
        edge.stop()
        worker.stop()
        require_exactly_once(bring_home(home), load.acknowledged, load.sent_once)


def _is_refused(edge: Edge, disk: Path, ballast: Path) -> bool:
    """Nothing deleted may have made room meanwhile."""
    fill(disk, ballast)
    return send_chats(edge.url, [10**9]) == 503
