"""deltalake does no fsync, so every append is followed by ours; a fsync that fails is an append that failed."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from penstock.errors import StorageError
from penstock.lake import durability
from penstock.lake.durability import make_folder, replace_durably
from penstock.lake.lake import Lake
from tests.lake.rows import make_signal
from tests.lake.torn import files_of


@pytest.fixture
def lake(disk_lake: Lake) -> Lake:
    """Only a disk needs fsync."""
    return disk_lake


@pytest.fixture
def synchronised(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """What was fsynced, in order."""
    seen: list[Path] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        seen.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(durability.os, "fsync", record)
    yield seen


def test_an_append_brings_files_then_entry_and_their_folders_to_the_disk(lake: Lake, synchronised: list[Path]) -> None:
    version = lake.append("signals", [make_signal(1), make_signal(2, day=1)])
    assert version is not None
    table = lake.root / "signals"
    entry = table / "_delta_log" / f"{version:020d}.json"
    files = files_of(table, version)
    assert set(files) | {file.parent for file in files} | {entry, entry.parent, table} <= set(synchronised)
    assert max(synchronised.index(file) for file in files) < synchronised.index(entry) < synchronised.index(entry.parent)


def test_an_erasure_brings_its_commit_to_the_disk_like_an_append(lake: Lake, synchronised: list[Path]) -> None:
    before = lake.append("signals", [make_signal(1), make_signal(2)])
    assert before is not None
    synchronised.clear()
    with lake.alone():
        assert lake.erase("signals", "signal_id = 's_1'") == 1
    _is_on_the_disk(lake, before + 1, synchronised)


def test_a_commit_taken_back_is_so_on_the_disk(lake: Lake, synchronised: list[Path]) -> None:
    before = lake.append("signals", [make_signal(1)])
    assert before is not None
    (file,) = files_of(lake.root / "signals", before)
    file.unlink()
    synchronised.clear()
    assert Lake(lake.root, lake.settings).repair("signals").reverted == (before,)
    _is_on_the_disk(lake, before + 1, synchronised)


def _is_on_the_disk(lake: Lake, version: int, synchronised: list[Path]) -> None:
    entry = lake.root / "signals" / "_delta_log" / f"{version:020d}.json"
    assert entry.is_file()
    assert {entry, entry.parent} <= set(synchronised)
    assert set(files_of(lake.root / "signals", version)) <= set(synchronised)


def test_a_version_given_to_a_reader_is_on_the_disk(lake: Lake, synchronised: list[Path]) -> None:
    version = lake.append("signals", [make_signal(1)])
    synchronised.clear()
    assert lake.changes("signals", 0).version == version
    assert lake.root / "signals" / "_delta_log" in synchronised


def test_a_failed_fsync_fails_the_append_and_can_be_made_up_for(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.append("signals", [make_signal(0)])

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch, pytest.raises(StorageError, match=r"bring a commit to the disk at .*signals"):
        patch.setattr(durability.os, "fsync", fail)
        lake.append("signals", [make_signal(1)], transactions={"spool:a": 1})
    version = lake.find_commit("signals", "spool:a", 1)
    assert version is not None and lake.is_intact("signals", version)
    lake.make_durable("signals", version)


def test_a_replaced_file_is_the_old_or_the_new_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"old", b"new"):
        replace_durably(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_two_who_write_the_same_name_at_once_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: replace_durably(path, b"%d" % number), range(100)))
    assert path.read_bytes().isdigit()
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_folder_is_made_with_those_above_it_each_named_durably_in_the_one_above(
    tmp_path: Path, synchronised: list[Path]
) -> None:
    make_folder(tmp_path / "home" / "spool")
    assert {tmp_path, tmp_path / "home"} == set(synchronised)
    synchronised.clear()
    make_folder(tmp_path / "home" / "spool")
    assert synchronised == [tmp_path / "home"]
