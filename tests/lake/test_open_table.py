"""Appending: once, durably, beside others."""

import multiprocessing
from pathlib import Path

import pytest
from deltalake import DeltaTable

from penstock.errors import ConflictError, NotFoundError, StorageError
from penstock.lake import open_table
from penstock.lake.delta import open_delta
from penstock.lake.lake import Lake
from penstock.lake.maintenance import checkpoint_tables
from penstock.lake.tables import TABLES
from penstock.lake.transaction_log import read_entry
from penstock.settings import LakeSettings
from tests.lake.rows import make_signal, shown


def test_an_append_gives_the_version_of_its_commit(lake: Lake) -> None:
    assert lake.append("signals", [make_signal(1)]) == 1
    assert lake.append("signals", [make_signal(2)]) == 2 == lake.version("signals")


def test_no_rows_and_no_transaction_commit_nothing(lake: Lake) -> None:
    assert lake.append("signals", []) == 0 == lake.version("signals")


def test_a_batch_is_applied_once_also_by_another_handle_and_process_life(lake: Lake) -> None:
    assert lake.append("signals", [make_signal(1)], transactions={"spool:a": 7}) == 1
    assert lake.append("signals", [make_signal(1)], transactions={"spool:a": 7}) is None
    other = Lake(lake.root, LakeSettings())
    assert other.append("signals", [make_signal(1)], transactions={"spool:a": 6}) is None
    assert other.transaction_version("signals", "spool:a") == 7
    assert other.revisions("signals").count().to_pyarrow().as_py() == 1


def test_each_writer_has_its_own_numbers(lake: Lake) -> None:
    lake.append("signals", [make_signal(1)], transactions={"spool:a": 7})
    assert lake.append("signals", [make_signal(2)], transactions={"spool:b": 1}) == 2
    assert lake.transaction_version("signals", "spool:c") is None


def test_no_rows_still_advance_their_transactions(lake: Lake) -> None:
    assert lake.append("signals", [], transactions={"reader:spans:settle": 12}) == 1
    assert lake.transaction_version("signals", "reader:spans:settle") == 12
    assert lake.append("signals", [], transactions={"reader:spans:settle": 12}) is None


def test_a_handle_that_stays_open_goes_on_from_a_newer_checkpoint(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_table, "_REOPEN_AFTER_COMMITS", 3)
    opened: list[object] = []
    monkeypatch.setattr(open_table, "open_delta", lambda path: opened.append(path) or open_delta(path))
    for number in range(8):
        assert lake.append("signals", [make_signal(number)], transactions={"spool:a": number}) == number + 1
        checkpoint_tables(lake.root, TABLES.values(), 2)
    assert lake.append("signals", [make_signal(9)], transactions={"spool:a": 7}) is None
    assert lake.current("signals").count().to_pyarrow().as_py() == 8
    assert len(opened) == 3


def test_what_others_reach_meanwhile_is_known_without_asking_deltalake_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Lake(lake.root, LakeSettings())
    lake.append("signals", [make_signal(0)], transactions={"spool:a": 1})
    assert lake.transaction_version("signals", "spool:b") is None
    other.append("signals", [make_signal(1)], transactions={"spool:b": 3})
    other.append("signals", [make_signal(2)], transactions={"spool:a": 2})
    monkeypatch.setattr(DeltaTable, "transaction_version", None)
    assert lake.transaction_version("signals", "spool:b") == 3
    assert lake.append("signals", [make_signal(2)], transactions={"spool:a": 2}) is None
    assert lake.append("signals", [make_signal(3)], transactions={"spool:a": 3}) == 4


def test_transactions_of_which_one_was_reached_are_a_conflict(lake: Lake) -> None:
    lake.append("signals", [], transactions={"a": 1})
    with pytest.raises(ConflictError, match=r"signals has reached a but not the rest"):
        lake.append("signals", [make_signal(1)], transactions={"a": 1, "b": 1})
    assert shown(lake) == []


def test_a_batch_that_another_process_applied_meanwhile_is_not_applied_again(lake: Lake) -> None:
    first, second = lake, Lake(lake.root, LakeSettings())
    assert second.version("signals") == 0  # its handle is from before
    first.append("signals", [make_signal(1)], transactions={"spool:a": 1})
    assert second.append("signals", [make_signal(1)], transactions={"spool:a": 1}) is None


def test_a_handle_that_goes_stale_between_look_and_write_looks_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = lake._open("signals")
    look, other = opened._is_applied, Lake(lake.root, LakeSettings())

    def look_and_let_the_other_in(*arguments: object) -> bool:
        done = look(*arguments)  # type: ignore[arg-type]  # passed through
        other.append("signals", [make_signal(1)], transactions={"spool:a": 1})
        return done

    monkeypatch.setattr(opened, "_is_applied", look_and_let_the_other_in)
    assert lake.append("signals", [make_signal(1)], transactions={"spool:a": 1}) is None
    assert shown(lake) == [("s_1", 0)]


def test_a_plain_append_by_a_stale_handle_goes_through_and_finds_its_own_commit(lake: Lake) -> None:
    other = Lake(lake.root, LakeSettings())
    other.version("signals")
    for number in range(3):
        lake.append("signals", [make_signal(number)])
    assert other.append("signals", [make_signal(9)], transactions={"spool:b": 1}) == 4
    assert read_entry(lake.root / "signals", 4).transactions == {"spool:b": 1}


def test_rows_of_several_days_go_into_several_partitions_by_one_commit(lake: Lake) -> None:
    version = lake.append("signals", [make_signal(1), make_signal(2, day=1)])
    assert version is not None
    days = sorted(file.partition["date"] or "" for file in read_entry(lake.root / "signals", version).adds)
    assert days == ["2026-03-01", "2026-03-02"]


def test_a_lake_that_was_never_created_is_an_error_that_says_so(home: Path) -> None:
    with pytest.raises(StorageError, match="open the lake"):
        Lake(home / "nowhere", LakeSettings()).append("signals", [make_signal(1)])
    with pytest.raises(NotFoundError, match="create the lake first"):
        Lake(home / "nowhere", LakeSettings()).version("signals")


def _append_batches(root: Path, app: str, batches: int) -> None:
    lake = Lake(root, LakeSettings())
    for number in range(batches):
        lake.append("signals", [make_signal(number, signal_id=f"{app}_{number}")], transactions={app: number})


def test_appenders_in_several_processes_lose_and_double_nothing(lake: Lake) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_append_batches, args=(lake.root, f"spool:{name}", 15)) for name in "ab"]
    for worker in workers:
        worker.start()
    _append_batches(lake.root, "spool:c", 15)
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert lake.revisions("signals").count().to_pyarrow().as_py() == 45 == len(shown(lake))
    assert lake.version("signals") == 45
