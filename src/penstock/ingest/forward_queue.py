"""The queue before another backend: a spool that is bounded by giving up what is oldest, so that it never holds up storing.

It is as durable as the spool beside it, and adopted like it; what it gave up is counted. What goes wrong in it fails no request.
"""

import logging
import sqlite3
from concurrent.futures import Future

import pyarrow as pa

from penstock.ingest.spool import Spool

_LOOKED_AT_ONCE = 256

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

    def _make_room(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """Give up the oldest bodies until those about to be written, which the size counts already, fit."""
        excess = self._size - self.max_bytes
        freed = rows_given_up = last_id = 0
        while freed < excess:
            oldest = connection.execute(
                "SELECT id, rows, length(batch) FROM bodies WHERE id > ? ORDER BY id LIMIT ?", (last_id, _LOOKED_AT_ONCE)
            ).fetchall()
            if not oldest:
                break
            for body_id, rows, length in oldest:
                last_id = body_id
                freed += length
                rows_given_up += rows
                if freed >= excess:
                    break
        if last_id:
            connection.execute("DELETE FROM bodies WHERE id <= ?", (last_id,))
        return freed, rows_given_up
