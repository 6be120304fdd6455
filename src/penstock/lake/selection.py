"""Narrowing a selection to rows whose column has one of many values: few in the text of the query, many as a table to join."""

from collections.abc import Collection, Iterable
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

_IN_TEXT = 50  # so few are looked up in Bloom filters


def among(rows: ir.Table, column: str, values: Collection[str]) -> ir.Table:
    """The rows whose column has one of these values."""
    if len(values) <= _IN_TEXT:
        return rows.filter(rows[column].isin(sorted(values))) if values else rows.filter(ibis.literal(False))
    wanted = ibis.memtable(pa.table({column: pa.array(sorted(values), pa.string())}))
    return rows.semi_join(wanted, column)


def ids_of(rows: ir.Table, column: str) -> pa.Table:
    """Run a selection for the distinct values of one column, in the form in which the lake takes candidate ids."""
    return ids_of_any([rows], column)


def ids_of_any(selections: Iterable[ir.Table], column: str) -> pa.Table:
    """The same for several selections together."""
    found = [rows.filter(rows[column].notnull()).select(column).distinct().to_pyarrow().column(0) for rows in selections]
    return distinct_ids(*found).rename_columns([column])


def distinct_ids(*columns: Any) -> pa.Table:
    """The distinct values of Arrow columns of text, without the missing, as a table of one column `id`."""
    chunks = [chunk for column in columns for chunk in pa.chunked_array(column).cast(pa.string()).chunks]
    values: Any = pc.drop_null(pc.unique(pa.chunked_array(chunks, pa.string())))
    return pa.table([values], names=["id"])
