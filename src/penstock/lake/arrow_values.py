"""Arrow columns as Python values: types are looked at once per column and not per cell, which takes a third of the time.

The values are those of `to_pylist(maps_as_pydicts="strict")`, times being in UTC.
"""

import sys
from datetime import UTC
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_UTC_TIME = pa.timestamp("us", "UTC")
_LOCAL_TIME = pa.timestamp("us")


def column_values(column: "pa.ChunkedArray[Any]") -> list[Any]:
    """The values of a column."""
    values: list[Any] = []
    for chunk in column.chunks:
        values.extend(_array_values(chunk))
    return values


def row_values(rows: pa.Table | pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows as dictionaries."""
    names = list(map(sys.intern, rows.schema.names))  # a record finds its fields many times faster by the very same string
    table = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
    columns = [column_values(table.column(index)) for index in range(len(names))]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _array_values(array: "pa.Array[Any]") -> list[Any]:
    kind = array.type
    if pa.types.is_map(kind):
        return _maps(array)
    if pa.types.is_list(kind) and array.null_count == 0:
        return _lists(array)
    if kind == _UTC_TIME:
        return _times(array)
    if pa.types.is_string(kind) or (array.null_count == 0 and (pa.types.is_integer(kind) or pa.types.is_floating(kind))):
        found: list[Any] = array.to_numpy(zero_copy_only=False).tolist()
        return found
    return array.to_pylist()


def _times(array: "pa.Array[Any]") -> list[Any]:
    # Nulls cannot be told from times once they are numpy's NaT, so they are put back from the mask.
    local: list[Any] = array.cast(_LOCAL_TIME).to_numpy(zero_copy_only=False).tolist()
    if array.null_count == 0:
        return [moment.replace(tzinfo=UTC) for moment in local]
    empty = pc.is_null(array).to_numpy(zero_copy_only=False).tolist()
    return [None if none else moment.replace(tzinfo=UTC) for moment, none in zip(local, empty, strict=True)]


def _lists(array: Any) -> list[Any]:
    items, ends = _array_values(array.values), array.offsets.to_pylist()
    return [items[start:end] for start, end in pairwise(ends)]


def _maps(array: Any) -> list[Any]:
    keys, items = _array_values(array.keys), _array_values(array.items)
    ends: list[int] = array.offsets.to_pylist()
    if len(keys) == 0 and array.null_count == 0:
        return [{} for _ in range(len(array))]
    found: list[Any] = [dict(zip(keys[start:end], items[start:end], strict=True)) for start, end in pairwise(ends)]
    if array.null_count:
        empty = pc.is_null(array).to_numpy(zero_copy_only=False).tolist()
        found = [None if none else value for value, none in zip(found, empty, strict=True)]
    return found
