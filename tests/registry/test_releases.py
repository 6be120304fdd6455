import json
from datetime import timedelta

import pytest

from penstock.errors import ConflictError, NotFoundError
from penstock.records.release import ReleaseState
from penstock.registry.registry import Registry
from tests.registry.examples import NOON, a_release, put_two_checkpoints

LATER = NOON + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def _checkpoints(registry: Registry) -> None:
    put_two_checkpoints(registry)


def test_every_step_leaves_an_event_with_its_evidence(registry: Registry) -> None:
    registry.releases.create(a_release())
    registry.releases.transition("rel_1", ReleaseState.CANARY, at=NOON, evidence={"evaluations": ["e_1"]})
    registry.releases.note("rel_1", at=NOON, evidence={"users": 12})
    live = registry.releases.transition("rel_1", "live", at=LATER, evidence={"likelihood_ratio": 21.5}, p_value=0.04)

    assert registry.releases.get("rel_1") == live
    assert (live.canary_at, live.decided_at, live.p_value) == (NOON, LATER, 0.04)
    events = registry.releases.events("rel_1")
    assert [(event.sequence, event.state) for event in events] == [(0, "proposed"), (1, "canary"), (2, "canary"), (3, "live")]
    assert json.loads(events[3].evidence) == {"likelihood_ratio": 21.5}


def test_a_forbidden_step_leaves_neither_state_nor_event(registry: Registry) -> None:
    registry.releases.create(a_release())
    with pytest.raises(
        ConflictError, match="is proposed and cannot become rolled_back; from there it can become canary, live, refused"
    ):
        registry.releases.transition("rel_1", "rolled_back", at=NOON, evidence={})
    assert registry.releases.get("rel_1") == a_release()
    assert len(registry.releases.events("rel_1")) == 1


def test_a_release_created_again_is_returned_as_it_stands_now(registry: Registry) -> None:
    registry.releases.create(a_release())
    canary = registry.releases.transition("rel_1", "canary", at=NOON, evidence={})
    assert registry.releases.create(a_release()) == canary
    assert len(registry.releases.events("rel_1")) == 2


def test_a_release_of_another_checkpoint_needs_an_id_of_its_own(registry: Registry) -> None:
    registry.releases.create(a_release())
    with pytest.raises(ConflictError, match="another checkpoint_id"):
        registry.releases.create(a_release(checkpoint_id="c_stable"))


def test_evidence_accumulates_without_a_change_of_state(registry: Registry) -> None:
    registry.releases.create(a_release())
    registry.releases.update("rel_1", p_value=0.5)
    registry.releases.update("rel_1", applied_at=LATER)
    assert (registry.releases.get("rel_1").p_value, registry.releases.get("rel_1").applied_at) == (0.5, LATER)
    with pytest.raises(ConflictError, match="state of release"):
        registry.releases.update("rel_1", state="live")


def test_releases_are_found_by_route_and_state(registry: Registry) -> None:
    registry.releases.create(a_release("rel_1"))
    registry.releases.create(a_release("rel_2", created_at=LATER))
    registry.releases.create(a_release("rel_3", route="chat"))
    registry.releases.transition("rel_2", "canary", at=LATER, evidence={})
    assert [release.release_id for release in registry.releases.list(route="code")] == ["rel_1", "rel_2"]
    assert [release.release_id for release in registry.releases.list(state="canary")] == ["rel_2"]


def test_an_unknown_release_is_not_found(registry: Registry) -> None:
    with pytest.raises(NotFoundError, match="no release 'rel_none'"):
        registry.releases.transition("rel_none", "canary", at=NOON, evidence={})
    assert registry.releases.events("rel_none") == []
