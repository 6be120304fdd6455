"""What deltalake, DuckDB and Ibis were found to do, where a rule of the lake rests on it; a version that differs fails here."""

import os
import subprocess
import sys
import textwrap
import time
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import ibis
import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from penstock.lake.transaction_log import entry_path, log_folder
from tests.lake.torn import tear_entry

DAY = date(2026, 3, 1)
SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string()), ("date", pa.date32())])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A table as deltalake makes it, with none of our settings."""
    DeltaTable.create(str(tmp_path / "table"), SCHEMA, partition_by=["date"])
    return tmp_path / "table"


def _rows(*ids: str, text: str = "text", day: date = DAY) -> pa.Table:
    return pa.table({"id": list(ids), "text": [text] * len(ids), "date": [day] * len(ids)}, schema=SCHEMA)


def _write(handle: DeltaTable, *ids: str, app: str | None = None, number: int = 0) -> None:
    transactions = [Transaction(app, number)] if app else None
    write_deltalake(handle, _rows(*ids), mode="append", commit_properties=CommitProperties(app_transactions=transactions))


def _open(path: Path) -> DeltaTable:
    return DeltaTable(str(path))


def _count(path: Path) -> int:
    return int(_open(path).count())


def test_a_transaction_is_a_marker_and_no_guard(path: Path) -> None:
    _write(_open(path), "a", app="spool", number=5)
    _write(_open(path), "a", app="spool", number=5)
    assert _count(path) == 2
    _write(_open(path), "b", app="spool", number=3)
    assert _open(path).transaction_version("spool") == 3
    _write(_open(path), "b", app="spool", number=-1)
    assert _open(path).transaction_version("spool") == -1


def test_a_stale_handle_with_the_same_application_is_refused(path: Path) -> None:
    stale = _open(path)
    _write(_open(path), "a", app="spool", number=1)
    with pytest.raises(CommitFailedError, match="Concurrent transaction failed"):
        _write(stale, "a", app="spool", number=1)
    _write(stale, "b")
    assert _count(path) == 2


def test_a_transaction_survives_a_checkpoint(path: Path) -> None:
    _write(_open(path), "a", app="spool", number=7)
    _open(path).create_checkpoint()
    entry_path(path, 0).unlink()
    entry_path(path, 1).unlink()
    assert _open(path).transaction_version("spool") == 7


def test_a_merge_or_a_delete_beside_an_append_fails_where_an_append_does_not(path: Path) -> None:
    _write(_open(path), "a", "b")
    merging, deleting, appending = _open(path), _open(path), _open(path)
    _write(_open(path), "c")
    with pytest.raises(CommitFailedError):
        merging.merge(
            _rows("a", text="new"), "t.id = s.id", source_alias="s", target_alias="t"
        ).when_matched_update_all().execute()
    with pytest.raises(CommitFailedError):
        deleting.delete("text = 'text'")
    _write(appending, "d")
    assert _count(path) == 4


def test_after_a_fork_deltalake_panics_past_except_exception(path: Path) -> None:
    program = f"""
        import os, warnings
        from deltalake import DeltaTable
        warnings.simplefilter("ignore")
        DeltaTable({str(path)!r}).file_uris()
        if os.fork() == 0:
            try:
                DeltaTable({str(path)!r}).file_uris()
            except Exception:
                os._exit(1)
            except BaseException:
                os._exit(42)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.wait()[1]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "42"


def test_the_difference_of_two_snapshots_is_wrong_after_a_compaction(path: Path) -> None:
    _write(_open(path), "a")
    before = set(_open(path).file_uris())
    _write(_open(path), "b")
    _open(path).optimize.compact()
    new = sorted(set(_open(path).file_uris()) - before)
    assert duckdb.sql(f"SELECT count(*) FROM read_parquet({new})").fetchall() == [(2,)]


def test_an_empty_last_entry_opens_without_a_word_and_a_half_written_one_not_at_all(path: Path) -> None:
    _write(_open(path), "a")
    _write(_open(path), "b")
    content = tear_entry(path, 2, 0)
    assert _count(path) == 1
    entry_path(path, 2).write_bytes(content[: len(content) // 2])
    with pytest.raises(DeltaError):
        _open(path)


def test_time_travel_goes_by_the_time_of_the_log_file(path: Path) -> None:
    _write(_open(path), "a")
    noon = datetime.now(UTC)
    handle = _open(path)
    for version in (0, 1):
        os.utime(entry_path(path, version), (noon.timestamp() + 3600,) * 2)
    _write(handle, "b")
    os.utime(entry_path(path, 2), (noon.timestamp() - 3600,) * 2)
    handle = _open(path)
    handle.load_as_version(noon)
    assert handle.version() != 1


def test_statistics_keep_the_beginning_of_a_text_and_the_commit_keeps_the_predicate(path: Path) -> None:
    write_deltalake(_open(path), _rows("a", text="Anna Schmidt said hello"), mode="append")
    write_deltalake(_open(path), _rows("b"), mode="append")
    _open(path).delete("id = 'user-4711'")
    _open(path).delete("id = 'b'")
    log = b"".join(entry.read_bytes() for entry in sorted(log_folder(path).glob("*.json")))
    assert b"Anna Schmidt" in log
    assert b"id = 'b'" in log


def test_a_light_vacuum_leaves_orphans_and_a_full_one_takes_what_is_not_committed_yet(path: Path) -> None:
    _write(_open(path), "a")
    uncommitted = path / f"date={DAY}" / "part-being-written.parquet"
    uncommitted.write_bytes(b"PAR1")
    past = time.time() - 60
    os.utime(uncommitted, (past, past))
    _open(path).vacuum(0, dry_run=False, enforce_retention_duration=False)
    assert uncommitted.exists()
    _open(path).vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    assert not uncommitted.exists()


def test_ibis_pushes_projection_filter_and_partition_down_to_the_files(path: Path) -> None:
    _write(_open(path), "a")
    write_deltalake(_open(path), _rows("b", day=date(2026, 3, 2)), mode="append")
    connection = ibis.duckdb.connect()
    listed = _open(path).file_uris()
    source = connection.sql(f"SELECT * FROM read_parquet({listed}, hive_partitioning = true)", schema=SCHEMA)
    wanted = source.filter(source.date == DAY, source.id == "a").select("id")
    plan = connection.con.sql("EXPLAIN " + ibis.to_sql(wanted)).fetchall()[0][1]
    assert "Scanning Files: 1/2" in plan and "id = 'a'" in plan.replace("id='a'", "id = 'a'")
    assert "text" not in plan


def test_a_window_keeps_a_filter_on_another_column_from_the_files(path: Path) -> None:
    _write(_open(path), "a")
    source = f"read_parquet({_open(path).file_uris()})"
    newest = f"(SELECT * FROM {source} QUALIFY row_number() OVER (PARTITION BY id ORDER BY text DESC) = 1)"
    plan = duckdb.sql(f"EXPLAIN SELECT * FROM {newest} WHERE text = 'text'").fetchall()[0][1]
    scan = plan[plan.index("READ_PARQUET") :] if "READ_PARQUET" in plan else plan
    assert "Filters" not in scan


def test_duckdb_comes_without_httpfs() -> None:
    installed = "SELECT installed FROM duckdb_extensions() WHERE extension_name = 'httpfs'"
    assert duckdb.connect(config={"autoinstall_known_extensions": False}).sql(installed).fetchall() == [(False,)]
