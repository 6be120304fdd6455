"""The flusher: moves a spool to the lake in large files, each batch exactly once.

A batch's number is its transaction in the lake. One that was claimed before a crash is looked for there: found and whole, it is
done; found torn, it is taken back; then it is written, through the transaction that refuses a second time.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from penstock.errors import BadInputError, PenstockError
from penstock.ingest.scrub import Scrubber
from penstock.ingest.spool import Batch, Spool, adopt_spools
from penstock.ingest.tombstones import drop_erased
from penstock.lake.lake import Lake

ADOPT_INTERVAL_S = 30.0
_MOST_BACKOFF_S = 30.0

logger = logging.getLogger(__name__)


class Flusher:
    """Flushes one worker's spool and those it adopts; used by one thread at a time."""

    def __init__(self, lake: Lake, spool: Spool, max_rows: int, adopted: Sequence[Spool] = ()) -> None:
        self._lake = lake
        self._spool = spool
        self._adopted = list(adopted)
        self._max_rows = max_rows
        self._scrubber = Scrubber(lake.root)
        self._recovered: set[str] = set()
        self.failure: str | None = None  # why the lake took nothing just now
        self.flushed_rows = 0
        self.refused_rows = 0

    def adopt(self, folder: Path, max_bytes: int) -> int:
        """Take over spools whose process has died since; how many."""
        found = adopt_spools(folder, max_bytes)
        self._adopted.extend(found)
        return len(found)

    def run_once(self) -> int:
        """Flush everything that waits now; how many rows. What the lake refuses for now is raised, and stays in the spool."""
        for spool in (self._spool, *self._adopted):
            self._scrubber.scrub(spool)
        flushed = self._flush_spool(self._spool)
        failures: list[PenstockError] = []
        for spool in list(self._adopted):
            try:
                flushed += self._flush_spool(spool)
            except PenstockError as error:
                failures.append(error)  # a damaged spool must not keep the others from the lake
                continue
            self._adopted.remove(spool)
            spool.close(delete_if_empty=True)
        if failures:
            raise failures[0]
        return flushed

    def waiting_rows(self) -> int:
        """Rows in all its spools."""
        return sum(spool.waiting_rows() for spool in (self._spool, *self._adopted))

    def close(self) -> None:
        """Let go of adopted spools; what is left in them is adopted again."""
        for spool in self._adopted:
            spool.close(delete_if_empty=True)
        self._adopted.clear()

    def _flush_spool(self, spool: Spool) -> int:
        if spool.app not in self._recovered:
            self._recover(spool)
            self._recovered.add(spool.app)
        flushed, newest = 0, spool.newest()  # what comes meanwhile shares the next commit: of many small ones each costs as much
        while (batch := spool.claim(self._max_rows, newest)) is not None:
            try:
                rows = self._flush_batch(spool, batch)
            except Exception:
                self._recovered.discard(spool.app)  # the commit may be there and not yet durable: look before the next try
                raise
            flushed += rows
            self.flushed_rows += rows
        return flushed

    def _recover(self, spool: Spool) -> None:
        """Settle what became of the batch that was being written when its process ended."""
        batch = spool.claim(self._max_rows)
        if batch is None:
            return
        self._lake.repair(batch.table)
        version = self._lake.find_commit(batch.table, spool.app, batch.number)
        if version is None:
            return
        if self._lake.is_intact(batch.table, version):
            self._lake.make_durable(batch.table, version)
            spool.finish(batch)
        else:
            self._lake.quarantine_commit(batch.table, version)

    def _flush_batch(self, spool: Spool, batch: Batch) -> int:
        """Write a batch and forget it; bodies that do not fit its table are put aside, the others go as one commit.

        What an erasure has forgotten is dropped here, within the same hold on the lake, so that no erasure can come between.
        """
        with self._lake.writing():
            tombstones = self._scrubber.tombstones()
            rows = self._read_batch(spool, batch)
            if rows is not None:
                rows = drop_erased(batch.table, rows, tombstones)
                self._lake.append(batch.table, rows, transactions={spool.app: batch.number})
        spool.finish(batch)
        return rows.num_rows if rows is not None else 0

    def _read_batch(self, spool: Spool, batch: Batch) -> pa.Table | None:
        """The rows of all bodies that fit their table; None where not one does. Only if they do not all, each is looked at."""
        bodies = spool.bodies(batch)
        try:
            rows = pa.concat_tables([_read(body.batch) for body in bodies])
            return self._lake.check(batch.table, rows.combine_chunks())  # many short chunks take longer to write than to join
        except (BadInputError, pa.ArrowException):
            pass
        fitting: list[pa.Table] = []
        for body in bodies:
            try:
                fitting.append(self._lake.check(batch.table, _read(body.batch)))
            except BadInputError as error:
                spool.put_aside(batch, body, str(error))
                self.refused_rows += body.rows
        return pa.concat_tables(fitting) if fitting else None


def _read(batch: bytes) -> pa.Table:
    try:
        return pa.ipc.open_stream(batch).read_all()
    except (pa.ArrowException, OSError) as error:
        raise BadInputError(f"The body is not readable as Arrow: {error}.") from error


class Emptier(Protocol):
    """What empties a spool: into the lake, or into another backend."""

    flushed_rows: int
    refused_rows: int  # for good

    def adopt(self, folder: Path, max_bytes: int) -> int:
        """Take over spools whose process has died since; how many."""

    def run_once(self) -> int:
        """Move everything that waits now; how many rows."""

    def close(self) -> None:
        """Let go of adopted spools."""


class FlushThread:
    """Runs a flusher every few seconds until it is stopped; a lake that is down is tried again, ever more seldom."""

    def __init__(
        self, build: Callable[[], Emptier], interval_s: float, folder: Path, max_bytes: int, destination: str = "lake"
    ) -> None:
        """`build` is called in the thread, since a lake is used by one thread."""
        self.destination = destination
        self._build = build
        self._interval_s = interval_s
        self._folder = folder
        self._max_bytes = max_bytes
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flusher", daemon=True)
        self.failure: str | None = None
        self.flushed_rows = 0
        self.refused_rows = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Have it flush once more and end, without waiting for that."""
        self._stop.set()
        self._wake.set()

    def stop(self, timeout_s: float) -> None:
        """Flush once more and end, after at most so many seconds; the rest stays in the spool."""
        self.ask_to_stop()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        pause = self._interval_s
        flusher: Emptier | None = None
        looked_at = time.monotonic()
        while True:
            is_last = self._stop.is_set()
            try:
                flusher = flusher or self._build()
                if time.monotonic() - looked_at > ADOPT_INTERVAL_S:
                    looked_at = time.monotonic()
                    flusher.adopt(self._folder, self._max_bytes)
                flusher.run_once()
                self.flushed_rows, self.refused_rows = flusher.flushed_rows, flusher.refused_rows
                self.failure, pause = None, self._interval_s
            except Exception as error:  # noqa: BLE001
                if flusher is not None:
                    self.flushed_rows, self.refused_rows = flusher.flushed_rows, flusher.refused_rows
                # The spool keeps everything, so that whatever the lake failed with can be tried again.
                self._note(error)
                pause = min(_MOST_BACKOFF_S, max(pause, 0.1) * 2)
            if is_last:
                if flusher is not None:
                    flusher.close()
                return
            self._wake.wait(pause)

    def _note(self, error: Exception) -> None:
        if self.failure is None:
            unforeseen = not isinstance(error, PenstockError)
            logger.error("The %s takes nothing; it is kept: %s", self.destination, error, exc_info=unforeseen)
        self.failure = str(error)
