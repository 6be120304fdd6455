"""kill -9 of edge and worker at any moment under load: every acknowledged span is there, once."""

import random
import time
from pathlib import Path

import pytest

from tests.edge.live_server import wait_for
from tests.faults.load import Load
from tests.faults.processes import Edge, Service, killed_at_the_end
from tests.faults.stored import bring_home, open_lake, require_exactly_once, span_ids

pytestmark = pytest.mark.timeout(300)

_SETTLED_S = 120.0


def kill_under_load(home: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    edge, worker = Edge(home), Service("worker", home, {})
    with killed_at_the_end(edge, worker):
        edge.start_ready()
        worker.start()
        with Load([edge.url]) as load:
            for _ in range(kills):
                reached = len(load.acknowledged)
                wait_for(lambda: len(load.acknowledged) > reached, 60)  # noqa: B023  # called at once
                time.sleep(chance.random() * 1.5)
                victims = chance.choice([[edge], [edge], [worker], [edge, worker]])
                for victim in victims:
                    victim.kill()
                for victim in victims:
                    victim.start()
                if edge in victims:
                    edge.wait_until_ready()
        assert load.acknowledged
        lake = open_lake(home)
        wait_for(lambda: load.acknowledged <= set(span_ids(lake, "interactions")), _SETTLED_S)
        edge.stop()
        worker.stop()
        require_exactly_once(bring_home(home), load.acknowledged, load.sent_once)


def test_edge_and_worker_killed_under_load_lose_and_double_nothing(home: Path) -> None:
    kill_under_load(home, kills=5, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_edge_and_worker_killed_a_hundred_times_under_load_lose_and_double_nothing(home: Path) -> None:
    kill_under_load(home, kills=100, seed=2)
