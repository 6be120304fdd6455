"""One Delta table held open: its snapshot is kept and brought up to date, and its commits are durable when they return.

A transaction (application, number) makes an append take effect once: deltalake's own is a conflict marker and no guard,
so what was reached is read from the very snapshot that the rows are then written against.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from penstock.errors import ConflictError, NotFoundError, StorageError
from penstock.lake.creation import empty_file
from penstock.lake.delta import add_action, commit, open_delta
from penstock.lake.durability import make_durable
from penstock.lake.log_repair import repair_log
from penstock.lake.parquet_file import write_parquet
from penstock.lake.place import Place
from penstock.lake.snapshot import Snapshot
from penstock.lake.storage_failure import storage_failures
from penstock.lake.tables import PARTITION, Table
from penstock.lake.transaction_log import CUT_FROM, CUT_TO, DataFile, LogEntry, entry_path, read_entry

_ATTEMPTS = 20  # of one append whose transaction others keep touching
_REOPEN_AFTER_COMMITS = 25  # a handle that stays open never reads a checkpoint, and each of its commits reads all entries since
_CONFLICT = "Concurrent transaction failed"


class OpenTable:
    """A table of the lake, opened at its first use and checked for a torn log entry then."""

    def __init__(self, root: Place, table: Table) -> None:
        self.root = root
        self.table = table
        self.path = root / table.name
        self._handle: DeltaTable | None = None
        self._opened_at = 0  # its version then
        self._reached: dict[str, tuple[int, int | None]] = {}  # by application: as of which version, and its number
        self._snapshot: Snapshot | None = None

    def latest(self) -> DeltaTable:
        """The table as it is now."""
        with storage_failures(f"open the table {self.table.name}", self.path):
            if self._handle is not None:
                if self._handle.version() - self._opened_at >= _REOPEN_AFTER_COMMITS:
                    self._handle = self._hold(open_delta(self.path))
                    return self._handle
                if self._is_latest(self._handle):
                    return self._handle
                with suppress(DeltaError):  # the entries between may have been cleaned up behind a checkpoint
                    self._handle.update_incremental()
                    if self._is_there(self._handle):  # deltalake finds nothing new in a table that is gone
                        return self._handle
            self._handle = self._open()
            return self._handle

    def _is_there(self, handle: DeltaTable) -> bool:
        return entry_path(self.path, handle.version()).is_file()

    def _is_latest(self, handle: DeltaTable) -> bool:
        """Whether no commit came after; on a disk deltalake takes a hundred times as long to say so.

        Commits are numbered without a gap and cleaned up from the first on, so the next is missing where this is the last, or
        where this is cleaned up as well.
        """
        return self._is_there(handle) and not entry_path(self.path, handle.version() + 1).is_file()

    def _open(self) -> DeltaTable:
        if not self.path.is_dir():
            raise NotFoundError(f"There is no table {self.table.name} at {self.path}; create the lake first.")
        repair_log(self.root, self.table.name)
        return self._hold(open_delta(self.path))

    def _hold(self, handle: DeltaTable) -> DeltaTable:
        self._opened_at = handle.version()
        return handle

    def snapshot(self) -> Snapshot:
        """The files of the latest version."""
        handle = self.latest()
        version = handle.version()
        if self._snapshot is None or self._snapshot.version != version:
            files = tuple(sorted(handle.file_uris()))
            empty = str(empty_file(self.root, self.table))
            self._snapshot = Snapshot(table=self.table, version=version, files=files, empty_file=empty)
        return self._snapshot

    def transaction_version(self, app: str) -> int | None:
        """The number that this application reached; None where it has none, or was set back to before its first."""
        return self._numbers([app])[1][app]

    def _numbers(self, apps: Iterable[str]) -> tuple[DeltaTable, dict[str, int | None]]:
        """The table as it is now, and what these applications have reached in it."""
        handle = self.latest()
        with storage_failures(f"open the table {self.table.name}", self.path):
            try:
                return handle, {app: self._number(handle, app) for app in apps}
            except (DeltaError, StorageError):  # the log's entries are read, which may have been cleaned up behind a checkpoint
                self._reached.clear()
                handle = self._handle = self._open()
                return handle, {app: self._number(handle, app) for app in apps}

    def _number(self, handle: DeltaTable, app: str) -> int | None:
        """deltalake reads every entry since the last checkpoint for it, each in another thread; here what is new is read."""
        version = handle.version()
        before = self._reached.get(app)
        goes_on = before is not None and before[0] <= version
        number = self._go_on(*before, version, app) if before and goes_on else handle.transaction_version(app)
        self._reached[app] = version, number
        return None if number is None or number < 0 else number

    def _go_on(self, after: int, number: int | None, version: int, app: str) -> int | None:
        for entry in range(after + 1, version + 1):
            number = read_entry(self.path, entry).transactions.get(app, number)
        return number

    def behind_cut(self, version: int | None) -> int | None:
        """Where a reader that has read up to this version goes on: behind the place where an erasure has cut the log."""
        if version is None:
            return None
        first, last = self.transaction_version(CUT_FROM), self.transaction_version(CUT_TO)
        return last if first is not None and last is not None and first <= version <= last else version

    def append(self, rows: pa.Table, transactions: Mapping[str, int]) -> int | None:
        """Commit rows and transactions together, durably; None where all transactions were reached before."""
        files: list[DataFile] | None = None
        for _ in range(_ATTEMPTS):
            handle, reached = self._numbers(transactions)
            if transactions and self._is_applied(transactions, reached):
                self._delete(files or [])
                return None
            if files is None:
                files = self._write(rows)
            token, before = uuid.uuid4().hex, handle.version()
            if not self._commit(handle, files, transactions, token):
                self._handle = None
                continue
            entry = self._find_commit(token, before, handle.version())
            make_durable(self.path, [entry])
            return entry.version
        self._delete(files or [])
        raise ConflictError(
            f"{_ATTEMPTS} appends to {self.table.name} for {', '.join(transactions)} each met another writer's commit; "
            "make sure that only one process writes under each of these names."
        )

    def _is_applied(self, transactions: Mapping[str, int], reached: Mapping[str, int | None]) -> bool:
        done = [app for app, number in transactions.items() if (mark := reached[app]) is not None and mark >= number]
        if done and len(done) < len(transactions):
            raise ConflictError(
                f"{self.table.name} has reached {', '.join(done)} but not the rest of {dict(transactions)}; "
                "transactions committed together stay together."
            )
        return bool(done)

    def _write(self, rows: pa.Table) -> list[DataFile]:
        """The rows in a file for each day, which count for nothing until a commit names them."""
        with storage_failures(f"append to {self.table.name}", self.path):
            written = [write_parquet(self.path, day, self.table, [of_day], data_change=True) for day, of_day in _by_day(rows)]
        return [file for file in written if file is not None]

    def _delete(self, files: Iterable[DataFile]) -> None:
        """Files that no commit names."""
        with storage_failures(f"append to {self.table.name}", self.path):
            for file in files:
                (self.path / file.path).unlink()

    def _commit(self, handle: DeltaTable, files: Iterable[DataFile], transactions: Mapping[str, int], token: str) -> bool:
        """False where another writer touched one of the transactions since the snapshot was taken."""
        with storage_failures(f"append to {self.table.name}", self.path):
            try:
                commit(handle, [add_action(file) for file in files], token=token, transactions=transactions)
            except CommitFailedError as error:
                if _CONFLICT in str(error):
                    return False
                raise
        return True

    def _find_commit(self, token: str, before: int, latest: int) -> LogEntry:
        """The commit with this token; others may have committed before it meanwhile."""
        for version in range(latest, before, -1):
            entry = read_entry(self.path, version)
            if entry.token == token:
                return entry
        raise StorageError(f"The commit just made to {self.path} is not in its log; is another program editing it?")


def _by_day(rows: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    days = rows.column(PARTITION)
    distinct: list[Any] = pc.unique(days).to_pylist()
    for day in sorted(distinct):
        yield day, rows if len(distinct) == 1 else rows.filter(pc.equal(days, pa.scalar(day)))
