"""Empties a spool into another backend: what the lake is to the flusher, an OTLP endpoint is to this.

A batch is forgotten once the backend has answered for all of it, so after a crash it is sent twice; the receiver knows a span by
its ids and a report by its idempotency key. What a backend refuses for good is put aside with its reason.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from penstock.errors import BadInputError
from penstock.formats.otlp_export import export_evaluations, export_events, export_feedback, export_spans
from penstock.ingest.otlp_exporter import LOGS, TRACES, OtlpExporter, Sent, TooLargeError
from penstock.ingest.scrub import Scrubber
from penstock.ingest.spool import Batch, Body, Spool, adopt_as
from penstock.ingest.tombstones import drop_erased
from penstock.lake.arrow_schema import from_arrow
from penstock.records.feedback import Feedback
from penstock.records.span import Span

MOST_ROWS = 1_000  # in one request
_MOST_BYTES = 3 * 1024 * 1024  # under the 4 MiB that many receivers take

logger = logging.getLogger(__name__)


class Forwarder:
    """Forwards one worker's spool or queue and those it adopts; used by one thread at a time."""

    def __init__(
        self,
        exporter: OtlpExporter,
        spool: Spool,
        adopted: Sequence[Spool] = (),
        *,
        to_penstock: bool,
        scrubber: Scrubber,
        max_rows: int = MOST_ROWS,
    ) -> None:
        """`scrubber` keeps what was erased from being sent."""
        self._exporter = exporter
        self._spool = spool
        self._adopted = list(adopted)
        self._to_penstock = to_penstock
        self._scrubber = scrubber
        self._max_rows = max_rows
        self.flushed_rows = 0  # sent
        self.refused_rows = 0  # refused for good: kept in the spool's file, out of the way

    def adopt(self, folder: Path, max_bytes: int) -> int:
        """Take over spools whose process has died since; how many."""
        found = adopt_as(type(self._spool), folder, max_bytes)
        self._adopted.extend(found)
        return len(found)

    def run_once(self) -> int:
        """Forward everything that waits now; how many rows. What the backend refuses for now is raised, and stays."""
        for spool in (self._spool, *self._adopted):
            self._scrubber.scrub(spool)
        sent = self._empty(self._spool)
        for spool in list(self._adopted):
            sent += self._empty(spool)
            self._adopted.remove(spool)
            spool.close(delete_if_empty=True)
        return sent

    def close(self) -> None:
        """Let go of adopted spools and of the connection; what is left in them is adopted again."""
        for spool in self._adopted:
            spool.close(delete_if_empty=True)
        self._adopted.clear()
        self._exporter.close()

    def _empty(self, spool: Spool) -> int:
        sent = 0
        while (batch := spool.claim(self._max_rows)) is not None:
            rows = self._forward_batch(spool, batch)
            spool.finish(batch)
            self.flushed_rows += rows
            sent += rows
        return sent

    def _forward_batch(self, spool: Spool, batch: Batch) -> int:
        """Send the bodies together; where they are refused for good, each alone, so that one costs the others nothing."""
        bodies = spool.bodies(batch)
        try:
            return self._send(batch.table, [row for body in bodies for row in self._records(batch.table, body)])
        except BadInputError as error:
            logger.warning("%s; sending its %s bodies one by one", error, len(bodies))
        return sum(self._forward_body(spool, batch, body) for body in bodies)

    def _forward_body(self, spool: Spool, batch: Batch, body: Body) -> int:
        try:
            return self._send(batch.table, self._records(batch.table, body))
        except BadInputError as error:
            self.refused_rows += body.rows
            spool.put_aside(batch, body, str(error))
            return 0

    def _send(self, table: str, rows: Sequence[Any]) -> int:
        """Send rows, in halves where they are too many for one request."""
        try:
            answers = self._send_together(table, rows)
        except TooLargeError:
            if len(rows) < 2:
                raise
            middle = len(rows) // 2
            return self._send(table, rows[:middle]) + self._send(table, rows[middle:])
        rejected = sum(answer.rejected for answer in answers)
        if rejected:
            reason = next(answer.reason for answer in answers if answer.rejected)
            if table == "feedback":
                raise BadInputError(f"{self._exporter.name} refused {rejected} of {len(rows)} reports: {reason}")
            self.refused_rows += rejected
            logger.warning("%s refused %s of %s rows: %s", self._exporter.name, rejected, len(rows), reason)
        return len(rows)

    def _send_together(self, table: str, rows: Sequence[Any]) -> list[Sent]:
        if table == "feedback" and self._to_penstock:
            return [self._exporter.send_feedback(export_feedback(rows))] if rows else []
        if table == "feedback":
            return [self._exporter.send_telemetry(LOGS, export_evaluations(rows))] if rows else []
        requests = (
            (TRACES, export_spans(rows, with_thin_rows=self._to_penstock)),
            (LOGS, export_events(rows, with_thin_rows=self._to_penstock)),
        )
        if sum(request.ByteSize() for _, request in requests) > _MOST_BYTES and len(rows) > 1:
            raise TooLargeError("more than fits one request")
        return [self._exporter.send_telemetry(path, request) for path, request in requests if request.ByteSize()]

    def _records(self, table: str, body: Body) -> list[Any]:
        """The rows of a body, without those of users who were erased after it was queued or before it was sent."""
        try:
            rows = drop_erased(table, pa.ipc.open_stream(body.batch).read_all(), self._scrubber.tombstones())
        except (pa.ArrowException, OSError, KeyError) as error:
            raise BadInputError(f"The body is not readable as Arrow: {error}.") from error
        record: type[Any] = Feedback if table == "feedback" else Span
        try:
            return from_arrow(record, rows)
        except (TypeError, ValueError) as error:
            raise BadInputError(f"The body holds no rows of {table}: {error}.") from error
