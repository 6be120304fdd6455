"""Pulls outcomes on a schedule: each source in a thread of its own, so that one that hangs delays neither settling nor another.

A source that fails is logged once, shown by `penstock outcomes sources`, and tried again, ever more seldom.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime

from penstock.errors import ConflictError, PenstockError
from penstock.ingest.redact import Redaction
from penstock.outcomes.pull import Puller, Source, load_sources
from penstock.outcomes.pull_state import PullState, StateFile
from penstock.records.clock import utc_now
from penstock.worker.stores import Stores

FIRST_RETRY_S = 10.0
LONGEST_RETRY_S = 3600.0

logger = logging.getLogger(__name__)


def pull_threads(stores: Stores) -> "list[PullThread]":
    """A thread for every source that is set, not yet started. Raises ConfigurationError."""
    return [PullThread(source, stores) for source in load_sources(stores.settings.pulls).values()]


def join_all(threads: "list[PullThread]", timeout_s: float) -> None:
    """Wait until all have ended, or for so many seconds together; what is left comes at the next start."""
    deadline = time.monotonic() + timeout_s
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def wait_s(state: PullState, every_s: float, now: datetime) -> float:
    """How long a source may still wait; after failures longer and longer, whatever its interval."""
    if state.last_run_at is None:
        return 0.0
    pause_s = every_s
    if state.failures:
        longest_s = max(every_s, LONGEST_RETRY_S)
        pause_s = min(longest_s, FIRST_RETRY_S * 2.0 ** min(state.failures - 1, 20))
    # A clock that was set back must not keep a source waiting beyond its interval.
    return min(pause_s, max(0.0, pause_s - (now - state.last_run_at).total_seconds()))


class PullThread:
    """Pulls one source until it is told to stop."""

    def __init__(self, source: Source, stores: Stores, clock: Callable[[], datetime] = utc_now) -> None:
        self._source = source
        self._stores = stores
        self._file = StateFile(stores.settings.home_path, source.name)
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"pull-{source.name}", daemon=True)
        self.failure: str | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Have it end after the batch that is under way."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        """Wait until it has."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        puller: Puller | None = None
        while not self._stop.wait(self._pause_s()):
            try:
                puller = puller or self._build()
                pulled = puller.pull(self._source, self._file, self._stop.is_set)
            except Exception as error:  # noqa: BLE001
                # The state says what was committed; the next try goes on from there.
                self._note(error)
                continue
            self.failure = None
            if pulled.rows:
                unread = sum(pulled.unreadable.values())
                logger.info("Pulled %s: %s rows, %s reports, %s unreadable", pulled.name, pulled.rows, pulled.reports, unread)

    def _build(self) -> Puller:
        """Built in the thread, since a lake is used by one."""
        redaction = Redaction(self._stores.redactor, self._stores.settings.policy.redact.hashed_keys)
        return Puller(self._stores.open_lake(), redaction, self._stores.clock, os.environ)

    def _pause_s(self) -> float:
        try:
            pause_s = wait_s(self._file.load(), self._source.settings.every_s, self._clock())
        except PenstockError as error:
            has_failed_before = self.failure is not None
            self._note(error)
            return LONGEST_RETRY_S if has_failed_before else FIRST_RETRY_S
        return pause_s if self.failure is None else max(pause_s, FIRST_RETRY_S)

    def _note(self, error: Exception) -> None:
        if self.failure != str(error):
            if isinstance(error, ConflictError):
                logger.warning("Pulling %s waits: %s", self._source.name, error)
            else:
                unforeseen = not isinstance(error, PenstockError)
                logger.error("Pulling %s failed; it is tried again: %s", self._source.name, error, exc_info=unforeseen)
        self.failure = str(error)
