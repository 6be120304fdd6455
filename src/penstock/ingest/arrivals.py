"""Request bodies on their way into the spool: whatever arrives while others are worked on is worked on together, in one thread.

A request alone waits for nobody; the more there are, the more share what each batch costs.
"""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from msgspec import Struct

from penstock.errors import SpoolFullError

Answer = TypeVar("Answer")
MOST_WAITING_BYTES = 256 * 1024 * 1024
MOST_BYTES = 4 * 1024 * 1024  # of bodies that are worked on together, but for one that is longer by itself
_MOST_WAIT_S = 0.005
_REMEMBERED = 8

logger = logging.getLogger(__name__)


class Arrival(Struct, Generic[Answer], frozen=True):
    """One body, and who waits for what becomes of it."""

    body: bytes
    answer: "Future[Answer]"


class Arrivals(Generic[Answer]):
    """A queue of bodies and the thread that works on them."""

    def __init__(self, work: Callable[[Sequence[Arrival[Answer]]], None]) -> None:
        """`work` answers every arrival it is given, now or later; if it raises, those without an answer get the error."""
        self._work = work
        self._queue: queue.SimpleQueue[Arrival[Answer] | None] = queue.SimpleQueue()
        self._together = deque([1], maxlen=_REMEMBERED)  # how many bodies the last batches had
        self._lock = threading.Lock()
        self._waiting = 0  # bytes that are queued or worked on
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="decoder", daemon=True)
        self._thread.start()

    def put(self, body: bytes) -> "Future[Answer]":
        """Have a body worked on; its answer is SpoolFullError where too much waits already, or after close()."""
        answer: Future[Answer] = Future()
        with self._lock:
            if self._closed or (self._waiting and self._waiting + len(body) > MOST_WAITING_BYTES):
                answer.set_exception(
                    SpoolFullError(
                        f"{self._waiting} bytes of requests wait to be decoded, and no more are taken; send again later."
                    )
                )
                return answer
            self._waiting += len(body)
            self._queue.put(Arrival(body, answer))  # under the lock: never behind the end that close() puts
        return answer

    def close(self, timeout_s: float) -> None:
        """Work on what waits, and end."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        is_last = False
        while not is_last and (first := self._queue.get()) is not None:
            batch, is_last = self._gather(first)
            self._together.append(len(batch))
            # Whoever has gone away waits for nothing, and will send it again.
            wanted = [arrival for arrival in batch if arrival.answer.set_running_or_notify_cancel()]
            try:
                if wanted:
                    self._work(wanted)
            except BaseException as error:  # a panic in Rust is no Exception
                # Nothing that one batch holds may end the thread that takes all others.
                logger.exception("%s requests were not taken", len(wanted))
                for arrival in wanted:
                    if not arrival.answer.done():
                        arrival.answer.set_exception(error)
            with self._lock:
                self._waiting -= sum(len(arrival.body) for arrival in batch)
            del first, batch, wanted  # nothing of them is kept in memory until the next ones come

    def _gather(self, first: Arrival[Answer]) -> tuple[list[Arrival[Answer]], bool]:
        """Everything that waits already, as far as it fits; whether the end came with it."""
        batch, size = [first], len(first.body)
        deadline = time.monotonic() + _MOST_WAIT_S
        # Senders that were answered together send together again, a little apart; alone, nobody waits.
        wanted = max(self._together)
        while size < MOST_BYTES:
            wait_s = deadline - time.monotonic() if len(batch) < wanted else 0.0
            try:
                arrival = self._queue.get(timeout=wait_s) if wait_s > 0 else self._queue.get_nowait()
            except queue.Empty:
                return batch, False
            if arrival is None:
                return batch, True
            batch.append(arrival)
            size += len(arrival.body)
        return batch, False


def when_all_done(written: Sequence["Future[None]"], then: Callable[[BaseException | None], None]) -> None:
    """Call once all futures are done, with the first failure among them; in whichever thread does the last.

    A future keeps its callbacks when it is done, so none of them knows the futures: in a circle all that they hold would stay in
    memory until the next collection, which an edge makes seldom.
    """
    left, failure = len(written), None
    lock = threading.Lock()

    def one_done(future: "Future[None]") -> None:
        nonlocal left, failure
        with lock:
            left -= 1
            failure = failure or future.exception()
            is_last = left == 0
        if is_last:
            then(failure)

    if not written:
        then(None)
    for future in written:
        future.add_done_callback(one_done)
