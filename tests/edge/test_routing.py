"""Routes in memory: how fast a flip is in force, how it is confirmed, and that a lost registry stops nothing."""

from datetime import UTC, datetime

import pytest

from penstock.edge.routing import RouteKeeper, RouteTable
from penstock.errors import NotFoundError
from penstock.records.clock import utc_now
from penstock.records.release import Release
from penstock.registry.registry import Registry
from tests.edge.conftest import checkpoint
from tests.edge.live_server import wait_for

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def two_checkpoints(registry: Registry) -> Registry:
    registry.checkpoints.put(checkpoint("one", "m1"))
    registry.checkpoints.put(checkpoint("two", "m2"))
    registry.routes.set_stable("assistant", "c_one", utc_now())
    return registry


def confirmed(registry: Registry) -> int:
    edges = registry.edges.live(EPOCH)
    return edges[0].generation if edges else -1


def test_before_the_registry_was_read_nothing_is_loaded(registry: Registry) -> None:
    keeper = RouteKeeper(registry, "w", refresh_s=0.01)
    assert not keeper.is_loaded
    keeper.refresh()
    assert keeper.is_loaded


def test_a_route_leads_to_its_checkpoint(two_checkpoints: Registry) -> None:
    keeper = RouteKeeper(two_checkpoints, "w", refresh_s=0.01)
    keeper.refresh()
    found = keeper.table.resolve("assistant", "user-1")
    assert found is not None
    assert (found.upstream, found.model, found.checkpoint_id, found.arm, found.arm_probability) == (
        "scripted",
        "m1",
        "c_one",
        "stable",
        1.0,
    )
    assert keeper.table.resolve("other", "user-1") is None


def test_a_canary_splits_units_stickily_and_tells_the_probability(two_checkpoints: Registry) -> None:
    two_checkpoints.releases.create(
        Release(
            release_id="rel_1",
            route="assistant",
            checkpoint_id="c_two",
            stable_checkpoint_id="c_one",
            state="proposed",
            candidate_share=0.25,
            salt="salt",
            turn_id=None,
            created_at=utc_now(),
        )
    )
    two_checkpoints.routes.start_canary("assistant", "rel_1", "c_two", 0.25, "salt", utc_now())
    keeper = RouteKeeper(two_checkpoints, "w", refresh_s=0.01)
    keeper.refresh()
    found = [keeper.table.resolve("assistant", f"user-{number}") for number in range(400)]
    again = [keeper.table.resolve("assistant", f"user-{number}") for number in range(400)]
    assert found == again
    candidates = [one for one in found if one is not None and one.arm == "candidate"]
    assert 60 < len(candidates) < 140
    assert {(one.checkpoint_id, one.arm_probability, one.release_id) for one in candidates} == {("c_two", 0.25, "rel_1")}


def test_a_generation_is_confirmed_once_it_is_in_place(two_checkpoints: Registry) -> None:
    keeper = RouteKeeper(two_checkpoints, "w", refresh_s=0.01)
    keeper.refresh()
    first = confirmed(two_checkpoints)
    two_checkpoints.routes.set_stable("assistant", "c_two", utc_now())
    assert confirmed(two_checkpoints) == first
    keeper.refresh()
    assert confirmed(two_checkpoints) == two_checkpoints.routes.generation() > first
    found = keeper.table.resolve("assistant", "u")
    assert found is not None and found.checkpoint_id == "c_two"


def test_the_thread_follows_a_flip_and_signs_off_at_the_end(two_checkpoints: Registry) -> None:
    keeper = RouteKeeper(two_checkpoints, "w", refresh_s=0.01)
    keeper.start()
    wait_for(lambda: keeper.is_loaded)
    two_checkpoints.routes.set_stable("assistant", "c_two", utc_now())
    wait_for(lambda: confirmed(two_checkpoints) == two_checkpoints.routes.generation())
    keeper.stop()
    assert two_checkpoints.edges.live(EPOCH) == []


def test_while_the_registry_is_away_the_last_table_serves(two_checkpoints: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = RouteKeeper(two_checkpoints, "w", refresh_s=0.01)
    keeper.start()
    wait_for(lambda: keeper.is_loaded)

    def away() -> int:
        raise OSError("no route to host")

    with monkeypatch.context() as patched:
        patched.setattr(two_checkpoints.routes, "generation", away)
        wait_for(lambda: keeper.failure == "no route to host")
        assert keeper.table.resolve("assistant", "u") is not None
    wait_for(lambda: keeper.failure is None)
    keeper.stop()


def test_a_route_to_an_unknown_checkpoint_is_told(two_checkpoints: Registry) -> None:
    route = two_checkpoints.routes.list()[0]
    table = RouteTable(generation=1, routes={"assistant": route}, checkpoints={})
    with pytest.raises(NotFoundError, match="c_one"):
        table.resolve("assistant", "u")
