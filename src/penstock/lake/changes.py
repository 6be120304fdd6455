"""What is new since a version: the rows of the files that later commits added, not those that a compaction moved.

A version handed out here is durable: a reader that keeps it as its watermark can never, after a power cut, find another
commit under the same number and pass it by.
"""

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
from msgspec import Struct

from penstock.errors import StorageError
from penstock.lake.durability import make_log_durable
from penstock.lake.parquet_file import read_files
from penstock.lake.place import Place
from penstock.lake.snapshot import Snapshot, rows_sql
from penstock.lake.storage_failure import storage_failures
from penstock.lake.transaction_log import DataFile, LogEntry, entry_path, read_entry

# Of files that are read in one piece where rows are counted: long texts take many times that in memory.
MOST_BYTES = 128 * 1024 * 1024


class Changes(Struct, frozen=True, kw_only=True):
    """Rows that are new, and the version up to which they are all there is."""

    rows: pa.Table
    version: int
    files: tuple[str, ...] = ()  # that the rows lie in
    later: tuple[str, ...] = ()  # that commits after the version have brought


class NewFiles(Struct, frozen=True, kw_only=True):
    """Files that are new, and the version up to which they are all there is."""

    files: tuple[str, ...]
    version: int
    later: tuple[str, ...] = ()  # that commits after the version have brought


def read_changes(
    path: Place,
    snapshot: Snapshot,
    after: int | None,
    columns: Sequence[str] | None,
    max_rows: int | None,
    query: Callable[[str], pa.Table],
) -> Changes:
    """Rows of commits after a version, whole commits only: as many as fit into max_rows (and MOST_BYTES), at least one.

    Without a version, from the beginning; in one piece if the beginning of the log is gone.
    """
    with storage_failures(f"read what is new in {snapshot.table.name}", path):
        new = find_new_files(path, snapshot, after, max_rows)
        if columns is None:
            rows = read_files(path, snapshot.table, new.files)
        else:
            found = Snapshot(table=snapshot.table, version=new.version, files=new.files, empty_file=snapshot.empty_file)
            rows = query(rows_sql(found, columns))
        return Changes(rows=rows, version=new.version, files=new.files, later=new.later)


def find_new_files(path: Place, snapshot: Snapshot, after: int | None, max_rows: int | None) -> NewFiles:
    """The files behind read_changes."""
    start = -1 if after is None else after
    if start > snapshot.version:
        raise StorageError(
            f"{snapshot.table.name} is at version {snapshot.version} and was read up to {start}: it is not the table that was "
            "read. Restore the right one, or set the reader back."
        )
    if start < snapshot.version and not entry_path(path, start + 1).is_file():
        if after is not None:
            raise StorageError(
                f"The log of {snapshot.table.name} after version {after} has been cleaned up, so what is new since is not "
                "known. Set this reader back to its beginning."
            )
        return NewFiles(files=snapshot.files, version=snapshot.version)
    entries = [read_entry(path, version) for version in range(start + 1, snapshot.version + 1)]
    make_log_durable(path, [entry.version for entry in entries])
    taken = list(_first_commits(entries, max_rows))
    gone = _withdrawn(entries)
    files, later = (
        tuple(str(path / file.path) for entry in some for file in new_rows_of(entry) if file.path not in gone)
        for some in (taken, entries[len(taken) :])
    )
    return NewFiles(files=files, version=taken[-1].version if taken else start, later=later)


def new_rows_of(entry: LogEntry) -> list[DataFile]:
    """The files by which a commit brought rows."""
    return [file for file in entry.adds if file.data_change]


def _first_commits(entries: list[LogEntry], max_rows: int | None) -> Iterator[LogEntry]:
    rows = size = 0
    for entry in entries:
        new = new_rows_of(entry)
        added, bytes_added = sum(file.rows for file in new), sum(file.size or 0 for file in new)
        if max_rows is not None and rows and added and (rows + added > max_rows or size + bytes_added > MOST_BYTES):
            return
        rows, size = rows + added, size + bytes_added
        yield entry


def _withdrawn(entries: list[LogEntry]) -> set[str]:
    """Files whose rows a later commit took back, as a quarantine or an erasure does; a compaction takes nothing back."""
    return {file.path for entry in entries for file in entry.removes if file.data_change}
