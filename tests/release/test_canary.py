"""State and pointer move together, once, and a flip counts as applied only when every live edge has confirmed it."""

import threading

import pytest
from msgspec.structs import replace

from penstock.errors import ConfigurationError, ConflictError, NotFoundError
from penstock.records.clock import utc_now
from penstock.records.release import ReleaseState
from penstock.records.training import Checkpoint
from penstock.registry.registry import Registry
from penstock.release.canary import Flips, flip_seconds
from penstock.settings import ReleaseSettings

SETTINGS = ReleaseSettings(apply_timeout_s=0.1)


@pytest.fixture
def registry(tmp_path):
    registry = Registry(f"sqlite:///{tmp_path}/registry.db")
    registry.migrate()
    for name in ("c_old", "c_new", "c_newer"):
        registry.checkpoints.put(
            Checkpoint(
                checkpoint_id=name,
                name=name,
                content_hash="b2:" + name,
                uri=f"/checkpoints/{name}",
                upstream="local",
                model=name,
                created_at=utc_now(),
            )
        )
    registry.routes.set_stable("tab", "c_old", utc_now())
    yield registry
    registry.close()


@pytest.fixture
def flips(registry):
    return Flips(registry, SETTINGS)


def in_canary(flips, checkpoint="c_new"):
    return flips.start(flips.propose("tab", checkpoint).release_id)


def test_a_canary_gives_the_candidate_its_share(registry, flips):
    release = in_canary(flips)
    route = registry.routes.get("tab")
    assert release.state == ReleaseState.CANARY
    assert (route.stable_checkpoint_id, route.candidate_checkpoint_id, route.candidate_share) == ("c_old", "c_new", 0.5)
    assert (route.release_id, route.salt) == (release.release_id, release.release_id)


def test_promoting_lets_the_candidate_answer_everyone(registry, flips):
    release = flips.promote(in_canary(flips).release_id, "better", {"likelihood_ratio": 31.0})
    route = registry.routes.get("tab")
    assert (release.state, release.reason) == (ReleaseState.LIVE, "better")
    assert (route.stable_checkpoint_id, route.candidate_checkpoint_id) == ("c_new", None)


@pytest.mark.parametrize(("end", "state"), [("refuse", ReleaseState.REFUSED), ("roll_back", ReleaseState.ROLLED_BACK)])
def test_refusing_and_rolling_back_leave_the_route_on_stable(registry, flips, end, state):
    release = getattr(flips, end)(in_canary(flips).release_id, "worse", {})
    assert release.state == state
    assert registry.routes.get("tab").stable_checkpoint_id == "c_old"
    assert registry.routes.get("tab").candidate_checkpoint_id is None


def test_a_release_refused_before_its_canary_never_touches_the_route(registry, flips):
    generation = registry.routes.generation()
    flips.refuse(flips.propose("tab", "c_new").release_id, "failed a suite", {})
    assert registry.routes.generation() == generation


def test_a_live_release_can_be_rolled_back_to_the_checkpoint_before(registry, flips):
    live = flips.promote(in_canary(flips).release_id, "better", {})
    back = flips.roll_back(live.release_id, "a person asked")
    assert (back.state, back.reason) == (ReleaseState.ROLLED_BACK, "a person asked")
    assert back.decided_at > live.decided_at
    assert registry.routes.get("tab").stable_checkpoint_id == "c_old"


def test_only_the_release_that_serves_can_be_rolled_back(flips):
    first = flips.promote(in_canary(flips).release_id, "better", {})
    flips.promote(in_canary(flips, "c_newer").release_id, "better still", {})
    with pytest.raises(ConflictError, match="no longer serves"):
        flips.roll_back(first.release_id, "a person asked")


def test_everything_may_be_asked_for_twice(registry, flips):
    release = flips.propose("tab", "c_new", turn_id=None)
    for act in (flips.start, lambda name: flips.promote(name, "better", {})):
        generation_after_first = (act(release.release_id), registry.routes.generation())[1]
        act(release.release_id)
        assert registry.routes.generation() == generation_after_first
    assert [event.state for event in registry.releases.events(release.release_id)] == ["proposed", "canary", "live"]


def test_a_flip_is_applied_when_the_last_live_edge_has_confirmed_it(registry):
    flips = Flips(registry, replace(SETTINGS, apply_timeout_s=10.0))
    release = in_canary(flips)
    before = registry.routes.generation()
    registry.edges.heartbeat("edge-1", before, utc_now())

    def confirm_late():
        while registry.routes.generation() == before:
            pass
        registry.edges.heartbeat("edge-1", registry.routes.generation(), utc_now())

    edge = threading.Thread(target=confirm_late)
    edge.start()
    back = flips.roll_back(release.release_id, "worse")
    edge.join()
    assert back.applied_at >= registry.edges.live(back.decided_at)[0].seen_at
    assert flip_seconds(back) > 0


def test_an_edge_that_does_not_confirm_is_named_and_the_flip_stands(registry, flips):
    release = in_canary(flips)
    registry.edges.heartbeat("edge-7", registry.routes.generation(), utc_now())
    back = flips.roll_back(release.release_id, "worse")
    assert (back.state, back.applied_at, flip_seconds(back)) == (ReleaseState.ROLLED_BACK, None, None)
    assert "edge-7" in registry.releases.events(release.release_id)[-1].evidence


def test_a_proof_against_a_checkpoint_that_no_longer_serves_is_worth_nothing(registry, flips):
    release = flips.propose("tab", "c_new")
    registry.routes.set_stable("tab", "c_newer", utc_now())
    with pytest.raises(ConflictError, match="examine it again"):
        flips.start(release.release_id)
    assert registry.releases.get(release.release_id).state == ReleaseState.PROPOSED


def test_a_route_that_nothing_serves_cannot_have_a_release(flips):
    with pytest.raises(NotFoundError, match="no route 'chat'"):
        flips.propose("chat", "c_new")


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_split_needs_two_sides(flips, share):
    with pytest.raises(ConfigurationError, match="candidate_share"):
        flips.propose("tab", "c_new", share=share)


def test_what_was_proved_without_a_canary_goes_live_at_once_and_can_be_rolled_back(registry, flips):
    release = flips.promote(flips.propose("tab", "c_new").release_id, "pair by pair", {})
    assert (release.state, registry.routes.get("tab").stable_checkpoint_id) == (ReleaseState.LIVE, "c_new")
    flips.roll_back(release.release_id, "second thoughts")
    assert registry.routes.get("tab").stable_checkpoint_id == "c_old"


def test_a_proof_against_what_no_longer_serves_is_worth_nothing(registry, flips):
    release = flips.propose("tab", "c_new")
    registry.routes.set_stable("tab", "c_newer", utc_now())
    with pytest.raises(ConflictError, match="examine it again"):
        flips.promote(release.release_id, "pair by pair", {})
    assert registry.routes.get("tab").stable_checkpoint_id == "c_newer"
