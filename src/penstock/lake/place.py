"""What the lake asks of its storage: a place is a file or a folder, on a disk or on an S3 API, and can do these few things.

A disk needs fsync, may leave a torn file behind, and locks with files; on S3 a PUT is whole and durable when it is answered, and
locks are leases. Everything else of the lake is the same on both.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import duckdb


class Gate(Protocol):
    """Who may write to a lake: everybody at once, or one alone. Whoever holds it may take it again."""

    @property
    def is_alone(self) -> bool:
        """Whether nobody else can write now."""

    def is_wanted(self) -> bool:
        """Whether somebody waits to be alone: who holds it for long ends early then."""

    def shared(self) -> AbstractContextManager[None]:
        """Write beside others; waits while somebody is alone or waits to be."""

    def alone(self) -> AbstractContextManager[None]:
        """Write while nobody else does; waits for those who have begun, and keeps all others waiting."""


class Place(Protocol):
    """A file or a folder of a lake. Whatever fails raises an OSError. As text it is what deltalake and DuckDB open."""

    @property
    def can_tear(self) -> bool:
        """Whether a power cut may leave a part of a file."""

    @property
    def name(self) -> str:
        """The last part."""

    @property
    def parent(self) -> "Place":
        """The folder that it lies in."""

    @property
    def delta_options(self) -> dict[str, str] | None:
        """What deltalake has to be told to open it."""

    def __truediv__(self, name: str) -> "Place": ...

    def __hash__(self) -> int: ...

    def __lt__(self, other: Any) -> bool: ...

    def is_file(self) -> bool:
        """Whether there is such a file."""

    def is_dir(self) -> bool:
        """Whether there is such a folder; on S3, whether anything lies in it."""

    def size_bytes(self) -> int:
        """How large the file is."""

    def modified_s(self) -> float:
        """When the file was written, in seconds since 1970."""

    def read_bytes(self) -> bytes:
        """All of the file."""

    def parquet_source(self) -> Any:
        """The file as pyarrow opens it to read a part of it."""

    def parquet_sink(self) -> AbstractContextManager[Any]:
        """The file, new, as pyarrow writes it; a folder that is missing is made."""

    def glob(self, pattern: str) -> Iterable["Place"]:
        """The files of a folder whose names fit; none where there is no folder."""

    def files(self) -> Sequence["Place"]:
        """Every file in a folder and in the folders below."""

    def make_folder(self) -> None:
        """Make the folder and those above where they are missing."""

    def replace_durably(self, content: bytes) -> None:
        """Put content under this name so that, whatever happens, either the old or the new is there, never a part."""

    def move_to(self, target: Any) -> None:
        """Move the file to another name in the same lake, for which the folder is there."""

    def unlink(self) -> None:
        """Delete the file."""

    def remove_all(self) -> None:
        """Delete the folder with all that is in it, if it is there."""

    def synchronise(self) -> None:
        """Bring the file, or the folder's list of names, to the disk."""

    def exclusively(self, name: str) -> AbstractContextManager[None]:
        """Hold the lock of this name in the folder, as one process at a time does."""

    def writers_gate(self) -> Gate:
        """The gate of the lake whose root this is."""

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a connection read files of this lake."""
