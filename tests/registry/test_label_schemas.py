import pytest

from penstock.errors import ConflictError, NotFoundError
from penstock.registry.registry import Registry
from tests.registry.examples import a_schema


def test_a_schema_comes_back_with_its_questions(registry: Registry) -> None:
    registry.schemas.put(a_schema())
    assert registry.schemas.get("response-quality", 1) == a_schema()


def test_without_a_version_the_newest_is_meant(registry: Registry) -> None:
    registry.schemas.put(a_schema(10))
    registry.schemas.put(a_schema(9))
    assert registry.schemas.get("response-quality").version == 10
    assert [schema.version for schema in registry.schemas.list()] == [9, 10]


def test_putting_a_version_again_changes_nothing(registry: Registry) -> None:
    registry.schemas.put(a_schema())
    registry.schemas.put(a_schema())
    assert registry.schemas.list() == [a_schema()]


def test_a_version_never_gets_other_questions(registry: Registry) -> None:
    registry.schemas.put(a_schema())
    with pytest.raises(ConflictError, match="exists with another dimensions"):
        registry.schemas.put(a_schema(dimensions=()))
    assert registry.schemas.list() == [a_schema()]


def test_an_unknown_schema_or_version_is_not_found(registry: Registry) -> None:
    registry.schemas.put(a_schema())
    with pytest.raises(NotFoundError, match="no label schema 'tone'"):
        registry.schemas.get("tone")
    with pytest.raises(NotFoundError, match="'response-quality, 2'"):
        registry.schemas.get("response-quality", 2)
