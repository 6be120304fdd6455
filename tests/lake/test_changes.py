"""Reading what is new, each row once."""

import pyarrow as pa
import pytest

from penstock.errors import StorageError
from penstock.lake import changes, maintenance
from penstock.lake.lake import Lake
from penstock.records.clock import utc_now
from penstock.settings import LakeSettings
from tests.lake.rows import make_signal


def _ids(rows: pa.Table) -> list[str]:
    return sorted(rows.column("signal_id").to_pylist())


def test_new_rows_are_those_of_commits_after_a_version(lake: Lake) -> None:
    first = lake.append("signals", [make_signal(1)])
    second = lake.append("signals", [make_signal(2), make_signal(3, day=1)])
    assert _ids(lake.changes("signals", None).rows) == ["s_1", "s_2", "s_3"]
    new = lake.changes("signals", first)
    assert (_ids(new.rows), new.version) == (["s_2", "s_3"], second)


def test_when_nothing_is_new_there_are_columns_and_no_rows(lake: Lake) -> None:
    version = lake.append("signals", [make_signal(1)])
    new = lake.changes("signals", version)
    assert (new.rows.num_rows, new.version) == (0, version)
    assert "signal_id" in new.rows.column_names


def test_only_the_columns_asked_for_are_read(lake: Lake) -> None:
    lake.append("signals", [make_signal(1)])
    assert lake.changes("signals", None, ["value", "date"]).rows.column_names == ["value", "date"]


def test_rows_come_in_chunks_of_whole_commits(lake: Lake) -> None:
    versions = [lake.append("signals", [make_signal(10 * batch + number) for number in range(4)]) for batch in range(3)]
    new = lake.changes("signals", None, max_rows=8)
    assert (new.rows.num_rows, new.version) == (8, versions[1])
    new = lake.changes("signals", new.version, max_rows=8)
    assert (new.rows.num_rows, new.version) == (4, versions[2])


def test_what_commits_after_a_chunk_brought_is_named(lake: Lake) -> None:
    for number in range(3):
        lake.append("signals", [make_signal(number)])
    files = lake.snapshot("signals").files
    new = lake.changes("signals", None, max_rows=1)
    assert {*new.files, *new.later} == set(files)
    assert (len(new.files), len(new.later)) == (1, 2)
    assert lake.changes("signals", None).later == ()


def test_where_rows_are_counted_large_files_come_one_at_a_time(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST_BYTES", 1)
    first = lake.append("signals", [make_signal(1)])
    last = lake.append("signals", [make_signal(2), make_signal(3)])
    one = lake.changes("signals", None, max_rows=10)
    assert (_ids(one.rows), one.version) == (["s_1"], first)
    two = lake.changes("signals", one.version, max_rows=10)
    assert (_ids(two.rows), two.version) == (["s_2", "s_3"], last)
    assert _ids(lake.changes("signals", None).rows) == ["s_1", "s_2", "s_3"]


def test_a_commit_larger_than_a_chunk_comes_whole(lake: Lake) -> None:
    lake.append("signals", [make_signal(number) for number in range(4)])
    version = lake.append("signals", [make_signal(9)])
    new = lake.changes("signals", None, max_rows=2)
    assert (new.rows.num_rows, new.version) == (4, 1)
    assert lake.changes("signals", new.version, max_rows=2).version == version


def test_commits_without_rows_are_passed_over(lake: Lake) -> None:
    lake.append("signals", [], transactions={"a": 1})
    version = lake.append("signals", [], transactions={"a": 2})
    new = lake.changes("signals", None, max_rows=1)
    assert (new.rows.num_rows, new.version) == (0, version)


def test_a_compaction_brings_nothing_new_and_hides_nothing(lake: Lake) -> None:
    eager = Lake(lake.root, LakeSettings(compact_after_files=2))
    watermark = lake.append("signals", [make_signal(0)])
    for number in range(1, 4):
        lake.append("signals", [make_signal(number)])
    eager.maintain(utc_now())
    last = lake.append("signals", [make_signal(9)])
    new = lake.changes("signals", watermark)
    assert (_ids(new.rows), new.version) == (["s_1", "s_2", "s_3", "s_9"], last)
    assert _ids(lake.changes("signals", None).rows) == ["s_0", "s_1", "s_2", "s_3", "s_9"]


def test_rows_of_a_commit_that_was_taken_back_are_not_new(lake: Lake) -> None:
    version = lake.append("signals", [make_signal(1)], transactions={"spool:a": 1})
    assert version is not None
    lake.quarantine_commit("signals", version)
    lake.append("signals", [make_signal(1)], transactions={"spool:a": 1})
    assert _ids(lake.changes("signals", None).rows) == ["s_1"]


def _clean_up_the_log(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "LOG_KEPT_S", -60.0)
    Lake(lake.root, LakeSettings(checkpoint_after_commits=1)).maintain(utc_now())


def test_a_watermark_older_than_the_log_is_an_error(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        lake.append("signals", [make_signal(number)])
    _clean_up_the_log(lake, monkeypatch)
    with pytest.raises(StorageError, match=r"after version 1 has been cleaned up.*back to its beginning"):
        lake.changes("signals", 1)


def test_a_reader_that_begins_reads_all_there_is_also_when_the_log_is_gone(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        lake.append("signals", [make_signal(number)])
    _clean_up_the_log(lake, monkeypatch)
    new = lake.changes("signals", None, max_rows=1)
    assert (_ids(new.rows), new.version) == (["s_0", "s_1", "s_2", "s_3"], 4)


def test_a_watermark_from_another_table_is_an_error(lake: Lake) -> None:
    with pytest.raises(StorageError, match=r"at version 0 and was read up to 5"):
        lake.changes("signals", 5)


def test_a_column_that_does_not_exist_is_an_error(lake: Lake) -> None:
    with pytest.raises(StorageError, match="colour"):
        lake.changes("signals", None, ["colour"])
