import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from penstock.errors import BadInputError, ConfigurationError, ConflictError, MissingDependencyError, StorageError
from penstock.registry.database import Database
from penstock.registry.migrate import migrate
from penstock.registry.registry import Registry
from penstock.registry.tables import RELEASE_EVENTS
from tests.registry.examples import NOON, a_suite


def test_sqlite_checks_references_waits_for_its_turn_and_is_read_while_written(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'registry.db'}")
    with database.reading() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("foreign_keys", "busy_timeout", "synchronous")
        }
        assert settings == {"foreign_keys": 1, "busy_timeout": 30_000, "synchronous": 2}
    assert _journal_mode(database) == "wal"
    database.close()


def test_a_new_file_may_be_opened_while_another_process_writes_its_first_row(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    database = Database(f"sqlite:///{path}")
    with ThreadPoolExecutor(1) as pool:
        opened = pool.submit(_journal_mode, database)
        time.sleep(0.1)  # long enough to be refused; if it is not, the test passes for nothing but never fails
        writer.execute("COMMIT")
        assert opened.result() == "wal"
    writer.close()
    database.close()


def _journal_mode(database: Database) -> str:
    with database.reading() as connection:
        return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())


def test_a_write_makes_the_folder_of_the_database(tmp_path: Path) -> None:
    registry = Registry(f"sqlite:///{tmp_path / 'new' / 'home' / 'registry.db'}")
    registry.migrate()
    registry.close()
    assert (tmp_path / "new" / "home" / "registry.db").exists()


def test_a_row_that_names_nothing_is_refused_by_the_database_too(registry_url: str) -> None:
    database = Database(registry_url)
    migrate(database)
    values = {"release_id": "rel_none", "at": NOON, "state": "live", "evidence": "{}", "sequence": 0}
    with pytest.raises(ConflictError, match="refused a row"), database.transaction() as connection:
        connection.execute(insert(RELEASE_EVENTS).values(values))
    with database.reading() as connection:
        assert connection.execute(select(RELEASE_EVENTS)).all() == []
    database.close()


def test_a_registry_without_tables_says_how_to_get_them(registry_url: str, home: Path) -> None:
    registry = Registry(registry_url)
    with pytest.raises(StorageError, match="`penstock up` creates them"):
        registry.routes.list()
    registry.close()


def test_a_registry_that_cannot_be_reached_is_a_storage_error_that_hides_the_password(tmp_path: Path) -> None:
    registry = Registry(f"postgresql+psycopg://ada:hunter2@/penstock?host={tmp_path}")
    with pytest.raises(StorageError, match=r"ada:\*\*\*@") as caught:
        registry.routes.generation()
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_database_is_a_storage_error(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    path.write_bytes(b"no database" * 1000)
    registry = Registry(f"sqlite:///{path}")
    with pytest.raises(StorageError, match=f"{path} failed: file is not a database"):
        registry.migrate()
    registry.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("registry.db", "no SQLAlchemy URL"),
        ("mysql://localhost/penstock", "names mysql; the registry runs on sqlite or postgresql"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_url_that_cannot_serve_is_refused_at_once(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Database(url)


def test_without_the_driver_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'penstock\[postgres\]'"):
        Database("postgresql+psycopg://localhost/penstock")


def test_text_that_the_database_cannot_hold_is_bad_input(registry: Registry) -> None:
    if registry.engine.dialect.name == "sqlite":
        registry.suites.put(a_suite(name="nul\0"))
        assert registry.suites.get("u_1").name == "nul\0"
        return
    with pytest.raises(BadInputError, match="cannot hold a value"):
        registry.suites.put(a_suite(name="nul\0"))


def test_an_inner_transaction_joins_the_outer_one(registry_url: str) -> None:
    database = Database(registry_url)
    with database.transaction() as outer, database.transaction() as inner, database.reading() as reader:
        assert inner is outer
        assert reader is outer
    with database.transaction() as later:
        assert later is not outer
        assert later.execute(text("SELECT 1")).scalar() == 1
    database.close()
