"""The queue before another backend: a spool that is bounded by giving up what is oldest, so that it never holds up storing.

It is as durable as the spool beside it, and adopted like it; what it gave up is counted. What goes wrong in it fails no request.
"""

import logging
from concurrent.futures import Future

import pyarrow as pa

from penstock.ingest.spool import Spool

logger = logging.getLogger(__name__)


class ForwardQueue(Spool):
    """One queue file that this process owns."""

    def offer(self, table: str, rows: pa.Table) -> "Future[None]":
        """Have rows written; the future resolves without an error, whatever becomes of them."""
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()

        def settle(written: "Future[None]") -> None:
            error = written.exception()
            if error is not None:
                self.dropped_rows += rows.num_rows
                logger.warning("%s rows for %s were not queued: %s", rows.num_rows, self.path.parent.name, error)
            done.set_result(None)

        self.put(table, rows).add_done_callback(settle)
        return done

    def _refuses(self, size_bytes: int) -> bool:
        return size_bytes > self.max_bytes  # whatever is smaller will find room

    def _make_room(self) -> int:
        """Give up the oldest bodies until those about to be written, which the size counts already, fit."""
        return self._log.floor_for(self.size_bytes - self.max_bytes)
