"""How far a table has been pulled, kept on disk.

What is about to be committed to the lake is noted first, with the number of its commit. So a pull killed at any moment knows at
its next start whether that commit was made, and no row comes twice or never.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from penstock.errors import ConflictError, StorageError
from penstock.lake.durability import make_folder

FOLDER = "pulls"


class PullState(Struct, frozen=True, kw_only=True):
    """What is known of one source."""

    identity: str = ""  # of table and mapping; another one is read from its beginning
    number: int = 0  # of its last commit to the lake
    watermark: str | None = None  # every row below is done, and of those at it the ones in the `.seen` file
    seen_number: int = 0  # which `.seen` file
    seen_bytes: int = 0  # how much of it counts
    rows: int = 0
    reports: int = 0
    unreadable: dict[str, int] = {}  # reason -> how many reports
    unmarked: int = 0  # rows without a watermark, as of the last run
    last_run_at: datetime | None = None
    last_error: str | None = None
    failures: int = 0  # in a row
    pending: "PullState | None" = None  # what holds once the commit of its number is made


class StateFile:
    """The state of one source."""

    def __init__(self, home: Path, name: str) -> None:
        self._folder = home / FOLDER
        self._name = name
        self.path = self._folder / f"{name}.json"

    def load(self) -> PullState:
        """What was kept last; an empty state where nothing was."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=PullState)
        except FileNotFoundError:
            return PullState()
        except msgspec.MsgspecError as error:
            raise StorageError(
                f"{self.path} is damaged ({error}). Delete it: its source is read anew, and each report still counts once."
            ) from error
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read: {error.strerror}.") from error

    def save(self, state: PullState) -> None:
        """Keep a state, durably, whole or not at all."""
        fresh = self.path.with_name(f"{self.path.name}.new")
        try:
            make_folder(self._folder)
            with fresh.open("wb") as file:
                file.write(msgspec.json.encode(state))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except OSError as error:
            raise StorageError(f"{self.path} cannot be written: {error.strerror}.") from error

    def load_seen(self, state: PullState) -> set[str]:
        """The rows at the watermark that are done."""
        if state.seen_bytes == 0:
            return set()
        try:
            with self._seen(state.seen_number).open("rb") as file:
                return set(file.read(state.seen_bytes).decode("ascii").split())
        except (OSError, UnicodeDecodeError) as error:
            raise StorageError(f"{self._seen(state.seen_number)} cannot be read: {error}; delete it and {self.path}.") from error

    def add_seen(self, state: PullState, digests: Iterable[str], *, is_more: bool) -> tuple[int, int]:
        """Add to the rows at the watermark, or begin those at a new one; gives the new `seen_number` and `seen_bytes`."""
        content = "".join(f"{digest}\n" for digest in digests).encode()
        number, kept = (state.seen_number, state.seen_bytes) if is_more else (state.seen_number + 1, 0)
        try:
            make_folder(self._folder)
            with self._seen(number).open("r+b" if kept else "wb") as file:
                file.truncate(kept)  # what a killed pull had written behind does not count
                file.seek(kept)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(f"{self._seen(number)} cannot be written: {error.strerror}.") from error
        return number, kept + len(content)

    def forget_seen(self, kept: int) -> None:
        """Delete the `.seen` files of earlier watermarks."""
        for path in self._folder.glob(f"{self._name}.*.seen"):
            if path != self._seen(kept):
                path.unlink(missing_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only process that pulls this source; the kernel gives the lock up when the process is gone."""
        make_folder(self._folder)
        with (self._folder / f"{self._name}.lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConflictError(f"Another process is pulling {self._name}; wait until it is done.") from error
            yield

    def _seen(self, number: int) -> Path:
        return self._folder / f"{self._name}.{number}.seen"
