"""The registry as Arrow tables, so that one SQL query can join it with the lake. A copy, and without what is secret."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa
from sqlalchemy import JSON, BigInteger, Boolean, Column, Connection, Double, Table, Text, select

from penstock.registry.columns import UtcDateTime
from penstock.registry.registry import Registry
from penstock.registry.tables import KEYS, METADATA

_ARROW_TYPES: Mapping[type[Any], pa.DataType] = {
    Text: pa.string(),
    BigInteger: pa.int64(),
    Double: pa.float64(),
    Boolean: pa.bool_(),
    UtcDateTime: pa.timestamp("us", tz="UTC"),
    JSON: pa.string(),
}
_SECRET = frozenset({KEYS.c.secret_hash})


def as_arrow_tables(registry: Registry) -> dict[str, pa.Table]:
    """Every table by name, all as of one moment, but for the hashes of keys; what is nested comes as JSON text."""
    with registry.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return {name: _arrow_table(table, connection) for name, table in METADATA.tables.items()}


def _arrow_table(table: Table, connection: Connection) -> pa.Table:
    columns = [column for column in table.columns if column not in _SECRET]
    rows = connection.execute(select(*columns).order_by(*table.primary_key.columns)).all()
    schema = pa.schema([pa.field(column.name, _ARROW_TYPES[type(column.type)], bool(column.nullable)) for column in columns])
    return pa.table([_array(column, [row[place] for row in rows]) for place, column in enumerate(columns)], schema=schema)


def _array(column: Column[Any], values: list[Any]) -> "pa.Array[Any]":
    if isinstance(column.type, JSON):
        values = [msgspec.json.encode(value).decode() for value in values]
    return pa.array(values, _ARROW_TYPES[type(column.type)])
