"""One Delta table held open: its snapshot is kept and brought up to date, and its commits are durable when they return.

A transaction (application, number) makes an append take effect once: deltalake's own is a conflict marker and no guard,
so what was reached is read from the very snapshot that the rows are then written against.
"""

import uuid
from collections.abc import Mapping

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from penstock.errors import ConflictError, NotFoundError, StorageError
from penstock.lake.creation import empty_file
from penstock.lake.delta import open_delta
from penstock.lake.durability import make_durable
from penstock.lake.layout import writer_properties
from penstock.lake.log_repair import repair_log
from penstock.lake.place import Place
from penstock.lake.snapshot import Snapshot
from penstock.lake.storage_failure import storage_failures
from penstock.lake.tables import Table
from penstock.lake.transaction_log import COMMIT_TOKEN, CUT_FROM, CUT_TO, TRANSACTION_COUNT, LogEntry, read_entry

_ATTEMPTS = 20  # of one append whose transaction others keep touching
_CONFLICT = "Concurrent transaction failed"


class OpenTable:
    """A table of the lake, opened at its first use and checked for a torn log entry then."""

    def __init__(self, root: Place, table: Table) -> None:
        self.root = root
        self.table = table
        self.path = root / table.name
        self._handle: DeltaTable | None = None
        self._snapshot: Snapshot | None = None

    def latest(self) -> DeltaTable:
        """The table as it is now."""
        with storage_failures(f"open the table {self.table.name}", self.path):
            if self._handle is not None:
                try:
                    self._handle.update_incremental()
                    return self._handle
                except DeltaError:  # the entries between may have been cleaned up behind a checkpoint
                    self._handle = None
            self._handle = self._open()
            return self._handle

    def _open(self) -> DeltaTable:
        if not self.path.is_dir():
            raise NotFoundError(f"There is no table {self.table.name} at {self.path}; create the lake first.")
        repair_log(self.root, self.table.name)
        return open_delta(self.path)

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
        return _reached(self.latest(), app)

    def behind_cut(self, version: int | None) -> int | None:
        """Where a reader that has read up to this version goes on: behind the place where an erasure has cut the log."""
        if version is None:
            return None
        first, last = self.transaction_version(CUT_FROM), self.transaction_version(CUT_TO)
        return last if first is not None and last is not None and first <= version <= last else version

    def append(self, rows: pa.Table, transactions: Mapping[str, int]) -> int | None:
        """Commit rows and transactions together, durably; None where all transactions were reached before."""
        for _ in range(_ATTEMPTS):
            handle = self.latest()
            if transactions and self._is_applied(handle, transactions):
                return None
            token, before = uuid.uuid4().hex, handle.version()
            if not self._write(handle, rows, transactions, token):
                self._handle = None
                continue
            entry = self._find_commit(token, before, handle.version())
            make_durable(self.path, [entry])
            return entry.version
        raise ConflictError(
            f"{_ATTEMPTS} appends to {self.table.name} for {', '.join(transactions)} each met another writer's commit; "
            "make sure that only one process writes under each of these names."
        )

    def _is_applied(self, handle: DeltaTable, transactions: Mapping[str, int]) -> bool:
        reached = {app: _reached(handle, app) for app in transactions}
        done = [app for app, number in transactions.items() if (mark := reached[app]) is not None and mark >= number]
        if done and len(done) < len(transactions):
            raise ConflictError(
                f"{self.table.name} has reached {', '.join(done)} but not the rest of {dict(transactions)}; "
                "transactions committed together stay together."
            )
        return bool(done)

    def _write(self, handle: DeltaTable, rows: pa.Table, transactions: Mapping[str, int], token: str) -> bool:
        """False where another writer touched one of the transactions since the snapshot was taken."""
        properties = CommitProperties(
            custom_metadata={COMMIT_TOKEN: token, TRANSACTION_COUNT: len(transactions)},
            app_transactions=[Transaction(app, number) for app, number in transactions.items()],
        )
        with storage_failures(f"append to {self.table.name}", self.path):
            try:
                write_deltalake(
                    handle,
                    rows,
                    mode="append",
                    writer_properties=writer_properties(self.table),
                    commit_properties=properties,
                    post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
                )
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


def _reached(handle: DeltaTable, app: str) -> int | None:
    number = handle.transaction_version(app)
    return None if number is None or number < 0 else number
