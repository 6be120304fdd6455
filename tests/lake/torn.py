"""What a power cut does to files that were written and not fsynced."""

import os
from pathlib import Path

from penstock.lake.transaction_log import entry_path, read_entry


def tear_entry(table_path: Path, version: int, keep: float) -> bytes:
    """Cut a log entry down to a share of its bytes; gives what it was."""
    path = entry_path(table_path, version)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    return content


def files_of(table_path: Path, version: int) -> list[Path]:
    """The files that a commit added."""
    return [table_path / file.path for file in read_entry(table_path, version).adds]


def tear_file(path: Path, keep: float) -> None:
    """Cut a file down to a share of its bytes."""
    os.truncate(path, int(path.stat().st_size * keep))
