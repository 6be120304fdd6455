"""How far a file has been replayed, kept on disk so that a replay can be stopped at any moment and started again.

`rows` only grows past rows that were all acknowledged or rejected; the file is replaced as a whole, after the rejects it counts.
"""

import hashlib
import json
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from penstock.errors import StorageError
from penstock.records.ids import digest
from penstock.replay.compressed import reading
from penstock.replay.location import Location, S3Object


class Rejected(Struct, frozen=True, kw_only=True):
    """A row, or with no number a whole file, that could not be sent; the reason quotes nothing that it holds."""

    file: str
    row: int | None
    reason: str


class Progress(Struct, frozen=True, kw_only=True):
    """What a progress file holds."""

    file: str
    rows: int = 0  # every row up to this one is done
    sent: int = 0
    feedback: int = 0
    rejected: int = 0
    watermark: str | None = None  # of a table: every row below it is done, and of those at it the ones in the `.seen` file


class ProgressFile:
    """The progress of one file under one mapping towards one edge, and beside it the rows that were rejected."""

    def __init__(self, folder: Path, key: str, file: str) -> None:
        self.path = folder / f"{key}.json"
        self.rejects_path = folder / f"{key}.rejects.jsonl"
        self.seen_path = folder / f"{key}.seen"
        self._empty = Progress(file=file)

    def load(self, *, restart: bool) -> Progress:
        """What is done; forgets it first where asked to. Rejects written after the last save are dropped: they come again."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if restart or not self.path.exists():
                self.path.unlink(missing_ok=True)
                self.rejects_path.unlink(missing_ok=True)
                self.seen_path.unlink(missing_ok=True)
                return self._empty
            progress = msgspec.json.decode(self.path.read_bytes(), type=Progress)
        except msgspec.MsgspecError as error:
            raise StorageError(f"The progress file {self.path} is damaged ({error}); start again with --restart.") from error
        except OSError as error:
            raise StorageError(f"The progress file {self.path} cannot be read: {error}.") from error
        self._drop_rejects_after(progress.rows)
        return progress

    def save(self, progress: Progress, rejected: list[Rejected]) -> None:
        """Add rejects, then replace the progress; both are on disk when this returns."""
        try:
            if rejected:
                with self.rejects_path.open("ab") as file:
                    file.write(b"".join(msgspec.json.encode(reject) + b"\n" for reject in rejected))
                    file.flush()
                    os.fsync(file.fileno())
            self._replace(self.path, msgspec.json.encode(progress))
        except OSError as error:
            raise StorageError(f"The progress file {self.path} cannot be written: {error}. What was sent stays sent.") from error

    def load_seen(self) -> set[str]:
        """The digests of the rows at the watermark that are done; some may stand at a higher one, and are done as well."""
        try:
            return set(self.seen_path.read_text(encoding="ascii").split()) if self.seen_path.exists() else set()
        except (OSError, UnicodeDecodeError) as error:
            raise StorageError(f"{self.seen_path} cannot be read: {error}; start again with --restart.") from error

    def save_seen(self, digests: list[str], *, is_more: bool) -> None:
        """Add to the rows at the watermark, or begin those at a new one; on disk when this returns."""
        content = "".join(f"{digest}\n" for digest in digests).encode()
        try:
            if not is_more:
                self._replace(self.seen_path, content)
                return
            with self.seen_path.open("ab") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(f"{self.seen_path} cannot be written: {error}. What was sent stays sent.") from error

    def _drop_rejects_after(self, rows: int) -> None:
        if not self.rejects_path.exists():
            return
        kept = []
        for line in self.rejects_path.read_bytes().splitlines(keepends=True):
            try:
                reject = json.loads(line)
            except ValueError:
                continue  # torn by the kill that this start follows
            if reject["row"] is not None and reject["row"] <= rows:
                kept.append(line)
        self._replace(self.rejects_path, b"".join(kept))

    def _replace(self, path: Path, content: bytes) -> None:
        fresh = path.with_name(path.name + ".new")
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


def progress_key(path: Location, mapping: str, edge_url: str) -> str:
    """Names a replay by what the file holds, the mapping and the edge; not by where the file lies, but for S3."""
    if isinstance(path, S3Object):
        return digest(path.fingerprint(), mapping, edge_url)
    with reading(path), path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return digest(content, mapping, edge_url)
