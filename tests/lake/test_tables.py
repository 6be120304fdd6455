import pytest

from penstock.errors import NotFoundError
from penstock.lake.arrow_schema import arrow_schema
from penstock.lake.tables import TABLES, find_table, reader, source_of


def test_every_column_a_declaration_names_exists() -> None:
    for table in TABLES.values():
        named = {*table.identity, table.time_column, *table.bloom_columns, *table.statistics_columns}
        assert named | ({table.hidden_when} if table.hidden_when else set()) <= set(arrow_schema(table).names)


def test_statistics_are_kept_of_times_and_revisions_only() -> None:
    kept = {column for table in TABLES.values() for column in table.statistics_columns}
    assert kept == {"started_at", "occurred_at", "known_at", "revision"}


def test_a_table_that_does_not_exist_is_an_error_that_names_those_that_do() -> None:
    with pytest.raises(NotFoundError, match=r"no table 'traces'; it has spans"):
        find_table("traces")


def test_a_readers_transaction_tells_which_table_it_reads() -> None:
    assert source_of(reader("spans", "settle:eu")) == "spans"
    assert source_of("spool:0815") is None
