"""After an erasure: nothing of the erased may be left in a spool or a queue, neither in its rows nor in the pages behind them."""

import pyarrow as pa

from penstock.ingest.spool import Spool, to_stream
from penstock.ingest.tombstones import ErasureList, Tombstones, drop_erased
from penstock.lake.place import Place


class Scrubber:
    """Keeps what one thread empties free of what was erased, and says in each file's neighbour up to which erasure it has."""

    def __init__(self, lake_root: Place) -> None:
        self._erased = ErasureList(lake_root)
        self._scrubbed: dict[str, str] = {}

    def tombstones(self) -> Tombstones:
        """What must not be written any more."""
        return self._erased.read()

    def scrub(self, spool: Spool) -> None:
        """Take out what was erased since the last time; nothing to do is the usual case."""
        tombstones = self._erased.read()
        newest = self._erased.newest
        if newest is not None and self._scrubbed.get(spool.app) != newest:
            spool.scrub(newest, lambda table, batch: _without_erased(table, batch, tombstones))
            self._scrubbed[spool.app] = newest


def _without_erased(table: str, batch: bytes, tombstones: Tombstones) -> bytes | None:
    """A body without what was erased; None where nothing is left, or where nobody can tell whose it is."""
    try:
        rows = pa.ipc.open_stream(batch).read_all()
        kept = drop_erased(table, rows, tombstones)
    except (KeyError, OSError, pa.ArrowException):
        return None
    if kept.num_rows == rows.num_rows:
        return batch
    return to_stream(kept) if kept.num_rows else None
