"""A query replayed again and again: only what is new is sent, and nothing that shares the watermark is lost."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from penstock.errors import BadInputError, ConfigurationError, StorageError, UpstreamError
from penstock.replay.row_reader import mapped_rows
from penstock.replay.run import ReplayReport, replay_table
from penstock.replay.sql_table import SqlTable
from tests.replay.examples import small_mapping
from tests.replay.receiver import Receiver
from tests.replay.test_run import QUICK

MAPPING = """
[source]
name = "warehouse"

[interaction]
id = { column = "id" }
started_at = { column = "at" }
input_messages = { column = "question" }
output = { column = "answer" }
cost = { column = "cost" }
"""
QUERY = "SELECT id, at, question, answer, cost, updated_at FROM calls WHERE question <> ':none' -- all that count;"
START = datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Both databases, for every test."""
    return f"sqlite:///{tmp_path / 'warehouse.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


class Warehouse:
    """A table of logged calls."""

    def __init__(self, url: str) -> None:
        self._engine = sqlalchemy.create_engine(url)
        moment = "TIMESTAMPTZ" if url.startswith("postgresql") else "TEXT"
        self._execute(
            f"CREATE TABLE calls (id INTEGER, at {moment}, question TEXT, answer TEXT, cost NUMERIC(8, 4), updated_at {moment})"
        )

    def add(self, number: int, *, minute: int | None, question: str = "How?") -> None:
        """One row, written so many minutes after the start."""
        updated_at = None if minute is None else (START + timedelta(minutes=minute)).isoformat()
        self._execute(
            "INSERT INTO calls VALUES (:id, :at, :question, 'So.', 0.25, :updated_at)",
            {"id": number, "at": START.isoformat(), "question": question, "updated_at": updated_at},
        )

    def _execute(self, statement: str, values: dict[str, Any] | None = None) -> None:
        with self._engine.begin() as connection:
            connection.execute(sqlalchemy.text(statement), values or {})

    def close(self) -> None:
        self._engine.dispose()


@pytest.fixture
def warehouse(url: str) -> Any:
    made = Warehouse(url)
    yield made
    made.close()


def replay(
    receiver: Receiver, home: Path, url: str, *, sql: str = QUERY, watermark: str | None = "updated_at", **more: Any
) -> ReplayReport:
    return replay_table(
        SqlTable(sql, url, watermark),
        edge_url=receiver.url,
        api_key=None,
        reader=mapped_rows(small_mapping(MAPPING)),
        home=home,
        patience=QUICK,
        **more,
    )


def request_ids(receiver: Receiver) -> list[str]:
    return sorted(
        item.value.string_value for span in receiver.spans() for item in span.attributes if item.key == "penstock.request.id"
    )


def test_a_second_replay_sends_only_rows_above_the_watermark(
    receiver: Receiver, home: Path, url: str, warehouse: Warehouse
) -> None:
    for number in range(250):
        warehouse.add(number, minute=number)
    first = replay(receiver, home, url)
    assert (first.sent, first.skipped, first.rejected) == (250, 0, ())
    assert replay(receiver, home, url).sent == 0
    warehouse.add(250, minute=300)
    third = replay(receiver, home, url)
    assert (third.sent, third.skipped) == (1, 250)
    assert len(request_ids(receiver)) == len(set(request_ids(receiver))) == 251


def test_a_row_that_comes_late_with_the_same_value_is_not_lost(
    receiver: Receiver, home: Path, url: str, warehouse: Warehouse
) -> None:
    warehouse.add(1, minute=1)
    warehouse.add(2, minute=2)
    replay(receiver, home, url)
    warehouse.add(3, minute=2)
    assert replay(receiver, home, url).sent == 1
    warehouse.add(4, minute=2)
    assert replay(receiver, home, url).sent == 1
    warehouse.add(5, minute=3)
    assert replay(receiver, home, url).sent == 1
    assert replay(receiver, home, url).sent == 0
    assert request_ids(receiver) == ["1", "2", "3", "4", "5"]


def test_a_replay_that_breaks_off_goes_on_behind_what_was_acknowledged(
    receiver: Receiver, home: Path, url: str, warehouse: Warehouse
) -> None:
    for number in range(1000):
        warehouse.add(number, minute=number // 7)
    receiver.misbehave = lambda number, _path, _body: (503, b"full", {}) if number > 5 else None
    with pytest.raises(UpstreamError, match="resumes"):
        replay(receiver, home, url)
    receiver.misbehave = lambda *_: None
    report = replay(receiver, home, url)
    assert report.skipped > 0
    assert report.sent + report.skipped == 1000
    assert len(set(request_ids(receiver))) == 1000


def test_a_row_without_a_watermark_is_counted_and_one_that_does_not_fit_is_told(
    receiver: Receiver, home: Path, url: str, warehouse: Warehouse
) -> None:
    warehouse.add(1, minute=1)
    warehouse.add(2, minute=None)
    warehouse.add(3, minute=2, question="")
    report = replay(receiver, home, url)
    assert report.sent == 1
    assert report.passed_over == {"rows without a value in `updated_at`": 1}
    assert [(reject.row, reject.reason) for reject in report.rejected] == [(2, "input_messages: it is empty")]
    again = replay(receiver, home, url)
    assert (again.sent, again.rejected) == (0, ())
    (rejects,) = again.rejects_files
    assert [json.loads(line)["row"] for line in Path(rejects).read_text().splitlines()] == [2]


def test_without_a_watermark_everything_is_read_again_under_the_same_ids(
    receiver: Receiver, home: Path, url: str, warehouse: Warehouse
) -> None:
    warehouse.add(1, minute=1)
    warehouse.add(2, minute=None)
    for _ in range(2):
        assert replay(receiver, home, url, watermark=None).sent == 2
    assert len({span.span_id for span in receiver.spans()}) == 2


def test_a_restart_begins_below_the_watermark(receiver: Receiver, home: Path, url: str, warehouse: Warehouse) -> None:
    warehouse.add(1, minute=1)
    replay(receiver, home, url)
    assert replay(receiver, home, url, restart=True).sent == 1


def test_a_wrong_query_is_told_with_its_reason(receiver: Receiver, home: Path, url: str, warehouse: Warehouse) -> None:
    with pytest.raises(BadInputError, match="no_such_table"):
        replay(receiver, home, url, sql="SELECT * FROM no_such_table")
    with pytest.raises(BadInputError, match="no_such_column"):
        replay(receiver, home, url, watermark="no_such_column")
    with pytest.raises(BadInputError, match="has no column `cost`"):
        replay(receiver, home, url, sql="SELECT id, at, question, answer, updated_at FROM calls")


def test_an_unusable_address_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="SQLAlchemy URL"):
        SqlTable("SELECT 1", "no url", None)
    with pytest.raises(ConfigurationError, match="pip install pymysql"):
        SqlTable("SELECT 1", "mysql+pymysql://user:secret@host/db", None)
    with pytest.raises(StorageError) as refused:
        next(SqlTable("SELECT 1", "postgresql+psycopg://user:secret@127.0.0.1:9/db", None).read(None, frozenset()))
    assert "secret" not in str(refused.value)
    assert "secret" not in SqlTable("SELECT 1", "postgresql+psycopg://user:secret@127.0.0.1:9/db", None).identity
