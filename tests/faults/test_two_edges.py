"""Two edge processes on one lake: what both acknowledge is there once, also when one dies and the other takes its spool over."""

from pathlib import Path

import pytest

from tests.edge.live_server import wait_for
from tests.faults.load import Load
from tests.faults.processes import Edge, Service, killed_at_the_end
from tests.faults.stored import bring_home, open_lake, require_exactly_once, span_ids

pytestmark = pytest.mark.timeout(300)


@pytest.mark.slow
def test_two_edges_on_one_lake_lose_and_double_nothing(home: Path) -> None:
    edges, worker = [Edge(home), Edge(home)], Service("worker", home, {})
    with killed_at_the_end(*edges, worker):
        for edge in edges:
            edge.start()
        for edge in edges:
            edge.wait_until_ready()
        worker.start()
        with Load([edge.url for edge in edges]) as load:
            wait_for(lambda: len(load.acknowledged) > 500, 60)
            edges[0].kill()
            reached = len(load.acknowledged)
            wait_for(lambda: len(load.acknowledged) > reached + 500, 60)
        lake = open_lake(home)
        # The survivor looks for spools that nobody holds every half minute.
        wait_for(lambda: load.acknowledged <= set(span_ids(lake, "interactions")), 80)
        edges[1].stop()
        worker.stop()
    require_exactly_once(bring_home(home), load.acknowledged, load.sent_once)
