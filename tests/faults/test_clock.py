"""A wall clock that jumps under running processes, forwards and back: everything is there once, and goes on being settled."""

from pathlib import Path

import pytest

from tests.edge.live_server import wait_for
from tests.faults.load import Load
from tests.faults.processes import Edge, Service, killed_at_the_end
from tests.faults.stored import bring_home, open_lake, require_exactly_once, span_ids

pytestmark = pytest.mark.timeout(300)

_DAY_S = 86_400
_SETTLED_S = 80.0


@pytest.mark.slow
def test_a_clock_that_jumps_forwards_and_back_loses_doubles_and_holds_up_nothing(home: Path, clock_library: Path) -> None:
    offset = home.with_name("offset")
    offset.write_text("0")
    environment = {"LD_PRELOAD": str(clock_library), "CLOCK_OFFSET": str(offset)}
    edge, worker = Edge(home, environment), Service("worker", home, environment)
    acknowledged: set[str] = set()
    with killed_at_the_end(edge, worker):
        edge.start_ready()
        worker.start()
        for number, days in enumerate([0, 2, -3, 0]):
            offset.write_text(str(days * _DAY_S))
            if number == 2:  # what starts now finds rows and leases of a later time
                edge.kill()
                worker.kill()
                edge.start_ready()
                worker.start()
            with Load([edge.url], first_id=1 + number * 1_000_000) as load:
                wait_for(lambda: len(load.acknowledged) > 100, 60)  # called at once
            acknowledged |= load.acknowledged
            lake = open_lake(home)
            wait_for(lambda: acknowledged <= set(span_ids(lake, "interactions")), _SETTLED_S)  # noqa: B023
        edge.stop()
        worker.stop()
    require_exactly_once(bring_home(home), acknowledged, set())
