"""A place on a disk: a path, with fsync, and locks that die with their process."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import PosixPath
from typing import Any

import duckdb
import pyarrow as pa

from penstock.lake.durability import make_folder, replace_durably, synchronise
from penstock.lake.place import Gate
from penstock.lake.writers_gate import WritersGate


class LocalPlace(PosixPath):
    """A path, which is what a place on a disk can do, and the little that it cannot."""

    can_tear = True
    delta_options: dict[str, str] | None = None

    def size_bytes(self) -> int:
        """How large the file is."""
        return self.stat().st_size

    def modified_s(self) -> float:
        """When the file was written, in seconds since 1970."""
        return self.stat().st_mtime

    def parquet_source(self) -> Any:
        """The path, which pyarrow opens."""
        return self

    def parquet_sink(self) -> AbstractContextManager[Any]:
        """Written without the interpreter, and not fsynced, no more than a folder that was made for it."""
        self.parent.mkdir(parents=True, exist_ok=True)
        return pa.OSFile(str(self), "wb")

    def files(self) -> "list[LocalPlace]":
        """Every file in a folder and in the folders below."""
        return [path for path in self.rglob("*") if path.is_file()] if self.is_dir() else []

    def make_folder(self) -> None:
        """Make the folder and those above where they are missing, for good."""
        make_folder(self)

    def replace_durably(self, content: bytes) -> None:
        """Write beside, fsync, rename."""
        replace_durably(self, content)

    def move_to(self, target: "LocalPlace") -> None:
        """Rename."""
        self.replace(target)

    def remove_all(self) -> None:
        """Delete the folder with all that is in it, if it is there."""
        shutil.rmtree(self, ignore_errors=True)

    def synchronise(self) -> None:
        """Fsync."""
        synchronise(self)

    @contextmanager
    def exclusively(self, name: str) -> Iterator[None]:
        """Hold a file lock."""
        descriptor = os.open(self / name, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def writers_gate(self) -> Gate:
        """Two file locks."""
        return WritersGate(self)

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """DuckDB reads a disk by itself."""
