"""Erasures are recorded from their beginning, and end once."""

import pytest

from penstock.errors import ConflictError
from penstock.records.erasure import Erasure, ErasureState
from penstock.registry.registry import Registry
from tests.registry.examples import NOON


def test_an_erasure_is_running_until_it_is_finished_with_its_report(registry: Registry) -> None:
    registry.erasures.create(Erasure(erasure_id="x_1", users=2, requested_at=NOON))
    assert [erasure.state for erasure in registry.erasures.list()] == [ErasureState.RUNNING]
    done = registry.erasures.finish("x_1", "{}", NOON)
    assert (done.state, done.report, done.finished_at) == (ErasureState.DONE, "{}", NOON)


def test_an_erasure_ends_once(registry: Registry) -> None:
    registry.erasures.create(Erasure(erasure_id="x_1", users=1, requested_at=NOON))
    registry.erasures.finish("x_1", "{}", NOON)
    with pytest.raises(ConflictError):
        registry.erasures.finish("x_1", "{}", NOON)
