"""Nothing is fsynced while it is written: after a commit, its data files, its log entry and their folders are fsynced here.
On S3 none of this is needed, and a place there does nothing when it is asked to.

A commit counts as durable only once this has returned.
"""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from penstock.lake.place import Place
from penstock.lake.storage_failure import storage_failures
from penstock.lake.transaction_log import LogEntry, entry_path, log_folder


def make_durable(table_path: Place, entries: Iterable[LogEntry]) -> None:
    """Bring commits to the disk: files first, then the entries that speak of them, then the folders of both."""
    entries = list(entries)
    files = [table_path / file.path for entry in entries for file in entry.adds]
    with storage_failures("bring a commit to the disk", table_path):
        for path in files:
            path.synchronise()
        for folder in sorted({path.parent for path in files}):
            folder.synchronise()
        table_path.synchronise()  # it names a day's folder; an entry must not be there before what it speaks of
        for entry in entries:
            entry_path(table_path, entry.version).synchronise()
        log_folder(table_path).synchronise()


def make_log_durable(table_path: Place, versions: Iterable[int]) -> None:
    """Bring log entries to the disk, so that a version read from them cannot name another commit after a power cut."""
    with storage_failures("bring the log to the disk", table_path):
        for version in versions:
            entry_path(table_path, version).synchronise()
        log_folder(table_path).synchronise()


def synchronise(path: Path) -> None:
    """fsync a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, so that it is still there after a power cut."""
    missing = [folder for folder in (path, *path.parents) if not folder.is_dir()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing or [path]:  # one that is there may have been made by another process a moment ago
        synchronise(folder.parent)


def replace_durably(path: Path, content: bytes) -> None:
    """Put content under a name so that after a power cut either the old or the new is there, never a part."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.writing")  # others may be writing the same
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    synchronise(path.parent)
