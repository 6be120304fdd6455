"""The ingest door: everything that is ever stored of a request or a report comes through here, is redacted here, and is on disk
when the answer says so. The gateway's captures never wait: what does not fit is counted, and the rest carries the share kept.
"""

import asyncio
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from penstock.errors import BadInputError, SpoolFullError
from penstock.ingest.arrivals import Arrival, Arrivals, when_all_done
from penstock.ingest.decode import Decoded, decode_logs, decode_traces
from penstock.ingest.decode_bodies import decode_bodies
from penstock.ingest.flush import FlushThread
from penstock.ingest.policy import Policy
from penstock.ingest.redact import Redaction
from penstock.ingest.redact_rows import redact_rows
from penstock.ingest.relayed import restore_spans
from penstock.ingest.spool import Spool
from penstock.lake.arrow_schema import from_arrow
from penstock.policy_settings import PolicySettings
from penstock.records.clock import WriterClock
from penstock.records.feedback import Feedback, TargetKind
from penstock.records.span import Span

CAPTURE_BATCH = 256
SPANS_TOGETHER = 4096  # of one request, so that a huge one is not in memory several times at once
CAPTURE_PAUSE_S = 0.02
LOSS_WINDOW_S = 60.0

logger = logging.getLogger(__name__)


class Accepted(Struct, frozen=True):
    """What became of one request; all that was accepted is on disk."""

    rejected: int = 0
    message: str = ""


