"""The Delta log, read straight from its JSON entries: which files a commit added or removed, and for which transactions.

deltalake reads over an empty last entry without a word and refuses a half-written one, so whether an entry is whole is
judged here. The log shows an entry only when it is complete; one that is torn was torn by a power cut.
"""

import urllib.parse
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from penstock.errors import StorageError
from penstock.lake.place import Place

COMMIT_TOKEN = "penstock.commit"  # noqa: S105 - names one commit, guards nothing
TRANSACTION_COUNT = "penstock.transactions"
FILE_COUNT = "penstock.files"  # how many a commit of ours adds and removes
# The log was cut: readers that had read up to the first or further go on behind the second, since nothing was new between.
CUT_FROM, CUT_TO = "cut:from", "cut:to"


class DataFile(Struct, frozen=True, kw_only=True):
    """One `add` or `remove` of a commit."""

    path: str  # relative to the table
    size: int | None
    partition: dict[str, str | None]
    data_change: bool  # False where only the place of the rows changed, as in a compaction
    statistics: str | None = None  # JSON

    @property
    def rows(self) -> int:
        """How many rows the statistics say the file has."""
        return int(msgspec.json.decode(self.statistics).get("numRecords") or 0) if self.statistics else 0


class LogEntry(Struct, frozen=True, kw_only=True):
    """One commit."""

    version: int
    operation: str
    token: str | None  # our own name for the commit
    adds: tuple[DataFile, ...]
    removes: tuple[DataFile, ...]
    transactions: dict[str, int]


def log_folder(table_path: Place) -> Place:
    """Where the log of a table lies."""
    return table_path / "_delta_log"


def entry_path(table_path: Place, version: int) -> Place:
    """Where one commit is written."""
    return log_folder(table_path) / f"{version:020d}.json"


def list_versions(table_path: Place) -> list[int]:
    """The commits whose entries are still there, ascending."""
    return list(list_entries(table_path))


def list_entries(table_path: Place) -> dict[int, Place]:
    """Where the commits whose entries are still there are written, by version, ascending."""
    entries = ((entry.name, entry) for entry in log_folder(table_path).glob("*.json"))
    return dict(sorted((int(name[:20]), entry) for name, entry in entries if len(name) == 25 and name[:20].isdigit()))


def read_entry(table_path: Place, version: int) -> LogEntry:
    """One commit; StorageError if its entry was cleaned up or is torn."""
    path = entry_path(table_path, version)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StorageError(f"The log entry {path} cannot be read: {error.strerror}.") from error
    entry = parse_entry(version, content)
    if entry is None:
        raise StorageError(f"The log entry {path} is torn; stop Penstock and start it again, which repairs the table.")
    return entry


def parse_entry(version: int, content: bytes) -> LogEntry | None:
    """What an entry says, or None where it is not whole."""
    try:
        actions = [msgspec.json.decode(line) for line in content.splitlines() if line]
    except msgspec.DecodeError:
        return None
    if not actions or not all(isinstance(action, dict) for action in actions):
        return None
    entry, information = _entry(version, actions)
    return entry if _is_whole(entry, information) else None


def _entry(version: int, actions: list[dict[str, Any]]) -> tuple[LogEntry, dict[str, Any]]:
    information: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
    entry = LogEntry(
        version=version,
        operation=information.get("operation", ""),
        token=information.get(COMMIT_TOKEN),
        adds=tuple(_data_file(action["add"]) for action in actions if "add" in action),
        removes=tuple(_data_file(action["remove"]) for action in actions if "remove" in action),
        transactions={action["txn"]["appId"]: action["txn"]["version"] for action in actions if "txn" in action},
    )
    return entry, information


def _is_whole(entry: LogEntry, information: dict[str, Any]) -> bool:
    """An entry torn between two lines still parses; the counts that it carries in its first line give it away."""
    if not information:
        return False
    metrics = information.get("operationMetrics") or {}
    if information.get(FILE_COUNT, len(entry.adds) + len(entry.removes)) != len(entry.adds) + len(entry.removes):
        return False
    expected_adds = metrics.get("num_added_files", metrics.get("numFilesAdded", len(entry.adds)))
    expected_transactions = information.get(TRANSACTION_COUNT, len(entry.transactions))
    return bool(expected_adds == len(entry.adds) and expected_transactions == len(entry.transactions))


def _data_file(action: dict[str, Any]) -> DataFile:
    return DataFile(
        path=urllib.parse.unquote(action["path"]),
        size=action.get("size"),
        partition=action.get("partitionValues") or {},
        data_change=action.get("dataChange", True),
        statistics=action.get("stats"),
    )


def all_transactions(table_path: Place) -> dict[str, int]:
    """The last version of every transaction that the table keeps, from its last checkpoint and the entries after it."""
    checkpoint = last_checkpoint(table_path)
    found: dict[str, int] = {}
    if checkpoint is not None:
        rows = pq.read_table(_checkpoint_path(table_path, checkpoint).parquet_source(), columns=["txn"]).column("txn")
        found = {row["appId"]: row["version"] for row in rows.to_pylist() if row and row["appId"] is not None}
    for version in list_versions(table_path):
        if checkpoint is None or version > checkpoint:
            found.update(read_entry(table_path, version).transactions)
    return found


def last_checkpoint(table_path: Place) -> int | None:
    """The version of the newest checkpoint that can be read."""
    names = (path.name for path in log_folder(table_path).glob("*.checkpoint.parquet"))
    versions = sorted((int(name[:20]) for name in names if name[:20].isdigit()), reverse=True)
    return next((version for version in versions if is_parquet_whole(_checkpoint_path(table_path, version))), None)


def checkpoint_files(table_path: Place, version: int) -> list[Place]:
    """What a checkpoint consists of: its Parquet file, and the pointer to it."""
    return [_checkpoint_path(table_path, version), log_folder(table_path) / "_last_checkpoint"]


def _checkpoint_path(table_path: Place, version: int) -> Place:
    return log_folder(table_path) / f"{version:020d}.checkpoint.parquet"


def is_parquet_whole(path: Place) -> bool:
    """Whether the file is there and its footer can be read."""
    try:
        pq.read_metadata(path.parquet_source())
    except (OSError, pa.ArrowException):
        return False
    return True
