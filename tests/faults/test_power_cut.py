"""A power cut at any moment: on what the last fsyncs had made durable, every acknowledged span is there again, once."""

import random
import time
from pathlib import Path

import pytest

from tests.edge.live_server import wait_for
from tests.faults.load import Load
from tests.faults.power_cut import Recorder, rebuild, rebuild_partly
from tests.faults.processes import Edge, Service, killed_at_the_end
from tests.faults.stored import bring_home, open_lake, require_exactly_once, span_ids

pytestmark = pytest.mark.timeout(300)

_SETTLED_S = 120.0


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk on which there is nothing, not even the home."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def cut_under_load(disk: Path, library: Path, cuts: int, seed: int) -> None:
    """Cut the power again and again; each start finds what was durable, every other one also a part of what was not."""
    chance = random.Random(seed)
    acknowledged: set[str] = set()
    home = disk / "home"
    for number in range(cuts):
        recorder = Recorder(library, disk, disk.with_name(f"record-{number}"))
        edge, worker = Edge(home, recorder.environment), Service("worker", home, recorder.environment)
        with killed_at_the_end(edge, worker):
            edge.start_ready()
            worker.start()
            with Load([edge.url], first_id=1 + number * 1_000_000) as load:
                wait_for(lambda: load.acknowledged, 60)  # called at once
                time.sleep(chance.random() * 8)
                edge.kill()
                worker.kill()
            acknowledged |= load.acknowledged
        visible = recorder.visible()
        disk.rename(disk.with_name(f"before-{number}"))
        if number % 2 == 0:
            rebuild(recorder.durable(), disk)
        else:
            rebuild_partly(recorder.durable(), visible, disk, chance)
    edge, worker = Edge(home), Service("worker", home, {})
    with killed_at_the_end(edge, worker):
        edge.start_ready()
        worker.start()
        lake = open_lake(home)
        wait_for(lambda: acknowledged <= set(span_ids(lake, "interactions")), _SETTLED_S)
        edge.stop()
        worker.stop()
    # A batch whose commit was torn is written again, so its span rows may stand twice, its interactions never.
    require_exactly_once(bring_home(home), acknowledged, set())


def test_a_power_cut_under_load_loses_and_doubles_nothing(disk: Path, recorder_library: Path) -> None:
    cut_under_load(disk, recorder_library, cuts=1, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_thirty_power_cuts_under_load_lose_and_double_nothing(disk: Path, recorder_library: Path) -> None:
    cut_under_load(disk, recorder_library, cuts=30, seed=2)


def run_once(home: Path, recorder: Recorder) -> list[tuple[int, set[str]]]:
    """An edge and a worker from their first start to their end, twice; what was acknowledged by which step."""
    told: list[tuple[int, set[str]]] = []
    for number in range(2):
        edge, worker = Edge(home, recorder.environment), Service("worker", home, recorder.environment)
        with killed_at_the_end(edge, worker):
            edge.start_ready()
            with Load([edge.url], first_id=1 + number * 1_000_000, pause_s=0.2) as load:
                worker.start()
                for _ in range(10):
                    time.sleep(0.3)
                    told.append(_told(load, recorder))
            told.append(_told(load, recorder))
            if number == 0:
                edge.kill()  # so that the second has something to adopt
            edge.stop()
            worker.stop()
    return told


def _told(load: Load, recorder: Recorder) -> tuple[int, set[str]]:
    acknowledged = load.acknowledged
    return recorder.steps(), acknowledged


def cut_at_steps(disk: Path, library: Path, every: int | None) -> None:
    recorder = Recorder(library, disk, disk.with_name("record"), keep_all=True)
    told = run_once(disk / "home", recorder)
    disk.rename(disk.with_name("before"))
    last = recorder.steps()
    assert len({step for step, _ in told}) > 5
    for steps in range(1, last + 1) if every is None else range(last, 0, -(last // every)):
        rebuilt = disk.with_name(f"after-{steps}")
        rebuild(recorder.durable(steps), rebuilt)
        acknowledged = set().union(*(spans for step, spans in told if step <= steps))
        require_exactly_once(bring_home(rebuilt / "home"), acknowledged, set())


@pytest.mark.slow
def test_a_power_cut_at_steps_from_the_first_start_to_the_end_loses_and_doubles_nothing(
    disk: Path, recorder_library: Path
) -> None:
    cut_at_steps(disk, recorder_library, every=12)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_power_cut_at_each_single_step_loses_and_doubles_nothing(disk: Path, recorder_library: Path) -> None:
    cut_at_steps(disk, recorder_library, every=None)
