"""Records in, records out: what every noun does with its table, and the one place where a transition is allowed or refused."""

import builtins
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Table, and_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from penstock.errors import ConflictError, NotFoundError

R = TypeVar("R", bound=Struct)


class Rows(Generic[R]):
    """One table as records of one type."""

    def __init__(self, table: Table, record_type: type[R], noun: str, *, not_compared: frozenset[str] = frozenset()) -> None:
        """`not_compared` are the fields that may differ when the same thing is put again: when and how it came to be."""
        self.table = table
        self._record_type = record_type
        self._noun = noun
        self._key = [column.name for column in table.primary_key.columns]
        self._fields = [field.name for field in msgspec.structs.fields(record_type)]
        self._compared = [name for name in self._fields if name not in not_compared]

    def put(self, connection: Connection, record: R) -> R:
        """Store it and return it; what is stored already under its id is returned if equal, else refused."""
        values = self._values(record)
        self._require_references(connection, values)
        if insert_once(connection, self.table, values):
            return record
        stored = self.get(connection, *(values[name] for name in self._key))
        self._require_equal(stored, record)
        return stored

    def get(self, connection: Connection, *key: Any, lock: bool = False) -> R:
        """The record with this key, which must exist; `lock` keeps it from changing until the transaction ends."""
        record = self.find(connection, *key, lock=lock)
        if record is None:
            named = ", ".join(str(part) for part in key)
            raise NotFoundError(f"There is no {self._noun} {named!r} in the registry.")
        return record

    def find(self, connection: Connection, *key: Any, lock: bool = False) -> R | None:
        """The record with this key, or None."""
        found = self.list(connection, self._where(*key), lock=lock)
        return found[0] if found else None

    def list(
        self,
        connection: Connection,
        *conditions: ColumnElement[bool] | None,
        order: tuple[ColumnElement[Any], ...] = (),
        limit: int | None = None,
        lock: bool = False,
    ) -> builtins.list[R]:
        """The records that meet every condition; a condition that is None is left out."""
        given = [condition for condition in conditions if condition is not None]
        query = select(*(self.table.c[name] for name in self._fields)).where(*given).order_by(*order).limit(limit)
        rows = connection.execute(query.with_for_update() if lock else query)
        return [msgspec.convert(dict(zip(self._fields, row, strict=True)), self._record_type) for row in rows]

    def change(self, connection: Connection, key: tuple[Any, ...], **fields: Any) -> R:
        """Set these fields, none of which may be its id or its state."""
        forbidden = sorted({"state", *self._key} & set(fields))
        if forbidden:
            raise ConflictError(
                f"The {forbidden[0]} of {self._noun} {key[0]!r} cannot be set; a state changes by transition only."
            )
        return self._write(connection, key, self.get(connection, *key, lock=True), fields)

    def transition(self, connection: Connection, key: str, state: str, allowed: Mapping[Any, frozenset[Any]], **fields: Any) -> R:
        """Move it to another state, which the table of allowed transitions must list, and set these fields with it."""
        record = self.get(connection, key, lock=True)
        current: str = getattr(record, "state")  # noqa: B009  every record that moves has one, which the type cannot say
        if state not in allowed[current]:
            ways = ", ".join(sorted(allowed[current])) or "nothing, it is final"
            raise ConflictError(
                f"The {self._noun} {key!r} is {current} and cannot become {state}; from there it can become {ways}."
            )
        return self._write(connection, (key,), record, {"state": str(state), **fields})

    def require_first_state(self, record: R, allowed: Mapping[Any, frozenset[Any]]) -> None:
        """Refuse a new record that is not in the state in which its life begins."""
        first, state = next(iter(allowed)), getattr(record, "state")  # noqa: B009  as above
        if state != first:
            raise ConflictError(f"A new {self._noun} is {first}; this one says {state}. Create it, then move it by transition.")

    def _write(self, connection: Connection, key: tuple[Any, ...], record: R, fields: Mapping[str, Any]) -> R:
        values = self._values(msgspec.structs.replace(record, **fields))
        changed = msgspec.convert(values, self._record_type)
        written = {name: values[name] for name in fields}
        self._require_references(connection, written)
        if written:
            connection.execute(update(self.table).where(self._where(*key)).values(written))
        return changed

    def _where(self, *key: Any) -> ColumnElement[bool]:
        return and_(*(self.table.c[name] == part for name, part in zip(self._key, key, strict=True)))

    def _values(self, record: R) -> dict[str, Any]:
        return {name: _builtin(getattr(record, name)) for name in self._fields}

    def _require_references(self, connection: Connection, values: Mapping[str, Any]) -> None:
        """Say which id names nothing; the constraint itself would not, on SQLite."""
        for reference in self.table.foreign_keys:
            name = reference.parent.name
            value = values.get(name)
            if value is None or connection.execute(select(reference.column).where(reference.column == value)).first():
                continue
            raise NotFoundError(
                f"The {self._noun} names {name} {value!r}, which is not in {reference.column.table.name}; put that first."
            )

    def _require_equal(self, stored: R, given: R) -> None:
        different = [name for name in self._compared if getattr(stored, name) != getattr(given, name)]
        if different:
            name = different[0]
            key = getattr(given, self._key[0])
            raise ConflictError(
                f"The {self._noun} {key!r} exists with another {name}: {getattr(stored, name)!r}, not {getattr(given, name)!r}; "
                "it is never edited, so put this under an id of its own."
            )


def insert_once(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert the row unless its key is taken, and say whether it was inserted."""
    insert = sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
    key = list(table.primary_key.columns)
    statement = insert.values(**values).on_conflict_do_nothing(index_elements=key).returning(*key)
    return connection.execute(statement).first() is not None


def upsert(connection: Connection, table: Table, values: Mapping[str, Any], where: ColumnElement[bool] | None = None) -> bool:
    """Insert the row, or overwrite the one with its key where that meets the condition, and say whether it was written."""
    insert = sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
    key = list(table.primary_key.columns)
    statement = insert.values(**values).on_conflict_do_update(index_elements=key, set_=dict(values), where=where).returning(*key)
    return connection.execute(statement).first() is not None


def _builtin(value: Any) -> Any:
    """A nested record, a tuple or an enum as JSON holds it; everything else as it is."""
    return value if isinstance(value, datetime) else msgspec.to_builtins(value)
