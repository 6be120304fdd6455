"""Keeping a table fast and small beside its writers: compaction, checkpoints, vacuum, log clean-up.

Nothing that a reader has not read yet is deleted: readers keep their watermark as a transaction `reader:<table>:<who>`,
and the slowest holds everything back. Whatever replaces something is on the disk before that something may go.
"""

import math
import time
from collections import Counter
from collections.abc import Iterable

from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake.exceptions import CommitFailedError
from msgspec import Struct

from penstock.lake.changes import new_rows_of
from penstock.lake.delta import open_delta
from penstock.lake.durability import make_durable, make_log_durable
from penstock.lake.layout import writer_properties
from penstock.lake.log_repair import repairing
from penstock.lake.place import Place
from penstock.lake.storage_failure import storage_failures
from penstock.lake.tables import PARTITION, Table, source_of
from penstock.lake.transaction_log import (
    all_transactions,
    checkpoint_files,
    last_checkpoint,
    list_entries,
    list_versions,
    log_folder,
    read_entry,
)
from penstock.settings import LakeSettings

LOG_KEPT_S = 2 * 3600.0  # so long may a program take to open the table; `known_at` serves every look further back
_SMALL_BYTES = 32 * 1024 * 1024
_NO_HOOKS = {"create_checkpoint": False, "cleanup_expired_logs": False}


class Maintained(Struct, frozen=True, kw_only=True):
    """What was done for one table."""

    table: str
    compacted: int = 0  # files that were replaced by fewer
    checkpoint: int | None = None  # its version, where one was made
    vacuumed: int = 0  # files deleted
    cleaned: int = 0  # log entries deleted
    folded: int = 0  # rows dropped that nobody may ask for any more
    expired: int = 0  # rows dropped because their table keeps no longer
    held_back: bool = False  # a reader still needs what could have been deleted by now


def slowest_readers(root: Place, tables: Iterable[Table]) -> dict[str, int]:
    """Of each table that is read by watermark, the lowest version that one of its readers has read up to."""
    slowest: dict[str, int] = {}
    for table in tables:
        path = root / table.name
        with storage_failures(f"find the readers of {table.name}", path):
            reached = all_transactions(path)
        for app, number in reached.items():
            source = source_of(app)
            if source is not None:
                slowest[source] = min(number, slowest.get(source, number))
    return slowest


def maintain_table(root: Place, table: Table, settings: LakeSettings, slowest: int | None) -> Maintained:
    """Compact, checkpoint, vacuum and clean up one table; runs beside appends, and beside no other maintenance."""
    path = root / table.name
    with storage_failures(f"maintain {table.name}", path):
        handle = open_delta(path)
        compacted = sum(_compact(handle, path, table, day) for day in _crowded_days(handle, settings.compact_after_files))
        with repairing(root):
            checkpoint = _checkpoint(handle, path, settings.checkpoint_after_commits)
            vacuumed, held_back = _vacuum(handle, path, settings.vacuum_after_h, slowest)
            cleaned = _clean_log(path, slowest)
    return Maintained(
        table=table.name,
        compacted=compacted,
        checkpoint=checkpoint,
        vacuumed=vacuumed,
        cleaned=cleaned,
        held_back=held_back,
    )


def checkpoint_tables(root: Place, tables: Iterable[Table], after_commits: int) -> list[str]:
    """Checkpoint what has that many commits since it last was; gives its names. Beside appends, as maintenance is.

    What a commit costs grows with the entries behind the last checkpoint: a hundred of them cost four times as much as twenty.
    """
    due = [table for table in tables if _commits_since_checkpoint(root / table.name) >= after_commits]
    for table in due:
        path = root / table.name
        with storage_failures(f"checkpoint {table.name}", path), repairing(root):
            _checkpoint(open_delta(path), path, after_commits)
    return [table.name for table in due]


def _commits_since_checkpoint(path: Place) -> int:
    with storage_failures("look for checkpoints", path):
        return max(list_versions(path), default=0) - (last_checkpoint(path) or 0)


def _crowded_days(handle: DeltaTable, most_files: int) -> list[str]:
    """Partitions with more small files than there may be."""
    adds = handle.get_add_actions(flatten=True)
    days = [str(day) for day in adds.column(f"partition.{PARTITION}").to_pylist()]
    sizes = adds.column("size_bytes").to_pylist()
    counts = Counter(day for day, size in zip(days, sizes, strict=True) if size < _SMALL_BYTES)
    return sorted(day for day, count in counts.items() if count > most_files)


def _compact(handle: DeltaTable, path: Place, table: Table, day: str) -> int:
    before = handle.version()
    try:
        result = handle.optimize.compact(
            partition_filters=[(PARTITION, "=", day)],
            max_concurrent_tasks=1,  # in the background: one file at a time, in the memory of one
            writer_properties=writer_properties(table),
            commit_properties=CommitProperties(),
            post_commithook_properties=PostCommitHookProperties(**_NO_HOOKS),
        )
    except CommitFailedError:  # an erasure or a repair changed the same files: the next round sees what is left
        return 0
    make_durable(path, [read_entry(path, version) for version in range(before + 1, handle.version() + 1)])
    return int(result["numFilesRemoved"])


def _checkpoint(handle: DeltaTable, path: Place, after_commits: int) -> int | None:
    handle.update_incremental()
    last = last_checkpoint(path)
    if handle.version() - (last or 0) < after_commits:
        return None
    handle.create_checkpoint()
    for file in checkpoint_files(path, handle.version()):
        file.synchronise()
    log_folder(path).synchronise()
    return handle.version()


def _vacuum(handle: DeltaTable, path: Place, after_h: float, slowest: int | None) -> tuple[int, bool]:
    """Never a full one, which takes files that a slow writer has not committed yet."""
    hours = math.ceil(after_h)
    doomed = handle.vacuum(retention_hours=hours, dry_run=True, enforce_retention_duration=False)
    if not doomed:
        return 0, False
    if slowest is not None and not unread_files(path, slowest).isdisjoint(doomed):
        return 0, True
    before = handle.version()
    handle.vacuum(
        retention_hours=hours,
        dry_run=False,
        enforce_retention_duration=False,
        post_commithook_properties=PostCommitHookProperties(**_NO_HOOKS),
    )
    handle.update_incremental()
    make_log_durable(path, range(before + 1, handle.version() + 1))
    return len(doomed), False


def unread_files(path: Place, slowest: int) -> set[str]:
    """Files that brought rows which the slowest reader has not read yet."""
    unread = [version for version in list_versions(path) if version > slowest]
    return {file.path for version in unread for file in new_rows_of(read_entry(path, version))}


def _clean_log(path: Place, slowest: int | None) -> int:
    """Entries that a durable checkpoint covers, that every reader has read, and that no program can still be opening."""
    checkpoint = last_checkpoint(path)
    if checkpoint is None:
        return 0
    keep_from = checkpoint if slowest is None else min(checkpoint, slowest + 1)
    before = time.time() - LOG_KEPT_S
    old = [entry for version, entry in list_entries(path).items() if version < keep_from]
    gone = [entry for entry in old if entry.modified_s() < before]
    superseded = [file for file in log_folder(path).glob("*.checkpoint.parquet") if int(file.name[:20]) < checkpoint]
    for file in (*gone, *(file for file in superseded if file.modified_s() < before)):
        file.unlink()
    log_folder(path).synchronise()
    return len(gone)
