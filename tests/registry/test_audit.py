from datetime import timedelta

import pytest

from penstock.registry.registry import Registry
from tests.registry.examples import NOON

LATER = NOON + timedelta(days=1)


def test_the_newest_deed_comes_first(registry: Registry) -> None:
    first = registry.audit.write("ada", "key.create", "key-1", "scopes: ingest", NOON)
    second = registry.audit.write("bob", "release.roll_back", "rel_1", "by hand", LATER)
    assert registry.audit.list() == [second, first]
    assert registry.audit.list(limit=1) == [second]
    assert registry.audit.list(target="key-1") == [first]


def test_erasing_a_person_leaves_that_something_happened(registry: Registry) -> None:
    registry.audit.write("ada", "key.create", "key-1", "", NOON)
    registry.audit.write("bob", "erase", "u_5%", "", NOON)
    registry.audit.write("bob", "erase", "u_50", "asked for by ada", NOON)

    assert registry.audit.erase("ada", LATER) == 2
    assert registry.audit.erase("u_5%", LATER) == 1
    entries = registry.audit.list()
    assert {entry.actor for entry in entries} | {entry.target for entry in entries} == {"[erased]"}
    assert sorted(entry.action for entry in entries) == ["erase", "erase", "key.create"]
    assert all(entry.detail == "" and entry.erased_at == LATER and entry.at == NOON for entry in entries)


def test_a_percent_sign_in_a_name_erases_no_one_else(registry: Registry) -> None:
    kept = registry.audit.write("bob", "erase", "u_50", "u_50", NOON)
    assert registry.audit.erase("u_5%", LATER) == 0
    assert registry.audit.list() == [kept]


def test_a_deed_that_fails_is_not_recorded(registry: Registry) -> None:
    with pytest.raises(RuntimeError), registry.transaction():
        registry.audit.write("ada", "key.create", "key-1", "", NOON)
        raise RuntimeError("the deed failed")
    assert registry.audit.list() == []
