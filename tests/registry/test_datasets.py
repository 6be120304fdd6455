from datetime import timedelta, timezone

import pytest

from penstock.errors import BadInputError, ConflictError, NotFoundError
from penstock.registry.registry import Registry
from tests.registry.examples import NOON, a_dataset


def test_a_dataset_version_comes_back_as_it_was_put(registry: Registry) -> None:
    registry.datasets.put(a_dataset())
    assert registry.datasets.get("d_1") == a_dataset()


def test_freezing_the_same_content_later_is_the_first_version(registry: Registry) -> None:
    registry.datasets.put(a_dataset())
    later = NOON + timedelta(days=1)
    assert registry.datasets.put(a_dataset(created_at=later, known_at=later, selection='{"at": "later"}')) == a_dataset()
    assert registry.datasets.list() == [a_dataset()]


def test_an_id_never_gets_other_content(registry: Registry) -> None:
    registry.datasets.put(a_dataset())
    with pytest.raises(ConflictError, match="another content_hash"):
        registry.datasets.put(a_dataset(content_hash="b2:other"))


def test_versions_are_listed_oldest_first_and_by_name(registry: Registry) -> None:
    registry.datasets.put(a_dataset("d_2", created_at=NOON + timedelta(hours=1)))
    registry.datasets.put(a_dataset("d_1"))
    registry.datasets.put(a_dataset("d_0", name="events", created_at=NOON + timedelta(hours=2)))
    assert [version.dataset_version_id for version in registry.datasets.list()] == ["d_1", "d_2", "d_0"]
    assert [version.dataset_version_id for version in registry.datasets.list("kept")] == ["d_1", "d_2"]


def test_a_version_with_erased_rows_is_marked_as_not_rebuildable(registry: Registry) -> None:
    registry.datasets.put(a_dataset())
    assert not registry.datasets.mark_not_rebuildable("d_1").rebuildable
    assert not registry.datasets.get("d_1").rebuildable
    assert registry.datasets.put(a_dataset()).rebuildable is False


def test_times_come_back_in_utc_to_the_microsecond(registry: Registry) -> None:
    elsewhere = NOON.replace(microsecond=123457).astimezone(timezone(timedelta(hours=5, minutes=30)))
    registry.datasets.put(a_dataset(created_at=elsewhere))
    stored = registry.datasets.get("d_1").created_at
    assert stored == elsewhere
    assert stored.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(registry: Registry) -> None:
    with pytest.raises(BadInputError, match="has no zone"):
        registry.datasets.put(a_dataset(created_at=NOON.replace(tzinfo=None)))


def test_an_unknown_version_is_not_found(registry: Registry) -> None:
    with pytest.raises(NotFoundError, match="no dataset version 'd_none'"):
        registry.datasets.get("d_none")
