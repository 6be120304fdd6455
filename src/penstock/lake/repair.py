"""After a power cut: find commits whose files did not reach the disk, take them back, and put their files aside.

A commit is taken back by another one, forwards, so that no version ever comes to mean something else: its files are
removed, files it had replaced return, and its transactions are set back, so that their writer does the work again.
"""

import msgspec
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction
from msgspec import Struct

from penstock.lake.delta import commit, open_delta, remove_action
from penstock.lake.durability import make_durable
from penstock.lake.log_repair import repair_log, repairing, set_aside
from penstock.lake.place import Place
from penstock.lake.storage_failure import storage_failures
from penstock.lake.transaction_log import (
    DataFile,
    LogEntry,
    is_parquet_whole,
    last_checkpoint,
    list_versions,
    read_entry,
)

_REVERT = "revert-"  # begins the token of a commit that takes another back


class Repaired(Struct, frozen=True, kw_only=True):
    """What a repair found and did."""

    aside: tuple[Place, ...] = ()  # files that now lie in the quarantine
    reverted: tuple[int, ...] = ()  # commits that were taken back


def repair_table(root: Place, table: str) -> Repaired:
    """Mend the log, then take back every commit since the last checkpoint that has a file which cannot be read."""
    aside = repair_log(root, table)
    path = root / table
    with storage_failures(f"repair the table {table}", path):
        checkpoint = last_checkpoint(path)
        recent = [version for version in list_versions(path) if checkpoint is None or version > checkpoint]
        active = _active_files(open_delta(path))
        bad = [version for version in reversed(recent) if not _are_whole(path, read_entry(path, version), active)]
    for version in bad:
        aside += revert_commit(root, table, version)
    return Repaired(aside=tuple(aside), reverted=tuple(bad))


def is_intact(path: Place, version: int) -> bool:
    """Whether the commit stands, and every file of it that still counts is there, has its size, and can be read."""
    with storage_failures("check a commit", path):
        return version not in _reverted(path, version) and _are_whole(
            path, read_entry(path, version), _active_files(open_delta(path))
        )


def _are_whole(path: Place, entry: LogEntry, active: set[str]) -> bool:
    """A file that counts no more was whole when a compaction read it, or was taken back."""
    return all(_is_whole(path, file) for file in entry.adds if file.path in active)


def _is_whole(path: Place, file: DataFile) -> bool:
    location = path / file.path
    if not location.is_file() or location.size_bytes() != file.size:
        return False
    return not location.can_tear or is_parquet_whole(location)


def _active_files(handle: DeltaTable) -> set[str]:
    return {str(path) for path in handle.get_add_actions().column("path").to_pylist()}


def find_commit(path: Place, app: str, number: int) -> int | None:
    """The commit by which an application reached this number and which stands; None too where its entry was cleaned up."""
    reverted: set[int] = set()
    for version in reversed(list_versions(path)):
        entry = read_entry(path, version)
        if (taken_back := _taken_back_by(entry)) is not None:
            reverted.add(taken_back)
        elif entry.transactions.get(app) == number and version not in reverted:
            return version
    return None


def _reverted(path: Place, since: int) -> set[int]:
    """Commits that were taken back after this one was made."""
    entries = (read_entry(path, version) for version in list_versions(path) if version > since)
    return {taken_back for entry in entries if (taken_back := _taken_back_by(entry)) is not None}


def _taken_back_by(entry: LogEntry) -> int | None:
    return int(entry.token.removeprefix(_REVERT)) if entry.token and entry.token.startswith(_REVERT) else None


def revert_commit(root: Place, table: str, version: int) -> list[Place]:
    """Take a commit back and put those of its files aside that cannot be read; gives where they now lie."""
    path = root / table
    with storage_failures(f"take back commit {version} of {table}", path), repairing(root):
        if version in _reverted(path, version):
            return []
        handle, entry = open_delta(path), read_entry(path, version)
        active = _active_files(handle)
        wrong = [file for file in entry.adds if file.path in active]
        bad = [path / file.path for file in wrong if not _is_whole(path, file)]
        replaced = [file for file in entry.removes if not file.data_change and (path / file.path).is_file()]
        actions: list[AddAction | RemoveAction] = [remove_action(file) for file in wrong]
        actions += [_return(path, file) for file in replaced]
        transactions = {app: _number_before(path, version, app) for app in entry.transactions}
        if actions or transactions:
            before = handle.version()
            commit(handle, actions, token=f"{_REVERT}{version}", transactions=transactions)
            make_durable(path, [read_entry(path, number) for number in range(before + 1, handle.version() + 1)])
        return [set_aside(root, table, file) for file in bad if file.is_file()]


def _return(path: Place, file: DataFile) -> AddAction:
    """A file that a compaction had replaced counts again, its rows no newer than they were."""
    location = path / file.path
    return AddAction(
        path=file.path,
        size=location.size_bytes(),
        partition_values=file.partition,
        modification_time=int(location.modified_s() * 1000),
        data_change=False,
        stats=_statistics_of(path, file.path),
    )


def _statistics_of(path: Place, name: str) -> str:
    """As the commit said that brought the file; without them it is read where it might have been left out, no worse."""
    for version in reversed(list_versions(path)):
        for file in read_entry(path, version).adds:
            if file.path == name and file.statistics:
                return file.statistics
    return msgspec.json.encode({"numRecords": pq.read_metadata((path / name).parquet_source()).num_rows}).decode()


def _number_before(path: Place, version: int, app: str) -> int:
    """What an application had reached before a commit; -1, which counts as nothing, where that was its first."""
    try:
        number = open_delta(path, version - 1).transaction_version(app)
    except DeltaError:  # the log before has been cleaned up
        number = read_entry(path, version).transactions[app] - 1
    return -1 if number is None else number
