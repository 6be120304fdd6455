"""Commits whose files did not reach the disk."""

import multiprocessing
from pathlib import Path

import pytest

from penstock.lake.lake import Lake
from penstock.lake.tables import reader
from penstock.lake.transaction_log import list_versions, read_entry
from penstock.records.clock import utc_now
from penstock.settings import LakeSettings
from tests.lake.on_disk import only_on_disk
from tests.lake.rows import make_signal, shown
from tests.lake.torn import files_of, tear_file


def _commit(lake: Lake, number: int, app: str = "spool:a") -> int:
    """One commit of two files."""
    version = lake.append("signals", [make_signal(number), make_signal(number + 100, day=1)], transactions={app: number})
    assert version is not None
    return version


def test_a_commit_is_found_by_its_transaction(lake: Lake) -> None:
    versions = [_commit(lake, 1), _commit(lake, 2), _commit(lake, 1, "spool:b")]
    assert [lake.find_commit("signals", *wanted) for wanted in (("spool:a", 1), ("spool:a", 2), ("spool:b", 1))] == versions
    assert lake.find_commit("signals", "spool:a", 3) is None


def test_a_commit_is_intact_while_its_files_are(lake: Lake) -> None:
    assert lake.is_intact("signals", _commit(lake, 1))


@only_on_disk
@pytest.mark.parametrize("keep", [0.0, 0.5, None])
def test_a_commit_with_a_file_cut_short_or_missing_is_not_intact(lake: Lake, keep: float | None) -> None:
    version = _commit(lake, 1)
    path = files_of(lake.root / "signals", version)[1]
    path.unlink() if keep is None else tear_file(path, keep)
    assert not lake.is_intact("signals", version)


def test_a_commit_whose_file_is_gone_is_taken_back(lake: Lake) -> None:
    _commit(lake, 1)
    bad = _commit(lake, 2)
    (lake.root / "signals" / read_entry(lake.root / "signals", bad).adds[0].path).unlink()
    assert not lake.is_intact("signals", bad)
    assert lake.repair("signals").reverted == (bad,)
    assert lake.find_commit("signals", "spool:a", 2) is None and lake.find_commit("signals", "spool:a", 1) == 1
    again = _commit(lake, 2)
    assert lake.find_commit("signals", "spool:a", 2) == again and lake.is_intact("signals", again)
    assert len(shown(lake)) == 4 == lake.revisions("signals").count().to_pyarrow().as_py()


@only_on_disk
def test_a_file_of_the_right_size_that_holds_zeros_is_not_intact(lake: Lake) -> None:
    version = _commit(lake, 1)
    path = files_of(lake.root / "signals", version)[0]
    path.write_bytes(bytes(path.stat().st_size))
    assert not lake.is_intact("signals", version)


@only_on_disk
@pytest.mark.parametrize("later", [0, 2])
def test_a_bad_commit_is_taken_back_and_its_rows_appended_again(lake: Lake, later: int) -> None:
    _commit(lake, 1)
    bad = _commit(lake, 2)
    for number in range(later):
        _commit(lake, 10 + number, "spool:b")
    torn = files_of(lake.root / "signals", bad)[0]
    tear_file(torn, 0.5)
    assert [path.name for path in lake.quarantine_commit("signals", bad)] == [f"0000-{torn.name}"]
    assert lake.transaction_version("signals", "spool:a") == 1
    assert not lake.is_intact("signals", bad) and lake.find_commit("signals", "spool:a", 2) is None
    again = _commit(lake, 2)
    assert lake.find_commit("signals", "spool:a", 2) == again and lake.is_intact("signals", again)
    assert len(shown(lake)) == 4 + 2 * later == lake.revisions("signals").count().to_pyarrow().as_py()


def test_the_first_batch_of_a_writer_is_set_back_to_none(lake: Lake) -> None:
    version = _commit(lake, 0)
    lake.quarantine_commit("signals", version)
    assert lake.transaction_version("signals", "spool:a") is None
    assert _commit(lake, 0) == version + 2


def test_a_commit_is_taken_back_once(lake: Lake) -> None:
    version = _commit(lake, 1)
    lake.quarantine_commit("signals", version)
    _commit(lake, 1)
    assert lake.quarantine_commit("signals", version) == []
    assert lake.transaction_version("signals", "spool:a") == 1


@only_on_disk
def test_repair_takes_back_every_bad_commit_and_leaves_the_good(lake: Lake) -> None:
    versions = [_commit(lake, number) for number in (1, 2, 3, 4)]
    for version in (versions[1], versions[3]):
        tear_file(files_of(lake.root / "signals", version)[0], 0.3)
    repaired = lake.repair("signals")
    assert repaired.reverted == (versions[3], versions[1]) and len(repaired.aside) == 2
    assert {identifier for identifier, _ in shown(lake)} == {"s_1", "s_101", "s_3", "s_103"}
    assert lake.repair("signals").reverted == ()


@only_on_disk
def test_a_reader_whose_commit_is_taken_back_reads_again_from_where_it_was(lake: Lake) -> None:
    mark = reader("spans", "settle")
    lake.append("signals", [make_signal(1)], transactions={mark: 4})
    bad = lake.append("signals", [make_signal(2)], transactions={mark: 9})
    assert bad is not None
    tear_file(files_of(lake.root / "signals", bad)[0], 0.5)
    lake.repair("signals")
    assert lake.transaction_version("signals", mark) == 4


@only_on_disk
@pytest.mark.parametrize("later", [0, 1])
def test_a_compaction_whose_file_is_bad_gives_back_what_it_replaced(lake: Lake, later: int) -> None:
    for number in range(3):
        lake.append("signals", [make_signal(number)])
    Lake(lake.root, LakeSettings(compact_after_files=2)).maintain(utc_now())
    compaction = list_versions(lake.root / "signals")[-1]
    assert read_entry(lake.root / "signals", compaction).operation == "OPTIMIZE"
    for number in range(later):
        lake.append("signals", [make_signal(10 + number)])
    tear_file(files_of(lake.root / "signals", compaction)[0], 0.5)
    assert lake.repair("signals").reverted == (compaction,)
    assert len(shown(lake)) == 3 + later
    assert lake.changes("signals", 3).rows.num_rows == later
    assert Lake(lake.root, LakeSettings(compact_after_files=2)).maintain(utc_now())[3].compacted == 3 + later
    assert len(shown(lake)) == 3 + later


def _repair(root: Path) -> None:
    Lake(root, LakeSettings()).repair("signals")


@only_on_disk
def test_two_processes_that_repair_at_once_take_a_commit_back_once(lake: Lake) -> None:
    version = _commit(lake, 1)
    tear_file(files_of(lake.root / "signals", version)[0], 0.5)
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_repair, args=(lake.root,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert lake.version("signals") == version + 1
