from datetime import timedelta

from penstock.registry.registry import Registry
from tests.registry.examples import NOON


def test_a_worker_is_live_while_it_is_seen_and_confirms_its_newest_generation(registry: Registry) -> None:
    registry.edges.heartbeat("edge-1", 3, NOON)
    registry.edges.heartbeat("edge-2", 3, NOON)
    registry.edges.heartbeat("edge-1", 4, NOON + timedelta(seconds=5))

    assert [(edge.worker_id, edge.generation) for edge in registry.edges.live(NOON)] == [("edge-1", 4), ("edge-2", 3)]
    assert [edge.worker_id for edge in registry.edges.live(NOON + timedelta(seconds=1))] == ["edge-1"]


def test_a_worker_that_stops_is_forgotten(registry: Registry) -> None:
    registry.edges.heartbeat("edge-1", 3, NOON)
    registry.edges.remove("edge-1")
    registry.edges.remove("edge-1")
    assert registry.edges.live(NOON) == []
