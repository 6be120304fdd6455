from datetime import timedelta

import pytest

from penstock.errors import ConflictError, NotFoundError
from penstock.registry.registry import Registry
from tests.registry.examples import NOON, a_release, put_two_checkpoints

LATER = NOON + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def _release(registry: Registry) -> None:
    put_two_checkpoints(registry)
    registry.releases.create(a_release())


def test_a_route_goes_through_a_canary_to_another_checkpoint(registry: Registry) -> None:
    assert registry.routes.get("code") is None
    assert registry.routes.set_stable("code", "c_stable", NOON).stable_checkpoint_id == "c_stable"

    canary = registry.routes.start_canary("code", "rel_1", "c_candidate", 0.5, "salt", NOON)
    assert registry.routes.get("code") == canary
    assert (canary.stable_checkpoint_id, canary.candidate_checkpoint_id) == ("c_stable", "c_candidate")
    assert (canary.candidate_share, canary.release_id, canary.salt) == (0.5, "rel_1", "salt")

    ended = registry.routes.end_canary("code", "c_candidate", LATER)
    assert registry.routes.get("code") == ended
    assert (ended.stable_checkpoint_id, ended.candidate_checkpoint_id, ended.candidate_share) == ("c_candidate", None, 0.0)
    assert (ended.release_id, ended.salt, ended.changed_at) == (None, "", LATER)


def test_every_change_of_any_route_takes_the_next_generation(registry: Registry) -> None:
    assert registry.routes.generation() == 0
    generations = [
        registry.routes.set_stable("code", "c_stable", NOON).generation,
        registry.routes.set_stable("chat", "c_stable", NOON).generation,
        registry.routes.start_canary("code", "rel_1", "c_candidate", 0.5, "salt", NOON).generation,
        registry.routes.set_stable("chat", "c_candidate", LATER).generation,
        registry.routes.end_canary("code", "c_stable", LATER).generation,
    ]
    assert generations == [1, 2, 3, 4, 5]
    assert registry.routes.generation() == 5
    assert [(route.route, route.generation) for route in registry.routes.list()] == [("chat", 4), ("code", 5)]


def test_a_step_taken_again_changes_nothing(registry: Registry) -> None:
    registry.routes.set_stable("code", "c_stable", NOON)
    assert registry.routes.set_stable("code", "c_stable", LATER).generation == 1
    registry.routes.start_canary("code", "rel_1", "c_candidate", 0.5, "salt", NOON)
    assert registry.routes.start_canary("code", "rel_1", "c_candidate", 0.5, "salt", LATER).generation == 2
    registry.routes.end_canary("code", "c_candidate", NOON)
    assert registry.routes.end_canary("code", "c_candidate", LATER).generation == 3
    assert registry.routes.generation() == 3


def test_a_canary_keeps_every_other_change_out(registry: Registry) -> None:
    registry.releases.create(a_release("rel_2"))
    registry.routes.set_stable("code", "c_stable", NOON)
    registry.routes.start_canary("code", "rel_1", "c_candidate", 0.5, "salt", NOON)
    with pytest.raises(ConflictError, match="in canary for release 'rel_1'"):
        registry.routes.set_stable("code", "c_candidate", LATER)
    with pytest.raises(ConflictError, match="in canary for release 'rel_1'"):
        registry.routes.start_canary("code", "rel_2", "c_candidate", 0.5, "salt", LATER)
    assert registry.routes.generation() == 2


def test_without_a_canary_there_is_none_to_end(registry: Registry) -> None:
    registry.routes.set_stable("code", "c_stable", NOON)
    with pytest.raises(ConflictError, match="not in canary; to point it at 'c_candidate', use set_stable"):
        registry.routes.end_canary("code", "c_candidate", LATER)


def test_what_a_route_names_must_exist(registry: Registry) -> None:
    with pytest.raises(NotFoundError, match="no route 'code'"):
        registry.routes.start_canary("code", "rel_1", "c_candidate", 0.5, "salt", NOON)
    with pytest.raises(NotFoundError, match="no route 'code'"):
        registry.routes.end_canary("code", "c_stable", NOON)
    with pytest.raises(NotFoundError, match="names stable_checkpoint_id 'c_none', which is not in checkpoints"):
        registry.routes.set_stable("code", "c_none", NOON)
    assert registry.routes.generation() == 0


def test_reading_the_generation_looks_at_one_row(registry: Registry) -> None:
    registry.routes.set_stable("code", "c_stable", NOON)
    explain = "EXPLAIN QUERY PLAN " if registry.engine.dialect.name == "sqlite" else "EXPLAIN "
    with registry.engine.connect() as connection:
        if registry.engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")  # on one row it would be the cheaper one
        plan = str(connection.exec_driver_sql(explain + "SELECT value FROM counters WHERE name = 'route_generation'").all())
    assert "SEARCH counters USING INDEX" in plan or "Index Scan using pk_counters" in plan
