"""A torn log entry or checkpoint, as a power cut leaves it."""

from pathlib import Path

import msgspec
import pytest
from deltalake import DeltaTable

from penstock.lake.lake import Lake
from penstock.lake.log_repair import repair_log
from penstock.lake.transaction_log import entry_path, log_folder
from penstock.records.clock import utc_now
from penstock.settings import LakeSettings
from tests.lake.rows import make_signal, shown
from tests.lake.torn import tear_entry, tear_file


@pytest.fixture
def lake(disk_lake: Lake) -> Lake:
    """Only a disk tears a file."""
    return disk_lake


def _after_a_power_cut(lake: Lake) -> Lake:
    return Lake(lake.root, lake.settings)


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_torn_last_entry_is_put_aside_and_its_batch_can_be_appended_again(lake: Lake, keep: float) -> None:
    lake.append("signals", [make_signal(1)], transactions={"spool:a": 1})
    version = lake.append("signals", [make_signal(2), make_signal(3, day=1)], transactions={"spool:a": 2})
    assert version is not None
    content = tear_entry(lake.root / "signals", version, keep)
    lake = _after_a_power_cut(lake)
    assert shown(lake) == [("s_1", 0)]
    assert lake.transaction_version("signals", "spool:a") == 1
    (aside,) = (lake.root / "_quarantine" / "signals").iterdir()
    assert content.startswith(aside.read_bytes())
    assert lake.append("signals", [make_signal(2), make_signal(3, day=1)], transactions={"spool:a": 2}) == version + 1
    assert shown(lake) == [("s_1", 0), ("s_2", 0), ("s_3", 0)]


def test_an_entry_torn_between_two_lines_is_noticed(lake: Lake) -> None:
    version = lake.append("signals", [make_signal(1), make_signal(2, day=1)], transactions={"spool:a": 1})
    assert version is not None
    path = entry_path(lake.root / "signals", version)
    lines = path.read_bytes().split(b"\n")
    assert len(lines) == 4
    for kept in (1, 2, 3):
        path.write_bytes(b"\n".join(lines[:kept]))
        assert len(repair_log(lake.root, "signals")) == 1
        path.write_bytes(b"\n".join(lines))
    assert repair_log(lake.root, "signals") == []


def test_an_erasure_torn_between_two_lines_loses_no_row(lake: Lake) -> None:
    """It says first which files go, and then which come in their place."""
    version = lake.append("signals", [make_signal(1), make_signal(2), make_signal(3, day=1), make_signal(4, day=1)])
    assert version is not None
    with lake.alone():
        assert lake.erase("signals", "signal_id IN ('s_1', 's_3')") == 2
    path = entry_path(lake.root / "signals", version + 1)
    lines = path.read_bytes().split(b"\n")
    assert [next(iter(msgspec.json.decode(line))) for line in lines] == ["commitInfo", "remove", "remove", "add", "add"]
    for kept in range(1, len(lines)):
        path.write_bytes(b"\n".join(lines[:kept]))
        assert len(repair_log(lake.root, "signals")) == 1
        assert len(shown(_after_a_power_cut(lake))) == 4
        path.write_bytes(b"\n".join(lines))
    assert shown(_after_a_power_cut(lake)) == [("s_2", 0), ("s_4", 0)]


def test_an_entry_of_zeros_is_noticed(lake: Lake) -> None:
    version = lake.append("signals", [make_signal(1)])
    assert version is not None
    path = entry_path(lake.root / "signals", version)
    path.write_bytes(bytes(path.stat().st_size))
    assert shown(_after_a_power_cut(lake)) == []


def test_the_number_of_a_torn_entry_is_never_given_to_other_rows(lake: Lake) -> None:
    version = lake.append("signals", [make_signal(1)])
    assert version is not None
    tear_entry(lake.root / "signals", version, 0)
    lake = _after_a_power_cut(lake)
    assert lake.version("signals") == version
    lake.append("signals", [make_signal(2)])
    assert lake.changes("signals", version).rows.column("signal_id").to_pylist() == ["s_2"]


def test_a_table_in_order_is_left_alone(lake: Lake) -> None:
    lake.append("signals", [make_signal(1)])
    assert repair_log(lake.root, "signals") == []
    assert not (lake.root / "_quarantine").exists()


def _checkpointed(root: Path) -> Lake:
    lake = Lake(root, LakeSettings(checkpoint_after_commits=2))
    for number in range(3):
        lake.append("signals", [make_signal(number)])
    lake.maintain(utc_now())
    return lake


def test_a_torn_checkpoint_is_put_aside_since_the_log_says_the_same(lake: Lake) -> None:
    lake = _checkpointed(lake.root)
    (checkpoint,) = log_folder(lake.root / "signals").glob("*.checkpoint.parquet")
    tear_file(checkpoint, 0.5)
    lake = _after_a_power_cut(lake)
    assert len(shown(lake)) == 3
    assert not checkpoint.exists()
    assert DeltaTable(str(lake.root / "signals")).version() == 3


def test_a_torn_pointer_to_the_checkpoint_is_put_aside(lake: Lake) -> None:
    lake = _checkpointed(lake.root)
    (log_folder(lake.root / "signals") / "_last_checkpoint").write_bytes(b"")
    lake = _after_a_power_cut(lake)
    assert len(shown(lake)) == 3
    assert [path.name for path in (lake.root / "_quarantine" / "signals").iterdir()] == ["0000-_last_checkpoint"]
