"""Map columns out of entries that were found here and there."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct

from penstock.formats.otlp_columns import Indexes


class MapEntries(Struct, frozen=True):
    """Entries of a map column: in which row, in which order there, and what."""

    rows: Indexes
    order: Indexes
    keys: Any
    values: Any


def map_column(entries: Sequence[MapEntries], size: int) -> tuple[Any, Indexes]:
    """The entries of all rows, row after row, as one column of maps, and the rows in which a key stands twice."""
    rows = np.concatenate([piece.rows for piece in entries])
    order = np.lexsort((np.concatenate([piece.order for piece in entries]), rows))
    taken = pa.array(order)
    keys, values = (
        pa.concat_arrays([getattr(piece, part) for piece in entries]).take(taken) for part in ("keys", "values")
    )  # fmt: skip
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=size))]).astype(np.int32)
    build: Any = pa.MapArray.from_arrays
    return build(pa.array(starts), keys, values), _twice(rows[order], keys)


def _twice(rows: Indexes, keys: Any) -> Indexes:
    codes = keys.dictionary_encode().indices.to_numpy()
    names = int(codes.max(initial=0)) + 1
    both = np.sort(rows * names + codes)
    again: Indexes = both[1:][both[1:] == both[:-1]] // names
    return again