class Door:
    """One edge worker's door into its spool."""

    def __init__(
        self,
        spool: Spool,
        redaction: Redaction,
        clock: WriterClock,
        *,
        capture_queue: int,
        flush: FlushThread | None = None,
        policy: Policy | None = None,
        feedback_targets: Collection[TargetKind] = tuple(TargetKind),
    ) -> None:
        """Without a policy everything is stored whole, and nowhere else; feedback on other targets is refused."""
        self._feedback_targets = frozenset(feedback_targets)
        self._policy = policy or Policy(PolicySettings(), b"", {})
        self._spool = spool
        self._redaction = redaction
        self._clock = clock
        self._flush = flush
        self._captures: deque[Span] = deque()
        self._capture_limit = capture_queue
        self._window: deque[tuple[float, int, int]] = deque()  # when, kept, lost
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._captured = threading.Event()  # wakes who writes captures; where there are none it costs nothing
        self._counts = {"spans": 0, "feedback": 0, "rejected": 0, "captures": 0, "captures_lost": 0}
        self._dialects: Counter[str] = Counter()
        self._arrivals: Arrivals[Accepted] = Arrivals(self._take_arrivals)
        self._capturer = threading.Thread(target=self._run_captures, name="capture", daemon=True)
        self._capturer.start()

    async def accept_traces(self, request: Any) -> Accepted:
        """Put the spans of an ExportTraceServiceRequest, parsed or as its protobuf, on disk; BadInputError where it is none."""
        if isinstance(request, bytes):
            return await asyncio.wrap_future(self._arrivals.put(request))
        return await self._accept(decode_traces(request, self._clock.known_at()))

    async def accept_logs(self, request: Any) -> Accepted:
        """Put the records of an ExportLogsServiceRequest on disk."""
        return await self._accept(decode_logs(request, self._clock.known_at()))

    async def accept_feedback(self, feedback: Sequence[Feedback]) -> list[str]:
        """Put reports on disk and give the ids under which they stand, in their order.

        BadInputError where what this door leads to cannot take one of them.
        """
        for report in feedback:
            if report.target_kind not in self._feedback_targets:
                raise BadInputError(self._refusal(report))
        known = [msgspec.structs.replace(item, known_at=self._clock.known_at()) for item in feedback]
        redacted, written = self._put_feedback(known)
        await asyncio.gather(*map(asyncio.wrap_future, written))
        self._note_accepted(Decoded(feedback=redacted))
        return [report.feedback_id for report in redacted]

    def offer_span(self, span: Span) -> bool:
        """Take a capture without waiting; False where the queue is full and it is lost."""
        with self._lock:
            kept = len(self._captures) < self._capture_limit and not self._stop.is_set()
            if kept:
                self._captures.append(span)
                self._counts["captures"] += 1
            else:
                self._counts["captures_lost"] += 1
            self._note(int(kept), int(not kept))
        self._captured.set()
        return kept

    def status(self) -> Mapping[str, Any]:
        """Counts since the start, what waits, and what the flusher last failed with."""
        with self._lock:
            counts: dict[str, Any] = {**self._counts, "dialects": dict(self._dialects)}
            waiting = len(self._captures)
        return {
            **counts,
            "captures_waiting": waiting,
            "spool_bytes": self._spool.size_bytes,
            "spool_max_bytes": self._spool.max_bytes,
            "flushed_rows": self._flush.flushed_rows if self._flush else 0,
            f"{self._flush.destination if self._flush else 'lake'}_error": self._flush.failure if self._flush else None,
            "policy": self._policy.status(),
        }

    def close(self, timeout_s: float) -> None:
        """Write the captures that wait, flush, and close the spool."""
        self._stop.set()
        self._captured.set()
        self._arrivals.close(timeout_s)
        self._capturer.join(timeout_s)
        deadline = time.monotonic() + timeout_s
        if self._flush is not None:
            self._flush.stop(timeout_s)
        self._policy.close(max(1.0, deadline - time.monotonic()))
        self._spool.close(delete_if_empty=True)

    async def _accept(self, decoded: Decoded) -> Accepted:
        await asyncio.gather(*(asyncio.wrap_future(future) for future in self._put(decoded)))
        return self._note_accepted(decoded)

    def _take_arrivals(self, arrivals: Sequence[Arrival[Accepted]]) -> None:
        """Have the bodies of several requests written together, or else each by itself, so that none fails for another's sake."""
        try:
            self._take_together(arrivals)
            return
        except Exception:
            if len(arrivals) == 1:
                raise
        for arrival in arrivals:
            try:
                self._take_together([arrival])
            except Exception as error:  # noqa: BLE001 - its sender is told
                arrival.answer.set_exception(error)

    def _take_together(self, arrivals: Sequence[Arrival[Accepted]]) -> None:
        """Each is answered once everything that was written with it is on disk; nobody is where it raises."""
        decoded = decode_bodies([arrival.body for arrival in arrivals], self._clock.known_at())
        rows = self._put_rows(decoded.rows) if decoded.rows is not None and decoded.rows.num_rows else []
        for future in rows:
            if future.done():
                future.result()  # refused at once, as where the spool is full for all of them together
        self._note_dialects(decoded.rows)
        for arrival, request in zip(arrivals, decoded.requests, strict=True):
            try:
                written = [*rows, *self._put(request)]
            except Exception as error:  # noqa: BLE001 - its sender is told
                arrival.answer.set_exception(error)
            else:
                when_all_done(written, partial(self._answer, arrival.answer, request))

    def _answer(self, answer: "Future[Accepted]", request: Decoded, failure: BaseException | None) -> None:
        if failure is not None:
            answer.set_exception(failure)
        else:
            answer.set_result(self._note_accepted(request))

    def _put(self, decoded: Decoded) -> "list[Future[None]]":
        written: list[Future[None]] = []
        for first in range(0, len(decoded.spans), SPANS_TOGETHER):
            written += self._put_spans(restore_spans(decoded.spans[first : first + SPANS_TOGETHER]))
        self._refuse_feedback(decoded)
        if decoded.feedback:
            written += self._put_feedback(decoded.feedback)[1]
        return written

    def _put_feedback(self, feedback: Sequence[Feedback]) -> "tuple[list[Feedback], list[Future[None]]]":
        redacted = self._redaction.redact_feedback(feedback)
        return redacted, self._policy.put_feedback(redacted, self._spool.put)

    def _refuse_feedback(self, decoded: Decoded) -> None:
        """Reject, among what came with spans, the reports that what this door leads to cannot take."""
        refused = [report for report in decoded.feedback if report.target_kind not in self._feedback_targets]
        if refused:
            decoded.feedback = [report for report in decoded.feedback if report.target_kind in self._feedback_targets]
            decoded.rejected += len(refused)
            decoded.problems += [self._refusal(report) for report in refused]

    def _refusal(self, report: Feedback) -> str:
        known = ", ".join(sorted(self._feedback_targets))
        return f"This relay takes no feedback on a {report.target_kind}, since its backend knows only {known}."

    def _note_accepted(self, decoded: Decoded) -> Accepted:
        with self._lock:
            self._dialects.update([span.dialect for span in decoded.spans])
            self._counts["spans"] += len(decoded.spans) + decoded.rows
            self._counts["feedback"] += len(decoded.feedback)
            self._counts["rejected"] += decoded.rejected
        return Accepted(decoded.rejected, decoded.message)

    def _note_dialects(self, rows: Any) -> None:
        if rows is not None:
            with self._lock:
                self._dialects.update(rows.column("dialect").to_pylist())

    def _put_rows(self, rows: pa.RecordBatch) -> "list[Future[None]]":
        """Spans that are rows; where each has to be looked at, as records."""
        if self._policy.takes_rows:
            return [self._spool.put("spans", redact_rows(self._redaction, rows))]
        return self._put_spans(from_arrow(Span, pa.Table.from_batches([rows])))

    def _put_spans(self, spans: Sequence[Span]) -> "list[Future[None]]":
        return self._policy.put_spans(spans, self._redaction.redact_spans, self._spool.put)

    def _run_captures(self) -> None:
        while True:
            is_last = self._stop.is_set()
            while batch := self._take_captures():
                self._write_captures(batch)
            if is_last:
                return
            self._captured.wait()
            self._stop.wait(CAPTURE_PAUSE_S)  # others come meanwhile, and share what a batch costs
            self._captured.clear()

    def _take_captures(self) -> list[Span]:
        with self._lock:
            probability = self._kept_share()
            count = min(CAPTURE_BATCH, len(self._captures))
            taken = [self._captures.popleft() for _ in range(count)]
        known_at = self._clock.known_at()
        return [msgspec.structs.replace(span, known_at=known_at, capture_probability=probability) for span in taken]

    def _write_captures(self, batch: list[Span]) -> None:
        try:
            for written in self._put_spans(batch):
                written.result()
            return
        except SpoolFullError as error:
            logger.warning("%s captures were lost: %s", len(batch), error)
        except Exception:
            # One capture that cannot be written must not end the thread that writes all others.
            logger.exception("%s captures were lost", len(batch))
        with self._lock:
            self._counts["captures_lost"] += len(batch)
            self._counts["captures"] -= len(batch)
            self._note(-len(batch), len(batch))

    def _note(self, kept: int, lost: int) -> None:
        now = time.monotonic()
        if self._window and now - self._window[-1][0] < 1.0:
            when, before_kept, before_lost = self._window[-1]
            self._window[-1] = (when, before_kept + kept, before_lost + lost)
        else:
            self._window.append((now, kept, lost))
        while now - self._window[0][0] > LOSS_WINDOW_S:
            self._window.popleft()

    def _kept_share(self) -> float:
        """The share of captures kept in the last minute: the probability with which any of them was."""
        kept = sum(item[1] for item in self._window)
        lost = sum(item[2] for item in self._window)
        return kept / (kept + lost) if kept + lost > 0 and kept > 0 else 1.0
