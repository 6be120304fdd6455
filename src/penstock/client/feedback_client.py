"""A client that keeps no caller waiting: reports wait in a bounded queue, and one thread sends them, many at once.

Each has its idempotency key before it is first sent, so that one sent twice counts once.
"""

import atexit
import json
import logging
import os
import random
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self, Unpack

from penstock.client.report import About, build_report, read_name, require_number
from penstock.client.transport import TOO_LARGE, Answer, Loss, Transport, find_losses, pause_s

_LAST_WORD_S = 0.5  # for the thread to say why it gave up
_MOST_REASONS = 20
_MAX_BATCH_BYTES = 1024 * 1024
_OUTCOME_PREFIX = "outcome."

logger = logging.getLogger("penstock.client")


class LostReportsError(Exception):
    """Reports that will not arrive: how many, and why."""

    def __init__(self, reasons: Mapping[str, int]) -> None:
        self.reasons = dict(reasons)
        self.count = sum(self.reasons.values())
        told = "; ".join(f"{count} because {reason}" for reason, count in self.reasons.items())
        super().__init__(f"{self.count} reports are lost: {told}")


class FeedbackClient:
    """Sends reports to one edge; for use by many threads, and in processes that fork."""

    def __init__(
        self,
        edge_url: str = "http://127.0.0.1:4318",
        *,
        api_key: str | None = None,
        interval_s: float = 1.0,
        max_batch: int = 500,
        max_queued_bytes: int = 16 * 1024 * 1024,
        timeout_s: float = 10.0,
        on_lost: Callable[[Sequence[Mapping[str, Any]], str], None] | None = None,
    ) -> None:
        """`on_lost` gets reports that will not arrive and why, in whichever thread finds out."""
        self._transport = Transport(edge_url, api_key)
        self._interval_s = interval_s
        self._max_batch = max_batch
        self._max_queued_bytes = max_queued_bytes
        self._timeout_s = timeout_s
        self._on_lost = on_lost
        self._begin()
        os.register_at_fork(after_in_child=partial(_begin_in_child, weakref.ref(self)))
        atexit.register(self._close_at_exit)

    def _begin(self) -> None:
        """Start from nothing, as a forked child must: what its parent had queued is the parent's to send."""
        self._changed = threading.Condition()  # guards everything below
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._under_way: list[bytes] = []
        self._lost: Counter[str] = Counter()
        self._is_telling = False  # of losses that are counted already
        self._hurrying = 0  # callers of flush
        self._closes_at: float | None = None  # when closing gives up
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def copy(self, text: str | None = None, **about: Unpack[About]) -> None:
        """The answer, or this part of it, was copied."""
        self.report("copy", 1, text, **about)

    def edit(self, final_text: str, **about: Unpack[About]) -> None:
        """The answer was changed, and this is what was kept."""
        self.report("edited", None, final_text, **about)

    def offer(self, **about: Unpack[About]) -> None:
        """The answer was shown, and nobody has decided about it yet."""
        self.report("offered", **about)

    def silent(self, **about: Unpack[About]) -> None:
        """The model chose to offer nothing."""
        self.report("silent", 1, **about)

    def accept(self, part: str | None = None, **about: Unpack[About]) -> None:
        """The answer was accepted as offered, or this part of it."""
        if part is None:
            self.report("accepted", 1, **about)
        else:
            self.report("partly_accepted", None, part, **about)

    def reject(self, **about: Unpack[About]) -> None:
        """The answer was rejected."""
        self.report("rejected", 0, **about)

    def ignore(self, **about: Unpack[About]) -> None:
        """The answer was seen and passed over."""
        self.report("ignored", 0, **about)

    def revert(self, **about: Unpack[About]) -> None:
        """The answer had been accepted and was taken out again."""
        self.report("reverted", 0, **about)

    def retention(
        self, delay_s: int, share: float | None = None, standing_text: str | None = None, **about: Unpack[About]
    ) -> None:
        """So long after it was accepted this share of the answer still stood, from 0 to 1, or this text."""
        require_number(delay_s, "delay of a retention")
        if delay_s < 0:
            raise ValueError(f"A retention is looked at after its acceptance, not {delay_s} seconds after; send 0 or more.")
        if share is not None:
            require_number(share, "share of a retention")
            if not 0 <= share <= 1:
                raise ValueError(f"A share runs from 0 to 1, not {share}.")
        about["metadata"] = {**(about.get("metadata") or {}), "delay_s": str(int(delay_s))}
        self.report("retention", share, standing_text, **about)

    def regenerate(self, **about: Unpack[About]) -> None:
        """Somebody asked for another answer to the same request."""
        self.report("regenerate", 1, **about)

    def rating(self, value: float, comment: str | None = None, **about: Unpack[About]) -> None:
        """Somebody said how good it was, from -1 to 1, or whether it was good."""
        if isinstance(value, bool):
            value = 1 if value else -1
        require_number(value, "rating")
        if not -1 <= value <= 1:
            raise ValueError(
                f"A rating runs from -1 to 1, not {value}; for other scales, use report with the name score or stars."
            )
        self.report("rating", value, comment, **about)

    def comment(self, text: str, **about: Unpack[About]) -> None:
        """Somebody said this of it, without a rating."""
        self.report("comment", None, text, **about)

    def outcome(self, name: str, value: float | None = None, text: str | None = None, **about: Unpack[About]) -> None:
        """What became of it later: outcome("tests", 1) is reported as outcome.tests, and so is outcome("outcome.tests", 1)."""
        bare = read_name(name, "name of an outcome").removeprefix(_OUTCOME_PREFIX)
        self.report(_OUTCOME_PREFIX + read_name(bare, "name of an outcome"), value, text, **about)

    def dwell(self, seconds: float, **about: Unpack[About]) -> None:
        """How long somebody had it before their eyes."""
        require_number(seconds, "dwell")
        if seconds < 0:
            raise ValueError(f"A dwell of {seconds} seconds cannot be; send 0 or more.")
        self.report("dwell", seconds, **about)

    def left(self, **about: Unpack[About]) -> None:
        """Somebody left while it was before them."""
        self.report("left", 1, **about)

    def report(self, name: str, value: float | None = None, text: str | None = None, **about: Unpack[About]) -> None:
        """Queue a report of any name. Raises ValueError for what the edge would refuse, and never waits."""
        content = build_report(name, value, text, about)
        with self._changed:
            if self._closes_at is not None:
                raise RuntimeError(f"The client is closed, so this report about {name!r} cannot be sent.")
            is_taken = self._queued_bytes + len(content) <= self._max_queued_bytes
            if is_taken:
                self._queue.append(content)
                self._queued_bytes += len(content)
                self._start_thread()
                self._changed.notify_all()
        if not is_taken:
            self._lose([content], f"the queue is full, with {self._max_queued_bytes} bytes")

    def flush(self, timeout_s: float = 30.0) -> None:
        """Wait until everything queued is sent. Raises LostReportsError for what was lost since last asked, or TimeoutError."""
        with self._changed:
            self._hurrying += 1
            self._changed.notify_all()
            is_done = self._changed.wait_for(self._is_idle, timeout_s)
            self._hurrying -= 1
            waiting = len(self._queue) + len(self._under_way)
        self._raise_losses()
        if not is_done:
            raise TimeoutError(f"{waiting} reports still wait after {timeout_s} s; the client goes on trying to send them.")

    def close(self, timeout_s: float = 10.0) -> None:
        """Send what is queued and end; what cannot be sent in this time is lost. Raises LostReportsError as `flush` does."""
        atexit.unregister(self._close_at_exit)
        with self._changed:
            if self._closes_at is None:
                self._closes_at = time.monotonic() + timeout_s
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_s + _LAST_WORD_S)
        with self._changed:
            self._is_closed = True
            unanswered, unsent = list(self._under_way), list(self._queue)
            self._under_way, self._queue, self._queued_bytes = [], deque(), 0
        self._lose(unanswered, "the client was closed before the edge had answered")
        self._lose(unsent, "the client was closed before it could be sent")
        self._raise_losses()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            self.close()
        except LostReportsError:
            if kind is None:
                raise  # else the error that ended the block says more, and the loss is in the log

    def _close_at_exit(self) -> None:
        try:
            self.close()
        except LostReportsError:
            return  # told in the log when it happened

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="penstock-feedback", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while batch := self._next_batch():
            self._send(batch)

    def _next_batch(self) -> list[bytes]:
        """Wait for reports, and a little longer for more of them; nothing when the client is to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closes_at is not None)
            self._changed.wait_for(self._must_send, self._interval_s)
            batch: list[bytes] = []
            size = 0
            while self._queue and len(batch) < self._max_batch and not self._gives_up():
                if batch and size + len(self._queue[0]) > _MAX_BATCH_BYTES:
                    break
                batch.append(self._queue.popleft())
                size += len(batch[-1])
            self._queued_bytes -= size
            self._under_way = list(batch)
            return batch

    def _is_idle(self) -> bool:
        return not (self._queue or self._under_way or self._is_telling)

    def _must_send(self) -> bool:
        is_full = len(self._queue) >= self._max_batch or self._queued_bytes >= _MAX_BATCH_BYTES
        return is_full or self._hurrying > 0 or self._closes_at is not None

    def _gives_up(self) -> bool:
        return self._closes_at is not None and time.monotonic() >= self._closes_at

    def _send(self, batch: list[bytes]) -> None:
        """Send until the edge has decided about every report, or closing gives up."""
        failures = 0
        while (answer := self._post(batch)).invites_another_try:
            if failures == 0:
                logger.warning("%s reports wait for another try: %s", len(batch), answer.reason())
            pause = pause_s(failures, answer.retry_after, datetime.now(UTC), random.random())  # noqa: S311  # no secret
            failures += 1
            if not self._rest(pause):
                self._settle(batch, [(batch, f"the client was closed before it could be sent; {answer.reason()}")])
                return
        if answer.status == TOO_LARGE and len(batch) > 1:
            half = len(batch) // 2
            self._send(batch[:half])
            self._send(batch[half:])
        else:
            self._settle(batch, find_losses(batch, answer))

    def _post(self, batch: Iterable[bytes]) -> Answer:
        closes_at = self._closes_at
        left_s = self._timeout_s if closes_at is None else closes_at - time.monotonic()
        return self._transport.post(b"[" + b",".join(batch) + b"]", max(0.05, min(self._timeout_s, left_s)))

    def _rest(self, seconds: float) -> bool:
        """Wait so long, but not beyond the end; tells whether it is worth another try."""
        until = time.monotonic() + seconds
        with self._changed:
            while (left_s := until - time.monotonic()) > 0:
                if self._closes_at is not None:
                    left_s = min(left_s, self._closes_at - time.monotonic())
                if self._gives_up():
                    return False
                self._changed.wait(max(0.0, left_s))
            return not self._gives_up()

    def _settle(self, batch: Sequence[bytes], losses: Iterable[Loss]) -> None:
        """Count what became of a batch, unless closing did not wait for it and has counted it."""
        with self._changed:
            if self._is_closed:
                return
            del self._under_way[: len(batch)]
            news = [(loss, self._count(*loss)) for loss in losses]
            self._is_telling = True
        for loss, is_news in news:
            self._tell(*loss, is_news=is_news)
        with self._changed:
            self._is_telling = False
            self._changed.notify_all()

    def _lose(self, reports: Sequence[bytes], reason: str) -> None:
        if reports:
            self._tell(reports, reason, is_news=self._count(reports, reason))

    def _count(self, reports: Sequence[bytes], reason: str) -> bool:
        """Note a loss; tells whether it is the first for this reason."""
        with self._changed:
            is_news = reason not in self._lost
            is_counted_apart = not is_news or len(self._lost) < _MOST_REASONS
            self._lost[reason if is_counted_apart else "of other reasons, which the log has"] += len(reports)
            return is_news

    def _tell(self, reports: Sequence[bytes], reason: str, *, is_news: bool) -> None:
        if is_news:
            logger.warning("Feedback is lost: %s", reason)
        if self._on_lost is not None:
            try:
                self._on_lost([json.loads(report) for report in reports], reason)
            except Exception:
                logger.exception("on_lost failed")

    def _raise_losses(self) -> None:
        with self._changed:
            lost, self._lost = self._lost, Counter()
        if lost:
            raise LostReportsError(lost)


def _begin_in_child(client: "weakref.ref[FeedbackClient]") -> None:
    if (found := client()) is not None:
        found._begin()
