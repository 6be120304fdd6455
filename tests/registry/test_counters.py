import pytest

from penstock.registry.counters import advance_counter, lock_counter, read_counter
from penstock.registry.database import Database
from penstock.registry.migrate import migrate


def test_a_counter_grows_by_one_and_is_its_own(registry_url: str) -> None:
    database = Database(registry_url)
    migrate(database)
    with database.transaction() as connection:
        assert read_counter(connection, "a") == 0
        assert [advance_counter(connection, name) for name in ("a", "a", "b")] == [1, 2, 1]
        assert lock_counter(connection, "a") == 2
    with database.reading() as connection:
        assert read_counter(connection, "a") == 2
    database.close()


def test_a_number_that_was_not_used_is_given_again(registry_url: str) -> None:
    database = Database(registry_url)
    migrate(database)
    with pytest.raises(RuntimeError), database.transaction() as connection:
        advance_counter(connection, "a")
        raise RuntimeError
    with database.transaction() as connection:
        assert advance_counter(connection, "a") == 1
    database.close()
