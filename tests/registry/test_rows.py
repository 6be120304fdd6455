from datetime import timedelta

import msgspec
import pytest

from penstock.errors import ConflictError
from penstock.records.evaluation import Suite
from penstock.registry.database import Database
from penstock.registry.migrate import migrate
from penstock.registry.rows import Rows, upsert
from penstock.registry.tables import LEASES, SUITES
from tests.registry.examples import NOON, a_suite

ROWS = Rows(SUITES, Suite, "suite", not_compared=frozenset({"created_at"}))


@pytest.fixture
def database(registry_url: str) -> Database:
    database = Database(registry_url)
    migrate(database)
    return database


def test_what_is_read_is_what_was_put(database: Database) -> None:
    with database.transaction() as connection:
        assert ROWS.put(connection, a_suite()) == a_suite()
        assert ROWS.find(connection, "u_1") == a_suite()
        assert ROWS.find(connection, "u_2") is None
    database.close()


def test_a_change_of_the_wrong_type_is_refused_and_nothing_is_written(database: Database) -> None:
    with pytest.raises(msgspec.ValidationError, match="items"), database.transaction() as connection:
        ROWS.put(connection, a_suite())
        ROWS.change(connection, ("u_1",), items="many")
    with database.reading() as connection:
        assert ROWS.list(connection) == []
    database.close()


def test_an_id_cannot_be_changed(database: Database) -> None:
    with pytest.raises(ConflictError, match="suite_id of suite 'u_1' cannot be set"), database.transaction() as connection:
        ROWS.put(connection, a_suite())
        ROWS.change(connection, ("u_1",), suite_id="u_2")
    database.close()


def test_a_conflict_names_the_field_and_both_values(database: Database) -> None:
    with database.transaction() as connection:
        ROWS.put(connection, a_suite())
        ROWS.put(connection, a_suite(created_at=NOON + timedelta(days=1)))
        with pytest.raises(ConflictError, match="'u_1' exists with another kind: 'off-policy', not 'exact-match'"):
            ROWS.put(connection, a_suite(kind="exact-match"))
    database.close()


def test_a_row_is_overwritten_only_where_it_meets_the_condition(database: Database) -> None:
    mine, yours = ({"name": "settle", "holder": holder, "expires_at": NOON} for holder in ("me", "you"))
    with database.transaction() as connection:
        assert upsert(connection, LEASES, mine)
        assert not upsert(connection, LEASES, yours, where=LEASES.c.holder == "nobody")
        assert upsert(connection, LEASES, yours, where=LEASES.c.holder == "me")
    database.close()
