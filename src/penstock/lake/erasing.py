"""Erasing rows for good: out of the files that count, out of those that no longer do, and out of the log behind them.

Whoever calls this writes alone, and every reader has read what there is: the log is cut behind a mark from which readers go on.
A commit of an erasure names files and no values, and statistics are kept of times alone, so nothing personal is left in the log.
"""

import duckdb
from deltalake import PostCommitHookProperties

from penstock.errors import ConflictError
from penstock.lake.delta import commit, open_delta
from penstock.lake.durability import make_durable
from penstock.lake.maintenance import unread_files
from penstock.lake.open_table import OpenTable
from penstock.lake.place import Place
from penstock.lake.rewriting import clear_scratch, find_rows, rewrite_files
from penstock.lake.snapshot import source_sql
from penstock.lake.storage_failure import storage_failures
from penstock.lake.transaction_log import (
    CUT_FROM,
    CUT_TO,
    checkpoint_files,
    entry_path,
    list_versions,
    log_folder,
    read_entry,
)

_NO_HOOKS = {"create_checkpoint": False, "cleanup_expired_logs": False}


def erase_rows(opened: OpenTable, condition: str, connection: duckdb.DuckDBPyConnection) -> int:
    """Write every file that holds such a row again without it; how many rows went."""
    snapshot = opened.snapshot()
    with storage_failures(f"erase from {opened.table.name}", opened.path):
        places = f"SELECT file_index, file_row_number FROM {source_sql(snapshot)} WHERE {condition}"
        erased = find_rows(connection, snapshot, places)
        if erased:
            rewrite_files(opened.root, opened.table, sorted(erased), erased)
        return sum(map(len, erased.values()))


def purge_table(opened: OpenTable, slowest: int | None) -> int:
    """Delete every file that does not count and the log up to now; how many data files went.

    `slowest` is the version that its slowest reader has read up to. Raises ConflictError where a reader has rows left to read.
    """
    path = opened.path
    with storage_failures(f"purge {opened.table.name}", path):
        handle = opened.latest()
        version = handle.version()
        if slowest is not None and unread_files(path, slowest):
            raise ConflictError(
                f"A reader of {opened.table.name} has read up to version {slowest} of {version}; what it has left would be lost. "
                "Run `penstock signals run` and erase again."
            )
        gone = handle.vacuum(
            retention_hours=0,
            dry_run=False,
            full=True,
            enforce_retention_duration=False,
            post_commithook_properties=PostCommitHookProperties(**_NO_HOOKS),
        )
        _cut_log(path, version if slowest is None else slowest)
    return len(gone)


def clear_quarantine(root: Place) -> int:
    """Delete what repairs have put aside, which nobody can read well enough to say whose it is; how many files went."""
    clear_scratch(root)
    folder = root / "_quarantine"
    files = len(folder.files())
    folder.remove_all()
    return files


def _cut_log(path: Place, read_up_to: int) -> None:
    """Checkpoint, and delete every entry before; whoever had read up to then, or further, goes on behind the cut."""
    handle = open_delta(path)
    last = handle.version()
    commit(handle, [], token=f"cut-{last}", transactions={CUT_FROM: min(read_up_to, last), CUT_TO: last})
    make_durable(path, [read_entry(path, handle.version())])
    handle.create_checkpoint()
    for file in checkpoint_files(path, handle.version()):
        file.synchronise()
    log_folder(path).synchronise()
    old = [entry_path(path, version) for version in list_versions(path) if version < handle.version()]
    old += [file for file in log_folder(path).glob("*.checkpoint.parquet") if int(file.name[:20]) < handle.version()]
    for file in old:
        file.unlink()
    log_folder(path).synchronise()
