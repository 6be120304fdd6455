import threading
from pathlib import Path

import pytest

from penstock.errors import ConflictError
from penstock.registry.registry import Registry
from tests.registry import processes
from tests.registry.examples import NOON, a_release, a_run, put_two_checkpoints


@pytest.fixture
def canary(registry: Registry) -> Registry:
    """A registry with a release in canary."""
    put_two_checkpoints(registry)
    registry.releases.create(a_release())
    registry.routes.set_stable("code", "c_stable", NOON)
    with registry.transaction():
        registry.releases.transition("rel_1", "canary", at=NOON, evidence={})
        registry.routes.start_canary("code", "rel_1", "c_candidate", 0.5, "salt", NOON)
    return registry


def _standing(registry: Registry) -> tuple[str, str | None, int]:
    route = registry.routes.get("code")
    assert route is not None
    return registry.releases.get("rel_1").state, route.release_id, registry.routes.generation()


def test_a_verdict_and_its_flip_are_applied_together(canary: Registry) -> None:
    with canary.transaction():
        canary.releases.transition("rel_1", "live", at=NOON, evidence={})
        canary.routes.end_canary("code", "c_candidate", NOON)
        assert _standing(canary) == ("live", None, 3)
    assert _standing(canary) == ("live", None, 3)


def test_a_flip_that_is_refused_takes_the_verdict_back(canary: Registry) -> None:
    with pytest.raises(ConflictError), canary.transaction():
        canary.releases.transition("rel_1", "live", at=NOON, evidence={})
        canary.routes.set_stable("code", "c_candidate", NOON)
    assert _standing(canary) == ("canary", "rel_1", 2)
    assert len(canary.releases.events("rel_1")) == 2


def test_a_process_that_dies_between_verdict_and_flip_leaves_neither(canary: Registry, registry_url: str) -> None:
    assert processes.run_at_once(1, processes.die_between_verdict_and_flip, registry_url) == [9]
    assert _standing(canary) == ("canary", "rel_1", 2)
    assert len(canary.releases.events("rel_1")) == 2


def test_a_process_that_dies_after_the_flip_leaves_both(canary: Registry, registry_url: str) -> None:
    assert processes.run_at_once(1, processes.die_after_flip, registry_url) == [9]
    assert _standing(canary) == ("live", None, 3)
    assert len(canary.releases.events("rel_1")) == 3


def test_a_transaction_is_its_own_threads_and_unseen_by_others_until_it_ends(canary: Registry) -> None:
    seen: list[tuple[str, str | None, int]] = []
    with canary.transaction():
        canary.releases.transition("rel_1", "live", at=NOON, evidence={})
        reader = threading.Thread(target=lambda: seen.append(_standing(canary)))
        reader.start()
        reader.join()
    assert seen == [("canary", "rel_1", 2)]


def test_processes_that_write_at_once_all_succeed(registry: Registry, registry_url: str) -> None:
    put_two_checkpoints(registry)
    for run_id in ("r_shared", "r_0", "r_1", "r_2", "r_3"):
        registry.runs.put(a_run(run_id))
        registry.runs.transition(run_id, "running")
    assert processes.run_at_once(4, processes.move_runs, registry_url, 50) == [0, 0, 0, 0]
    assert {run.state for run in registry.runs.list()} == {"running"}


def test_turns_created_at_once_are_numbered_without_a_gap(registry: Registry, registry_url: str) -> None:
    assert processes.run_at_once(4, processes.create_turns, registry_url, 10) == [0, 0, 0, 0]
    assert [turn.number for turn in registry.turns.list("code")] == list(range(1, 42))


def test_routes_changed_at_once_take_one_generation_each(registry: Registry, registry_url: str) -> None:
    put_two_checkpoints(registry)
    assert processes.run_at_once(4, processes.flip_route, registry_url, 10) == [0, 0, 0, 0]
    assert registry.routes.generation() == 40
    assert len({route.generation for route in registry.routes.list()}) == 4


def test_a_lease_wanted_at_once_goes_to_one(registry: Registry, registry_url: str, tmp_path: Path) -> None:
    winners = tmp_path / "winners"
    winners.mkdir()
    assert processes.run_at_once(4, processes.acquire_lease, registry_url, str(winners)) == [0, 0, 0, 0]
    assert len(list(winners.iterdir())) == 1
    assert registry.leases.get("settle") is not None
