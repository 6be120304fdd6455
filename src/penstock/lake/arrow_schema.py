"""Records to Arrow and back; the Arrow schema follows from the record's type hints, so that it is declared only there."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate, chain
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from penstock.errors import BadInputError
from penstock.lake.arrow_values import row_values
from penstock.lake.tables import PARTITION, Table

Record = TypeVar("Record", bound=Struct)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SCALARS: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    datetime: pa.timestamp("us", "UTC"),
}


def arrow_schema(table: Table) -> pa.Schema:
    """The columns of a table as stored, the partition last."""
    return _record_schema(table.record).append(pa.field(PARTITION, pa.date32(), nullable=False))


@cache
def _record_schema(record: type[Struct]) -> pa.Schema:
    hints = get_type_hints(record)
    return pa.schema([_field(name, hints[name]) for name in record.__struct_fields__])


def _field(name: str, hint: Any) -> "pa.Field[Any]":
    options = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    (bare,) = (option for option in options if option is not NoneType)
    return pa.field(name, _arrow_type(bare), nullable=NoneType in options)


def _arrow_type(hint: Any) -> pa.DataType:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is dict:
        return pa.map_(_arrow_type(arguments[0]), _arrow_type(arguments[1]))
    if origin is list:
        return pa.list_(_arrow_type(arguments[0]))
    if hint not in _SCALARS:
        raise TypeError(f"The lake has no column type for {hint!r}; add one to arrow_schema.py or change the record.")
    return _SCALARS[hint]


def to_arrow(table: Table, records: Sequence[Struct]) -> pa.Table:
    """Records as rows of their table, partition included; BadInputError where a value does not fit its column."""
    fields = _record_schema(table.record)
    try:
        columns = [column_of(records, name, column_type) for name, column_type in zip(fields.names, fields.types, strict=True)]
        return _with_partition(table, pa.table(columns, schema=fields))
    except (pa.ArrowException, TypeError, AttributeError, OverflowError) as error:
        raise BadInputError(
            f"Rows for {table.name} do not fit its columns: {error}. Give {table.record.__name__} records."
        ) from error


def column_of(records: Sequence[Struct], name: str, column_type: Any) -> Any:
    """One column of records as an Arrow array."""
    values = list(map(attrgetter(name), records))
    if values.count(None) == len(values):  # most columns of most batches
        return pa.nulls(len(values), column_type)
    if pa.types.is_map(column_type):
        return _maps(values, column_type)
    if pa.types.is_timestamp(column_type):
        values = [None if value is None else (value - _EPOCH) // _MICROSECOND for value in values]
        return pa.array(values, pa.int64()).view(column_type)
    return pa.array(values, column_type)


def _maps(values: Sequence[Any], column_type: Any) -> Any:
    """Dicts as maps: keys and values of all of them end to end, and where each begins."""
    if None in values:
        return pa.array([value if value is None else list(value.items()) for value in values], column_type)
    starts = pa.array([0, *accumulate(map(len, values))], pa.int32())
    keys = pa.array(list(chain.from_iterable(values)), column_type.key_type)
    items = pa.array(list(chain.from_iterable(map(dict.values, values))), column_type.item_type)
    build: Any = pa.MapArray.from_arrays
    return build(starts, keys, items)


def conform(table: Table, rows: pa.Table) -> pa.Table:
    """Arrow rows from elsewhere in the table's columns and order; columns that may be empty may be missing."""
    fields = _record_schema(table.record)
    unknown = sorted(set(rows.column_names) - set(fields.names) - {PARTITION})
    if unknown:
        raise BadInputError(f"{table.name} has no column {', '.join(unknown)}; it has {', '.join(fields.names)}.")
    try:
        columns = [_column(rows, field) for field in fields]
        return _with_partition(table, pa.table(columns, schema=fields))
    except (pa.ArrowException, KeyError) as error:
        raise BadInputError(f"Rows for {table.name} do not fit its columns: {error}.") from error


def _column(rows: pa.Table, field: "pa.Field[Any]") -> "pa.ChunkedArray[Any]":
    if field.name not in rows.column_names and field.nullable:
        return pa.chunked_array([pa.nulls(rows.num_rows, field.type)])
    column: pa.ChunkedArray[Any] = rows.column(field.name)
    return column if column.type == field.type else column.cast(field.type)  # Arrow copies a map that it has nothing to do with


def _with_partition(table: Table, rows: pa.Table) -> pa.Table:
    for field in rows.schema:
        if not field.nullable and rows.column(field.name).null_count:
            raise BadInputError(f"{table.name}.{field.name} may not be empty, and is in at least one of {rows.num_rows} rows.")
    day = pc.cast(rows.column(table.time_column), pa.date32())
    return rows.append_column(pa.field(PARTITION, pa.date32(), nullable=False), day)


def from_arrow(record_type: type[Record], rows: pa.Table) -> list[Record]:
    """Rows as records; columns that the record does not have are left out."""
    present = frozenset(rows.column_names)
    names = [name for name in record_type.__struct_fields__ if name in present]
    return [record_type(**row) for row in row_values(rows.select(names))]
