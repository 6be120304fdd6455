"""Reading in a process of its own, at a lower priority: where cores are short, the edge and settling come first.

The worker starts it, starts it anew when it dies, and asks it to read at once where a turn needs that. It reads by itself every
few seconds, too.
"""

import fcntl
import logging
import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Self

from penstock.child_process import end_with_parent
from penstock.errors import PenstockError, StorageError
from penstock.worker.reading import Reading
from penstock.worker.repeat import STOP_S, Repeat
from penstock.worker.stores import Stores

CHECKPOINT_INTERVAL_S = 10.0
MAINTENANCE_INTERVAL_S = 60.0
MODEL_INTERVAL_S = 60.0
LOCK = "reading.lock"
# Of two that want a core the one at 0 gets all but a seventieth: what is read comes late under a load that lasts, and does come.
_NICENESS = 19
_POLL_S = 0.2
_RESTART_S = 1.0

logger = logging.getLogger(__name__)


class ReadingProcess:
    """The worker's end: reads in the other process, from any thread."""

    def __init__(self, open_stores: Callable[[], Stores], holder: str) -> None:
        """`open_stores` is called in the other process, so it can be pickled."""
        self._open_stores = open_stores
        self._holder = holder
        self._context = multiprocessing.get_context("spawn")
        self._read_at = self._context.RawValue("d", -math.inf)
        self._asking = threading.Lock()
        self._stopping = threading.Event()
        self._process, self._connection = self._start()
        self._keeper = threading.Thread(target=self._keep, name="reading", daemon=True)
        self._keeper.start()

    @property
    def pid(self) -> int | None:
        """The id of the process that reads now."""
        return self._process.pid

    @property
    def read_at(self) -> float:
        """When what had been settled was last read, by `time.monotonic`, which all processes of a machine share."""
        return float(self._read_at.value)

    def read(self) -> bool:
        """Read what was settled when this began; False where another worker holds the lease.

        Raises what reading raised, as StorageError what is not ours or where the process ends meanwhile.
        """
        with self._asking:
            try:
                self._connection.send(None)
                answer: bool | PenstockError = self._connection.recv()
            except (EOFError, OSError) as error:
                raise StorageError(
                    "The process that reads signals has ended meanwhile; it is started anew, try again."
                ) from error
        if isinstance(answer, PenstockError):
            raise answer
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End after the steps that are under way."""
        self._stopping.set()
        self._keeper.join()
        self._process.terminate()
        self._process.join(STOP_S)
        if self._process.is_alive():
            self._process.kill()  # what it had not committed is read again
            self._process.join()
        self._connection.close()

    def _start(self) -> tuple[SpawnProcess, Connection]:
        here, there = self._context.Pipe()
        process = self._context.Process(
            target=run_reading, args=(self._open_stores, self._holder, there, self._read_at), name="reading"
        )
        process.start()
        there.close()
        return process, here

    def _keep(self) -> None:
        while not self._stopping.is_set():
            self._process.join(_POLL_S)
            if self._process.is_alive() or self._stopping.is_set():
                continue
            logger.error(
                "The process that reads signals ended with exit code %s; another takes its place", self._process.exitcode
            )
            if not self._stopping.wait(_RESTART_S):
                with self._asking:
                    self._connection.close()
                    self._process, self._connection = self._start()


def run_reading(open_stores: Callable[[], Stores], holder: str, asked: Connection, read_at: Any) -> None:
    """The other end: read every few seconds, and when asked to, until told to stop or the worker is gone."""
    end_with_parent()
    os.nice(_NICENESS)
    stopping = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; the worker gets it, too, and tells this process
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    stores = open_stores()
    with only_reader(stores.settings.home_path):
        reading = Reading(stores, holder)

        def read() -> bool:
            done = reading.read()
            read_at.value = reading.read_at
            return done

        repeats = [
            Repeat("Reading signals", read, stores.settings.ingest.settle_interval_s),
            Repeat("Checkpoints", reading.checkpoint, CHECKPOINT_INTERVAL_S),
            Repeat("Maintenance", reading.maintain, MAINTENANCE_INTERVAL_S),
        ]
        if stores.settings.label_model.every_h > 0:
            repeats.append(Repeat("Label model", reading.model, MODEL_INTERVAL_S))
        for repeat in repeats:
            repeat.start()
        with suppress(EOFError, OSError):  # the worker is gone
            while not stopping.is_set():
                if asked.poll(_POLL_S):
                    asked.recv()
                    asked.send(_answer(read))
        for repeat in repeats:
            repeat.stop()
    logging.shutdown()
    # A step under way would keep the interpreter alive until it is done; it is done again at the next start.
    os._exit(0)


def _answer(read: Callable[[], bool]) -> bool | PenstockError:
    try:
        return read()
    except PenstockError as error:
        return error
    except Exception as error:
        logger.exception("Reading signals failed")
        return StorageError(f"Reading signals failed with {type(error).__name__}; see the worker's log.")


@contextmanager
def only_reader(home: Path) -> Iterator[None]:
    """Wait until no other process reads this home: one of a worker that was killed may have a step to end."""
    with (home / LOCK).open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
