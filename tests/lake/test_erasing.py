"""Rule 8 of the lake: one rewriting per table, then a full vacuum, then the log is cut; and readers go on behind the cut."""

from pathlib import Path

import pytest

from penstock.lake.lake import Lake
from penstock.lake.tables import reader
from penstock.lake.transaction_log import list_versions, log_folder
from tests.lake.rows import make_signal, shown
from tests.worker.left_behind import find_left

READER = reader("signals", "test")


def _find_left(lake: Lake, text: str, folder: Path) -> list[str]:
    """Where the text is still to be found, in a copy of all that the lake holds."""
    for number, file in enumerate(lake.root.files()):
        copy = folder / f"{number}-{file.name}"
        copy.write_bytes(file.read_bytes())
    return find_left(folder, [text])


def _filled(lake: Lake) -> None:
    lake.append("signals", [make_signal(0, text="zanzibar"), make_signal(1)])
    lake.append("signals", [make_signal(0, 1, text="zanzibar again"), make_signal(2, day=1)])


def test_rows_go_and_files_without_such_rows_are_left_alone(lake: Lake) -> None:
    _filled(lake)
    untouched = [file for file in lake._open("signals").snapshot().files if "2026-03-02" in file]
    with lake.alone():
        assert lake.erase("signals", "signal_id = 's_0'") == 2
    assert shown(lake) == [("s_1", 0), ("s_2", 0)]
    assert [file for file in lake._open("signals").snapshot().files if "2026-03-02" in file] == untouched


def test_until_the_purge_the_old_files_are_there_and_after_it_nothing_is(
    lake: Lake, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _filled(lake)
    with lake.alone():
        lake.erase("signals", "signal_id = 's_0'")
        assert _find_left(lake, "zanzibar", tmp_path_factory.mktemp("before"))
        assert lake.purge() >= 2
    assert _find_left(lake, "zanzibar", tmp_path_factory.mktemp("after")) == []


def test_an_orphan_that_no_commit_names_is_deleted_too(lake: Lake) -> None:
    _filled(lake)
    orphan = lake.root / "signals" / "date=2026-03-01" / "orphan.parquet"
    orphan.replace_durably(b"zanzibar")
    with lake.alone():
        lake.purge()
    assert not orphan.is_file()


def test_the_log_is_cut_to_a_checkpoint_and_readers_go_on(lake: Lake) -> None:
    _filled(lake)
    lake.append("labels", [], transactions={READER: lake.version("signals")})
    with lake.alone():
        lake.erase("signals", "signal_id = 's_0'")
        lake.purge()
    path = lake.root / "signals"
    assert len(list_versions(path)) == 1
    assert len(list(log_folder(path).glob("*.checkpoint.parquet"))) == 1
    seen = lake.transaction_version("labels", READER)
    lake.append("signals", [make_signal(5)])
    new = Lake(lake.root, lake.settings).changes("signals", seen)
    assert new.rows.column("signal_id").to_pylist() == ["s_5"]


def test_a_handle_from_before_still_reads_and_writes(lake: Lake) -> None:
    _filled(lake)
    other = Lake(lake.root, lake.settings)
    assert len(shown(other)) == 3
    with lake.alone():
        lake.erase("signals", "signal_id = 's_0'")
        lake.purge()
    assert len(shown(other)) == 2
    other.append("signals", [make_signal(6)])
    assert len(shown(lake)) == 3


def test_transactions_survive_so_that_a_batch_is_still_taken_once(lake: Lake) -> None:
    lake.append("signals", [make_signal(0)], transactions={"spool:1": 7})
    with lake.alone():
        lake.purge()
    assert lake.append("signals", [make_signal(0)], transactions={"spool:1": 7}) is None


def test_what_repairs_have_put_aside_goes_as_well(lake: Lake) -> None:
    _filled(lake)
    aside = lake.root / "_quarantine" / "signals" / "0000-torn.parquet"
    aside.parent.make_folder()
    aside.replace_durably(b"zanzibar")
    with lake.alone():
        lake.purge()
    assert not aside.is_file()


def test_it_needs_to_be_alone(lake: Lake) -> None:
    with pytest.raises(RuntimeError, match="alone"):
        lake.purge()
