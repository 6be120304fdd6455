from datetime import datetime

from msgspec import Struct
from sqlalchemy import JSON, BigInteger, Boolean, Double, MetaData, Text

from penstock.registry.columns import UtcDateTime, table_of


class Inner(Struct):
    name: str


class Thing(Struct):
    thing_id: str
    count: int
    share: float | None
    is_done: bool
    at: datetime
    parts: tuple[Inner, ...]
    parent_id: str | None = None


def test_every_field_is_a_column_of_its_type() -> None:
    table = table_of(MetaData(), "things", Thing, key=["thing_id"], references={"parent_id": "things.thing_id"})
    types = [(column.name, type(column.type), column.nullable) for column in table.columns]
    assert types == [
        ("thing_id", Text, False),
        ("count", BigInteger, False),
        ("share", Double, True),
        ("is_done", Boolean, False),
        ("at", UtcDateTime, False),
        ("parts", JSON, False),
        ("parent_id", Text, True),
    ]
    assert [column.name for column in table.primary_key] == ["thing_id"]
    assert {key.parent.name for key in table.foreign_keys} == {"parent_id"}
