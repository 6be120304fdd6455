"""Pulling again and again: each row's report is in the lake exactly once, whatever happens in between."""

import contextlib
import itertools
from datetime import datetime

import msgspec
import pyarrow as pa
import pyarrow.parquet
import pytest

from penstock.errors import BadInputError, ConflictError, StorageError
from penstock.ingest.settle_feedback import settle_feedback
from penstock.ingest.tombstones import Tombstones, add_tombstones, target_tombstone
from penstock.outcomes import pull as pull_module
from penstock.outcomes.pull import transaction
from penstock.records.clock import WriterClock
from penstock.replay.location import s3_filesystem
from penstock.signals.run import run_signals
from tests.outcomes.tickets import RULE, Desk, Home, desk_settings
from tests.rows import make_interaction, make_span, trace
from tests.worker.left_behind import find_left


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """Both databases, for every test that asks."""
    return f"sqlite:///{tmp_path / 'desk.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def desk(url):
    made = Desk(url)
    yield made
    made.close()


@pytest.fixture
def sqlite(tmp_path):
    made = Desk(f"sqlite:///{tmp_path / 'one.db'}")
    yield made, desk_settings(f"sqlite:///{tmp_path / 'one.db'}")
    made.close()


@pytest.fixture
def house(home):
    return Home(home)


def test_what_is_new_comes_and_nothing_comes_twice(url, desk, house):
    desk.add(1, minute=0)
    desk.add(2, minute=1)
    first = house.pull(desk_settings(url))
    assert (first.rows, first.reports, first.unreadable) == (2, 2, {})
    assert [report.target_id for report in house.reports()] == ["T-1", "T-2"]
    assert house.pull(desk_settings(url)).rows == 0
    desk.add(3, minute=2)
    assert house.pull(desk_settings(url)).rows == 1
    assert house.rows() == 3


def test_a_row_that_comes_late_with_the_same_watermark_is_not_lost(url, desk, house):
    for number in range(5):
        desk.add(number, minute=5)
    house.pull(desk_settings(url), batch_rows=2)
    desk.add(9, minute=5)
    assert house.pull(desk_settings(url)).rows == 1
    assert house.pull(desk_settings(url)).rows == 0
    assert house.rows() == len(house.reports()) == 6


def test_a_row_that_changes_amends_its_report(url, desk, house):
    desk.add(1, minute=0)
    house.pull(desk_settings(url))
    desk.execute("UPDATE tickets SET status = 'reopened', updated_at = '2026-03-01T11:00:00+00:00'")
    assert house.pull(desk_settings(url)).reports == 1
    before, after = sorted(house.lake.to_records("feedback", house.lake.revisions("feedback")), key=lambda row: row.known_at)
    assert (before.feedback_id, before.value, after.value) == (after.feedback_id, 1.0, 0.0)


def test_a_row_that_names_another_ticket_takes_its_report_there(url, desk, house):
    desk.add(1, minute=0)
    house.pull(desk_settings(url))
    house.lake.append("interactions", [make_interaction(n, start=0.0, keys={"ticket_id": f"T-{n}"}) for n in (1, 2)])
    one, two = (make_interaction(number).interaction_id for number in (1, 2))
    settle_feedback(house.lake, WriterClock(), 24.0)
    run_signals(house.lake, WriterClock())
    assert standing(house) == {one: 1.0}
    desk.execute("UPDATE tickets SET ticket = 'T-2', updated_at = '2026-03-01T11:00:00+00:00'")
    house.pull(desk_settings(url))
    settle_feedback(house.lake, WriterClock(), 24.0)
    run_signals(house.lake, WriterClock())
    assert standing(house) == {two: 1.0}
    assert [(row.target_id, row.interaction_id) for row in house.reports()] == [("T-2", two)]


def standing(house):
    signals = house.lake.current("signals").to_pyarrow().to_pylist()
    return {row["target_id"]: row["value"] for row in signals if row["name"] == "outcome.resolved" and row["value"] is not None}


def test_rows_that_cannot_be_read_are_counted_and_block_nothing(url, desk, house):
    desk.add(1, status="unheard-of")
    desk.add(2)
    desk.add(3, ticket=None)
    desk.add(4, minute=None)
    pulled = house.pull(desk_settings(url))
    assert (pulled.rows, pulled.reports, pulled.unmarked) == (3, 1, 1)
    assert pulled.unreadable == {
        "value: text of 10 characters is none of the words in `map`, and no number": 1,
        "keys.ticket_id: it is empty": 1,
    }
    assert house.pull(desk_settings(url)).unreadable == {}, "they are told once"
    assert sum(house.state().unreadable.values()) == 2


