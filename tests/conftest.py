"""What every test may ask for: a fresh home, its settings, a migrated registry, an empty PostgreSQL database, a lake's root."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.lake.lake import Lake
from penstock.lake.local_place import LocalPlace
from penstock.lake.place import Place
from penstock.registry.registry import Registry
from penstock.settings import LakeSettings, Settings
from tests.postgres import PostgresServer, running_server
from tests.s3 import S3Server, running_s3


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith(("PENSTOCK_", "AWS_"))]:
        monkeypatch.delenv(variable)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory that no other test has seen."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(home: Path) -> Settings:
    """The defaults, with this home."""
    return Settings(home=str(home))


@pytest.fixture(scope="session")
def empty_stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a lake and a registry without rows: to copy them is much quicker than to make them."""
    home = tmp_path_factory.mktemp("empty")
    Lake(home / "lake", LakeSettings()).create()
    registry = Registry(f"sqlite:///{home}/registry.db")
    registry.migrate()
    registry.close()
    return home


@pytest.fixture
def empty_lake(home: Path, empty_stores: Path) -> Lake:
    """A lake without rows in this home."""
    shutil.copytree(empty_stores / "lake", home / "lake")
    lake = Lake(home / "lake", LakeSettings())
    lake.create()
    return lake


@pytest.fixture
def registry(settings: Settings, empty_stores: Path) -> Iterator[Registry]:
    """An empty registry on SQLite in this home."""
    shutil.copy(empty_stores / "registry.db", settings.home_path / "registry.db")
    registry = Registry(settings.registry_url)
    registry.migrate()
    yield registry
    registry.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the session; skips where it is not installed."""
    with running_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of an empty PostgreSQL database."""
    return postgres_server.create_database()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One S3 API for the session; skips where it is not installed."""
    with running_s3() as server:
        yield server


@pytest.fixture(params=["disk", "s3"])
def root(request: pytest.FixtureRequest, home: Path) -> Place:
    """Where a lake may be made."""
    if request.param == "disk":
        return LocalPlace(home / "lake")
    server: S3Server = request.getfixturevalue("s3_server")
    return server.new_root()
