"""Numbers that only grow. Reading one for change locks it to the end of the transaction, so they grow in commit order."""

from sqlalchemy import Connection, select, update

from penstock.registry.rows import insert_once
from penstock.registry.tables import COUNTERS


def read_counter(connection: Connection, name: str) -> int:
    """Its last committed value; 0 if it never moved."""
    return connection.execute(select(COUNTERS.c.value).where(COUNTERS.c.name == name)).scalar() or 0


def lock_counter(connection: Connection, name: str) -> int:
    """Its value, which no other transaction can change until this one ends."""
    insert_once(connection, COUNTERS, {"name": name, "value": 0})
    value: int = connection.execute(select(COUNTERS.c.value).where(COUNTERS.c.name == name).with_for_update()).scalar_one()
    return value


def advance_counter(connection: Connection, name: str) -> int:
    """One more than before."""
    value = lock_counter(connection, name) + 1
    connection.execute(update(COUNTERS).where(COUNTERS.c.name == name).values(value=value))
    return value