def test_what_is_pulled_is_redacted_and_keys_are_hashed_as_in_traces(sqlite, home):
    desk, settings = sqlite
    house = Home(home, hashed_keys=("ticket_id",))
    desk.add(1, note="write to jane.doe@example.com")
    house.pull(settings)
    (report,) = house.reports()
    assert "jane.doe" not in (report.text or "")
    assert report.redactions == {"email": 1}
    assert report.target_id == house.redaction.key("ticket_id", "T-1") != "T-1"
    assert find_left(home, ["jane.doe"]) == []


def test_a_pulled_key_under_a_telling_name_is_hashed_as_in_traces(sqlite, home):
    desk, settings = sqlite
    house = Home(home)
    desk.add(1, ticket="123456789")
    rule = {**RULE, "keys": {"tax_id": {"column": "ticket"}}}
    house.pull(msgspec.structs.replace(settings, feedback=[rule]))
    (report,) = house.reports()
    (span,) = house.redaction.redact_spans([make_span(trace(1), "s", keys={"tax_id": "123456789"})])
    assert report.target_id == span.keys["tax_id"]
    assert find_left(home, ["123456789"]) == []


def test_what_an_erasure_has_forgotten_does_not_come_back(sqlite, house):
    desk, settings = sqlite
    desk.add(1)
    desk.add(2)
    add_tombstones(
        house.lake.root,
        "x_1",
        Tombstones(users=frozenset({"u"}), targets=frozenset({target_tombstone("key", "ticket_id", "T-1")})),
    )
    house.pull(settings)
    assert [report.target_id for report in house.reports()] == ["T-2"]


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("writes", range(26))
def test_killed_between_any_two_writes_each_row_comes_exactly_once(sqlite, house, monkeypatch, writes):
    """Every durable write is a place to die: the state's, the seen rows', and the lake's before and after its commit."""
    desk, settings = sqlite
    for number in range(5):
        desk.add(number, minute=number // 2)
    left = itertools.count(writes, -1)
    with monkeypatch.context() as patched:
        for owner, name in ((pull_module.StateFile, "save"), (pull_module.StateFile, "add_seen"), (type(house.lake), "append")):
            patched.setattr(owner, name, dying(getattr(owner, name), left))
        with contextlib.suppress(KilledError):
            house.pull(settings, batch_rows=2)
    house.pull(settings, batch_rows=2)
    assert house.rows() == len(house.reports()) == 5
    assert house.pull(settings).rows == 0
    assert house.state().rows == house.state().reports == 5


def dying(write, left):
    def wrapped(*arguments, **named):
        if next(left) <= 0:
            raise KilledError
        result = write(*arguments, **named)
        if next(left) <= 0:
            raise KilledError
        return result

    return wrapped


def test_a_commit_that_a_power_cut_tore_is_taken_back_and_made_again(sqlite, house, monkeypatch):
    desk, settings = sqlite
    desk.add(1)
    house.pull(settings)
    desk.add(2, minute=1)
    left = itertools.count(5, -1)  # the state's write, the rows' and the lake's are made, and then it ends
    with monkeypatch.context() as patched, contextlib.suppress(KilledError):
        for owner, name in ((pull_module.StateFile, "save"), (pull_module.StateFile, "add_seen"), (type(house.lake), "append")):
            patched.setattr(owner, name, dying(getattr(owner, name), left))
        house.pull(settings)
    assert house.rows() == 2
    newest = max((house.folder / "lake" / "feedback").rglob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:100])
    again = Home(house.folder)
    assert again.pull(settings).rows == 1
    assert [report.target_id for report in again.reports()] == ["T-1", "T-2"]
    assert again.rows() == 2


def test_a_state_that_was_lost_reads_all_again_and_counts_each_report_once(sqlite, house):
    desk, settings = sqlite
    desk.add(1)
    house.pull(settings)
    house.file().path.unlink()
    assert house.pull(settings).reports == 1
    assert len(house.reports()) == 1


def test_another_mapping_reads_the_table_from_its_beginning(sqlite, house):
    desk, settings = sqlite
    desk.add(1)
    house.pull(settings)
    more = msgspec.structs.replace(settings, feedback=[RULE, {**RULE, "name": "outcome.closed"}])
    assert house.pull(more).reports == 2
    assert sorted(report.name for report in house.reports()) == ["outcome.closed", "outcome.resolved"]


def test_two_homes_that_pull_into_one_lake_lose_no_row(sqlite, house, tmp_path, monkeypatch):
    desk, settings = sqlite
    desk.add(1)
    number = (house.lake.transaction_version("feedback", transaction("desk")) or 0) + 1
    taken = type(house.lake).append

    def late(lake, table, rows, **named):
        taken(lake, table, [], transactions={transaction("desk"): number})
        return taken(lake, table, rows, **named)

    with monkeypatch.context() as patched:
        patched.setattr(type(house.lake), "append", late)
        with pytest.raises(ConflictError, match="let one home do it"):
            house.pull(settings)
    assert house.pull(settings).reports == 1
    assert len(house.reports()) == 1


