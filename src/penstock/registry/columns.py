"""A table made from a record: the fields are declared once, in records/, and each one is a column of the same name."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct
from sqlalchemy import JSON, BigInteger, Boolean, Column, DateTime, Dialect, Double, ForeignKey, MetaData, Table, Text
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.types import TypeDecorator, TypeEngine

from penstock.errors import BadInputError


class _NoZoneError(BadInputError, DontWrapMixin):
    """A BadInputError that SQLAlchemy passes on as it is."""


class UtcDateTime(TypeDecorator[datetime]):
    """A time with its zone in, the same time in UTC out; SQLite, which keeps no zone, is given UTC without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise _NoZoneError(f"The time {value.isoformat()} has no zone; give it one, for example UTC.")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_COLUMN_TYPES: Mapping[Any, type[TypeEngine[Any]]] = {
    str: Text,
    int: BigInteger,
    float: Double,
    bool: Boolean,
    datetime: UtcDateTime,
}


def table_of(
    metadata: MetaData,
    name: str,
    record: type[Struct],
    *,
    key: Sequence[str],
    references: Mapping[str, str] | None = None,
    cyclic_references: Mapping[str, str] | None = None,
    extra: Sequence[Any] = (),
) -> Table:
    """The table whose rows are such records; `references` map a column to the "table.column" that it must name.

    `cyclic_references` are those that close a circle of tables, and so are added once all tables exist.
    """
    hints = get_type_hints(record)
    columns = []
    for field in msgspec.structs.fields(record):
        targets = _foreign_keys(field.name, references or {}, cyclic_references or {})
        column_type, nullable = _column_type(hints[field.name])
        columns.append(Column(field.name, column_type, *targets, primary_key=field.name in key, nullable=nullable))
    return Table(name, metadata, *columns, *extra)


def _foreign_keys(column: str, references: Mapping[str, str], cyclic: Mapping[str, str]) -> list[ForeignKey]:
    if column in references:
        return [ForeignKey(references[column])]
    return [ForeignKey(cyclic[column], use_alter=True)] if column in cyclic else []


def _column_type(hint: Any) -> tuple[TypeEngine[Any], bool]:
    nullable = False
    if get_origin(hint) is UnionType:
        (hint,) = (part for part in get_args(hint) if part is not type(None))
        nullable = True
    return _COLUMN_TYPES.get(hint, JSON)(), nullable
