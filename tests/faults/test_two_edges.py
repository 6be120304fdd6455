"""Two edge processes on one lake: what both acknowledge is there once, also when one of them dies."""

import shutil
from pathlib import Path

import pytest

from penstock.lake.lake import Lake
from penstock.lake.location import find_lake
from tests.edge.live_server import wait_for
from tests.faults.load import Load
from tests.faults.processes import Edge, Service, killed_at_the_end
from tests.faults.stored import bring_home, open_lake, require_exactly_once, span_ids
from tests.s3 import S3Server

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


@pytest.mark.slow
def test_two_homes_with_one_lake_on_s3_lose_and_double_nothing(home: Path, s3_server: S3Server) -> None:
    """As on two machines: each has spools of its own, the lake, the registry and the key are shared, one worker serves both."""
    settings = s3_server.new_settings()
    shared = {
        "PENSTOCK_LAKE_URL": settings.url,
        "PENSTOCK_LAKE_ENDPOINT": settings.endpoint,
        "PENSTOCK_REGISTRY_URL": f"sqlite:///{home}/registry.db",
        **s3_server.environment,
    }
    homes = [home / "one", home / "another"]
    edges, worker = [Edge(one, shared) for one in homes], Service("worker", homes[0], shared)
    with killed_at_the_end(*edges, worker):
        edges[0].start_ready()
        homes[1].mkdir()
        shutil.copy(homes[0] / "secret.key", homes[1] / "secret.key")
        edges[1].start_ready()
        worker.start()
        with Load([edge.url for edge in edges]) as load:
            wait_for(lambda: len(load.acknowledged) > 500, 60)
            edges[1].kill()
            reached = len(load.acknowledged)
            wait_for(lambda: len(load.acknowledged) > reached + 200, 60)
            edges[1].start_ready()
            reached = len(load.acknowledged)
            wait_for(lambda: len(load.acknowledged) > reached + 500, 60)
        lake = Lake(find_lake(settings, home, s3_server.environment), settings)
        wait_for(lambda: load.acknowledged <= set(span_ids(lake, "interactions")), 120)
        for service in (*edges, worker):
            service.stop()
    for one in homes:
        bring_home(one, lake)
        assert not (one / "lake").exists()
    require_exactly_once(lake, load.acknowledged, load.sent_once)
