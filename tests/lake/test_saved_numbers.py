"""What an index of files has read is kept for the next process, which reads new files alone; if it is of no use, all of them."""

import logging

import pyarrow as pa
import pytest

from penstock.lake import file_index, saved_numbers
from penstock.lake.lake import Lake
from penstock.lake.place import Place
from penstock.records.clock import utc_now
from tests.lake.rows import make_signal, shown


@pytest.fixture(autouse=True)
def _keep_from_the_first_row_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_index, "_MOST_RECENT", 0)
    monkeypatch.setattr(file_index, "_WORTH_SAVING", 1)


def _place(lake: Lake) -> Place:
    return saved_numbers.place_of(lake.root, "signals", "signal_id")


def _fill(lake: Lake, files: int) -> Lake:
    """So many files of one row, and a lake that has looked into all of them."""
    for number in range(files):
        lake.append("signals", [make_signal(number)])
    assert _find(lake, "s_0") == [("s_0", 0)]
    return Lake(lake.root, lake.settings)


def _find(lake: Lake, *ids: str) -> list[tuple[str, int]]:
    return shown(lake, lake.rows_with("signals", "signal_id", list(ids)))


def _files_read(lake: Lake, monkeypatch: pytest.MonkeyPatch, *ids: str) -> int:
    """How many files the index reads for a look-up."""
    asked: list[str] = []
    query = Lake.query

    def remember(self: Lake, sql: str) -> pa.Table:
        asked.append(sql)
        return query(self, sql)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "query", remember)
        lake.rows_with("signals", "signal_id", list(ids))
    return sum(sql.count(".parquet'") - 1 for sql in asked if "hash(" in sql and "read_parquet" in sql)  # beside the empty one


def test_the_next_process_reads_new_files_alone(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    following = _fill(lake, 6)
    lake.append("signals", [make_signal(6), make_signal(2, 1)])
    assert _files_read(following, monkeypatch, "s_2") == 1
    assert _find(following, "s_2", "s_6", "s_none") == [("s_2", 0), ("s_2", 1), ("s_6", 0)]


def test_after_a_compaction_the_files_of_before_are_not_asked_for(lake: Lake) -> None:
    following = _fill(lake, 60)
    assert any(one.compacted for one in lake.maintain(utc_now()))
    assert _find(following, "s_7", "s_55") == [("s_55", 0), ("s_7", 0)]


@pytest.mark.parametrize("amiss", ["cut", "empty", "changed", "no arrow", "another column", "nothing told"])
def test_a_file_that_is_amiss_is_told_of_and_all_is_read_again(
    lake: Lake, amiss: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    following, whole = _fill(lake, 4), _place(lake).read_bytes()
    place = whole.index(b"ARROW1", 8)
    spoilt = {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "changed": whole[: place // 2] + bytes([whole[place // 2] ^ 255]) + whole[place // 2 + 1 :],
        "no arrow": b"no arrow" * 100,
        "another column": _as_arrow(pa.table({"name": ["a"]}), {b"files": b"{}", b"hashed_by": b"me", b"checksum": b"1"}),
        "nothing told": _as_arrow(pa.table({"number": pa.array([1], pa.uint64())}), None),
    }[amiss]
    _place(lake).replace_durably(spoilt)
    with caplog.at_level(logging.WARNING):
        assert _files_read(following, monkeypatch, "s_3") == 4
    assert "is read anew" in caplog.text
    assert _find(following, "s_3", "s_1") == [("s_1", 0), ("s_3", 0)]


def _as_arrow(table: pa.Table, told: dict[bytes, bytes] | None) -> bytes:
    sink = pa.BufferOutputStream()
    rows = table.replace_schema_metadata(told)
    with pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows)
    return sink.getvalue().to_pybytes()


def test_numbers_by_another_hash_are_not_used(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_numbers, "_HASH", b"duckdb 0.1")
    following = _fill(lake, 4)
    monkeypatch.undo()
    assert _files_read(following, monkeypatch, "s_3") == 4


def test_where_nothing_can_be_kept_the_answer_is_the_same(disk_lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    (disk_lake.root / "_index").replace_durably(b"a file in the place of the folder")
    with caplog.at_level(logging.WARNING):
        assert _find(_fill(disk_lake, 3), "s_1") == [("s_1", 0)]
    assert "was not kept" in caplog.text


def test_an_erasure_leaves_none(lake: Lake) -> None:
    _fill(lake, 3)
    assert _place(lake).is_file()
    with lake.alone():
        lake.erase("signals", "signal_id = 's_0'")
        lake.purge()
    assert not _place(lake).is_file()
    assert _find(Lake(lake.root, lake.settings), "s_0", "s_1") == [("s_1", 0)]


def test_small_tables_keep_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    _fill(lake, 3)
    assert not _place(lake).is_file()
