"""Every test in this folder runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest

from penstock.registry.registry import Registry
from penstock.settings import Settings


@pytest.fixture(params=["sqlite", "postgresql"])
def registry_url(request: pytest.FixtureRequest, settings: Settings) -> str:
    """The URL of an empty registry."""
    return settings.registry_url if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def registry(registry_url: str) -> Iterator[Registry]:
    """An empty registry, migrated."""
    registry = Registry(registry_url)
    registry.migrate()
    yield registry
    registry.close()
