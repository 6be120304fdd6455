"""SQL from a person: current rows, and no way to any other file."""

import pyarrow as pa
import pytest

from penstock.errors import BadInputError
from penstock.lake.lake import Lake
from penstock.lake.locked_sql import LockedConnection
from tests.lake.rows import make_signal


@pytest.fixture
def connection(lake: Lake) -> LockedConnection:
    lake.append("signals", [make_signal(1), make_signal(1, 1, known_h=1), make_signal(2)])
    return lake.sql_connection({"turns": pa.table({"turn_id": ["t_1"]})})


def test_the_tables_show_what_counts(connection: LockedConnection) -> None:
    rows = connection.select("SELECT signal_id, revision FROM signals ORDER BY 1")
    assert rows.to_pylist() == [{"signal_id": "s_1", "revision": 1}, {"signal_id": "s_2", "revision": 0}]


def test_a_table_without_rows_can_be_queried(connection: LockedConnection) -> None:
    assert connection.select("SELECT count(*) AS n FROM labels").to_pylist() == [{"n": 0}]


def test_what_the_caller_adds_is_there_too(connection: LockedConnection) -> None:
    assert connection.select("SELECT turn_id FROM turns").to_pylist() == [{"turn_id": "t_1"}]


def test_a_long_query_draws_nothing_on_standard_output(connection: LockedConnection) -> None:
    rows = connection.select("SELECT current_setting('enable_progress_bar') AS drawn")
    assert rows.to_pylist() == [{"drawn": False}]


@pytest.mark.parametrize("query", ["FROM signals", "DESCRIBE signals", "SUMMARIZE signals", "EXPLAIN SELECT 1", "SHOW TABLES"])
def test_whatever_reads_is_taken(connection: LockedConnection, query: str) -> None:
    assert connection.select(query).num_rows > 0


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM '{lake}/spans/_delta_log/00000000000000000000.json'",
        "SELECT * FROM read_text('{lake}/../secret.key')",
        "COPY (SELECT 1) TO '{lake}/signals/mine.parquet'",
        "COPY (SELECT 1) TO '/tmp/mine.csv'",
        "ATTACH '{lake}/mine.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET allowed_paths = ['/etc/passwd']",
        "SELECT 1; SELECT 2",
        "DROP VIEW signals",
        "CREATE TABLE mine (a INT)",
        "SELEC 1",
        "SELECT nothing FROM signals",
    ],
)
def test_whatever_writes_or_reaches_out_is_refused(connection: LockedConnection, lake: Lake, query: str) -> None:
    (lake.root.parent / "secret.key").replace_durably(b"secret")
    with pytest.raises(BadInputError):
        connection.select(query.format(lake=lake.root))


def test_a_file_of_the_lake_cannot_be_written_over(connection: LockedConnection, lake: Lake) -> None:
    (path,) = lake._open("signals").snapshot().files
    with pytest.raises(BadInputError, match="one statement that reads"):
        connection.sql(f"COPY (SELECT 1 AS a) TO '{path}' (USE_TMP_FILE false)")
    assert lake.is_intact("signals", 1)


def test_rows_of_the_calling_program_are_out_of_reach(connection: LockedConnection) -> None:
    secret = pa.table({"a": [1]})
    with pytest.raises(BadInputError, match="secret"):
        connection.select("SELECT * FROM secret")
    assert secret.num_rows == 1
