import gc

import duckdb
import pyarrow as pa

from penstock.lake.candidates import CandidateSets


class _User:
    """Something that speaks of a set."""


def _registered(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]


def test_few_ids_stand_in_the_text() -> None:
    condition, name = CandidateSets(duckdb.connect()).condition("id", ["a", "a", "o'b"])
    assert (condition, name) == ("\"id\" IN ('a', 'o''b')", None)


def test_no_ids_select_nothing_and_missing_ones_are_passed_over() -> None:
    sets = CandidateSets(duckdb.connect())
    assert sets.condition("id", []) == ('"id" IN (NULL)', None)
    assert sets.condition("id", pa.table({"id": pa.array([None, "a"])}))[0] == "\"id\" IN ('a')"


def test_many_ids_are_held_for_as_long_as_their_user_lives() -> None:
    connection = duckdb.connect()
    sets = CandidateSets(connection)
    user = _User()
    _, name = sets.condition("id", [str(number) for number in range(100)])
    sets.keep(name, user)
    sets.condition("id", ["a"])
    assert _registered(connection) == [name]
    del user
    gc.collect()
    sets.condition("id", ["a"])
    assert _registered(connection) == []
