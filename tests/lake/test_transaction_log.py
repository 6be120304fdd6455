import pytest

from penstock.errors import StorageError
from penstock.lake.lake import Lake
from penstock.lake.transaction_log import (
    all_transactions,
    entry_path,
    last_checkpoint,
    list_versions,
    log_folder,
    parse_entry,
    read_entry,
)
from penstock.records.clock import utc_now
from penstock.settings import LakeSettings
from tests.lake.rows import make_signal


def test_an_entry_tells_files_rows_and_transactions(lake: Lake) -> None:
    version = lake.append("signals", [make_signal(1), make_signal(2), make_signal(3, day=1)], transactions={"spool:a": 5})
    assert version is not None
    entry = read_entry(lake.root / "signals", version)
    assert (entry.operation, entry.transactions, entry.removes) == ("WRITE", {"spool:a": 5}, ())
    assert sorted((file.partition["date"], file.rows, file.data_change) for file in entry.adds) == [
        ("2026-03-01", 2, True),
        ("2026-03-02", 1, True),
    ]


@pytest.mark.parametrize("content", [b"", b"\n", b"{", b'{"add"', b'"text"', b"[]", b'{"txn":{"appId":"a","version":1}}'])
def test_what_is_not_a_whole_entry_is_none(content: bytes) -> None:
    assert parse_entry(1, content) is None


def test_no_proper_part_of_an_entry_is_taken_for_the_whole(lake: Lake) -> None:
    version = lake.append("signals", [make_signal(1), make_signal(2, day=1)], transactions={"a": 1, "b": 1})
    assert version is not None
    content = entry_path(lake.root / "signals", version).read_bytes()
    assert parse_entry(version, content) is not None
    assert all(parse_entry(version, content[:length]) is None for length in range(len(content)))


def test_a_torn_entry_and_a_missing_one_are_errors(lake: Lake) -> None:
    entry_path(lake.root / "signals", 1).replace_durably(b"{")
    with pytest.raises(StorageError, match=r"0001\.json is torn"):
        read_entry(lake.root / "signals", 1)
    with pytest.raises(StorageError, match=r"0002\.json cannot be read"):
        read_entry(lake.root / "signals", 2)


def test_transactions_are_found_before_and_after_a_checkpoint(lake: Lake) -> None:
    lake.append("signals", [make_signal(1)], transactions={"a": 1, "b": 1})
    Lake(lake.root, LakeSettings(checkpoint_after_commits=1)).maintain(utc_now())
    lake.append("signals", [], transactions={"b": 2, "c": 1})
    assert last_checkpoint(lake.root / "signals") == 1
    assert all_transactions(lake.root / "signals") == {"a": 1, "b": 2, "c": 1}


def test_a_checkpoint_that_cannot_be_read_is_not_the_last(lake: Lake) -> None:
    lake.append("signals", [make_signal(1)])
    Lake(lake.root, LakeSettings(checkpoint_after_commits=1)).maintain(utc_now())
    (checkpoint,) = log_folder(lake.root / "signals").glob("*.checkpoint.parquet")
    checkpoint.replace_durably(checkpoint.read_bytes()[:-10])
    assert last_checkpoint(lake.root / "signals") is None


def test_versions_are_listed_ascending_and_other_files_passed_over(lake: Lake) -> None:
    lake.append("signals", [make_signal(1)])
    (log_folder(lake.root / "signals") / "00000000000000000007.json.tmp").replace_durably(b"")
    assert list_versions(lake.root / "signals") == [0, 1]