def test_a_source_that_fails_says_why_and_goes_on_where_it_was(sqlite, house):
    desk, settings = sqlite
    desk.add(1)
    house.pull(settings)
    desk.execute("ALTER TABLE tickets RENAME TO gone")
    for failures in (1, 2):
        with pytest.raises(BadInputError, match="no such table"):
            house.pull(settings)
        state = house.state()
        assert (state.failures, state.rows) == (failures, 1)
        assert "no such table" in (state.last_error or "")
    desk.execute("ALTER TABLE gone RENAME TO tickets")
    desk.add(2, minute=1)
    assert house.pull(settings).rows == 1
    assert (house.state().failures, house.state().last_error) == (0, None)


def test_a_database_that_is_away_is_a_failure_to_store(house, tmp_path):
    settings = desk_settings("postgresql+psycopg://nobody@127.0.0.1:9/desk")
    with pytest.raises(StorageError, match="cannot be read"):
        house.pull(settings)
    assert isinstance(house.state().last_run_at, datetime)


def test_a_file_that_there_is_not_is_told_and_not_made(house, tmp_path):
    with pytest.raises(StorageError, match=r"there is no file .*dsek\.db"):
        house.pull(desk_settings(f"sqlite:///{tmp_path / 'dsek.db'}"))
    assert not (tmp_path / "dsek.db").exists()


def test_a_column_that_there_is_not_is_told_by_name(sqlite, house):
    desk, settings = sqlite
    desk.add(1)
    with pytest.raises(BadInputError, match="statsu"):
        house.pull(msgspec.structs.replace(settings, feedback=[{**RULE, "value": {"column": "statsu"}}]))


def test_a_pull_that_is_told_to_stop_keeps_what_it_has(sqlite, house):
    desk, settings = sqlite
    for number in range(6):
        desk.add(number, minute=number)
    stops = iter([False, True])
    assert house.pull(settings, batch_rows=2, is_stopping=lambda: next(stops)).rows == 2
    assert house.pull(settings).rows == 4
    assert house.rows() == 6


def tickets(*numbers):
    return pa.Table.from_pylist(
        [
            {
                "id": number,
                "ticket": f"T-{number}",
                "status": "solved",
                "note": None,
                "solved_at": "2026-03-01T09:00:00Z",
                "updated_at": number,
            }
            for number in numbers
        ],
        schema=pa.schema(
            {
                "id": pa.int64(),
                "ticket": pa.string(),
                "status": pa.string(),
                "note": pa.string(),
                "solved_at": pa.string(),
                "updated_at": pa.int64(),
            }
        ),
    )


def test_parquet_that_grows_is_pulled_file_by_file(house, tmp_path):
    folder = tmp_path / "growing"
    folder.mkdir()
    settings = desk_settings("", query="", parquet=str(folder))
    pyarrow.parquet.write_table(tickets(1, 2), folder / "a.parquet")
    assert house.pull(settings).rows == 2
    pyarrow.parquet.write_table(tickets(2, 3), folder / "b.parquet")
    assert house.pull(settings).rows == 1, "a row that is repeated in another file is the same row"
    (folder / "c.parquet").write_bytes(b"no parquet")
    with pytest.raises(BadInputError, match="cannot be read"):
        house.pull(settings)


def test_a_watermark_that_is_no_number_is_counted_and_blocks_nothing(house, tmp_path, postgres_url):
    desk = Desk(postgres_url)
    for number, mark in ((1, "1.5"), (2, "NaN"), (3, "2.5"), (4, "Infinity")):
        desk.add(number)
        desk.execute("ALTER TABLE tickets ADD COLUMN IF NOT EXISTS mark DOUBLE PRECISION")
        desk.execute("UPDATE tickets SET mark = :mark WHERE id = :id", {"mark": float(mark), "id": number})
    desk.close()
    settings = desk_settings(postgres_url, query="SELECT * FROM tickets", watermark="mark")
    for rows in (2, 0):
        pulled = house.pull(settings)
        assert (pulled.rows, pulled.unmarked, pulled.watermark) == (rows, 2, "2.5")


def test_parquet_on_s3_is_pulled(house, s3_server, monkeypatch, tmp_path):
    for name, value in {**s3_server.environment, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": s3_server.endpoint}.items():
        monkeypatch.setenv(name, value)
    folder = s3_server.new_settings().url
    filesystem = s3_filesystem()
    for name, table in (("a", tickets(1, 2)), ("b", tickets(3))):
        pyarrow.parquet.write_table(table, f"{folder.removeprefix('s3://')}/{name}.parquet", filesystem=filesystem)
    pulled = house.pull(desk_settings("", query="", parquet=folder))
    assert (pulled.rows, pulled.reports) == (3, 3)
