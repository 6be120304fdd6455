from datetime import timedelta

import pytest

from penstock.errors import ConflictError, NotFoundError
from penstock.registry.registry import Registry
from tests.registry.examples import NOON, a_suite


def test_the_newest_suite_of_a_name_takes_over(registry: Registry) -> None:
    newer = a_suite("u_2", created_at=NOON + timedelta(days=1))
    registry.suites.put(newer)
    registry.suites.put(a_suite("u_1"))
    assert registry.suites.latest("held-out") == newer
    assert [suite.suite_id for suite in registry.suites.list()] == ["u_1", "u_2"]


def test_a_name_without_a_suite_has_no_latest(registry: Registry) -> None:
    assert registry.suites.latest("held-out") is None
    with pytest.raises(NotFoundError, match="no suite 'u_1'"):
        registry.suites.get("u_1")


def test_a_suite_never_gets_other_items(registry: Registry) -> None:
    registry.suites.put(a_suite())
    assert registry.suites.put(a_suite(created_at=NOON + timedelta(days=1))) == a_suite()
    with pytest.raises(ConflictError, match="another items: 100, not 99"):
        registry.suites.put(a_suite(items=99))
