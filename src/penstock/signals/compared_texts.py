"""Two columns of a batch as pairs of texts to compare, and what was found put back in its place beside the rest."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct

from penstock.lake.arrow_values import column_values
from penstock.text.placeholders import without_numbers


class TextPairs(Struct, frozen=True, kw_only=True):
    """The pairs of which both texts are there."""

    is_there: npt.NDArray[numpy.bool_]  # one for each row of the batch
    offered: list[str]
    final: list[str]


def text_pairs(batch: pa.RecordBatch, offered: str, final: str) -> TextPairs:
    """The texts in two columns, row by row; what was taken out of both as personal counts as the same where its kind is."""
    columns = pa.Table.from_batches([batch])
    rows = zip(column_values(columns.column(offered)), column_values(columns.column(final)), strict=True)
    both = [None if one is None or other is None else (one, other) for one, other in rows]
    found = [pair for pair in both if pair is not None]
    return TextPairs(
        is_there=numpy.array([pair is not None for pair in both], numpy.bool_),
        offered=[without_numbers(one) for one, _ in found],
        final=[without_numbers(other) for _, other in found],
    )


def numbers_of(batch: pa.RecordBatch, name: str) -> npt.NDArray[numpy.float64]:
    """A column of numbers to write into; NULL is not a number."""
    return numpy.array(batch.column(name).to_numpy(zero_copy_only=False), numpy.float64)


def texts_of(batch: pa.RecordBatch, name: str) -> list[str | None]:
    """A column of texts."""
    found: list[str | None] = column_values(pa.Table.from_batches([batch]).column(name))
    return found


def with_found(
    batch: pa.RecordBatch, value: npt.NDArray[numpy.float64], texts: Mapping[str, Sequence[str | None]], *, without: Sequence[str]
) -> pa.RecordBatch:
    """The batch with these values, where not a number is NULL, these columns of text, and `without` some of its own."""
    columns: dict[str, pa.Array[Any]] = {name: batch.column(name) for name in batch.schema.names if name not in without}
    columns["value"] = pa.array(value, pa.float64(), from_pandas=True)
    columns |= {name: pa.array(content, pa.string()) for name, content in texts.items()}
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
