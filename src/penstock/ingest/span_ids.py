"""Ids of many spans, end to end: as bytes, and as columns of hexadecimal text."""

from typing import Any

import numpy as np
import pyarrow as pa

from penstock.ingest.attribute_pairs import Mask, byte_lengths


def join_ids(column: Any, size: int) -> bytes:
    """Ids end to end; zeros, which no id is, in the place of one of another length."""
    values = column.to_pylist()
    if (byte_lengths(column) == size).all():
        return b"".join(values)
    return b"".join([value if len(value) == size else bytes(size) for value in values])


def is_id(ids: bytes, size: int) -> Mask:
    """Which of the ids end to end are not all zero."""
    found: Mask = np.frombuffer(ids, np.uint8).reshape(-1, size).max(axis=1) > 0
    return found


def hexadecimal(ids: bytes, size: int) -> Any:
    """Ids end to end as an Arrow column of lower-case hexadecimal."""
    starts = np.arange(0, 2 * len(ids) + 1, 2 * size, dtype=np.int32)
    return pa.StringArray.from_buffers(len(starts) - 1, pa.py_buffer(starts.tobytes()), pa.py_buffer(ids.hex().encode()))
