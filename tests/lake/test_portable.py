import hashlib
from datetime import UTC, datetime

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest

from penstock.lake.portable import epoch_us, map_value, safe_element, sha256

WHEN = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)


@pytest.fixture
def rows() -> ir.Table:
    schema = pa.schema([
        ("array", pa.list_(pa.string())), ("map", pa.map_(pa.string(), pa.string())),
        ("time", pa.timestamp("us", "UTC")), ("text", pa.string()),
    ])  # fmt: skip
    listed = [
        {"array": ["a", "b"], "map": [("k", "v")], "time": WHEN, "text": "naïve"},
        {"array": [], "map": [], "time": datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), "text": ""},
        {"array": None, "map": None, "time": None, "text": None},
    ]
    return ibis.memtable(pa.Table.from_pylist(listed, schema))


def _values(rows: ir.Table, expression: ir.Value) -> list[object]:
    return rows.select(value=expression).to_pyarrow().column("value").to_pylist()


def test_an_element_that_is_not_there_is_null(rows: ir.Table) -> None:
    assert _values(rows, safe_element(rows.array, 1)) == ["b", None, None]


def test_a_key_that_is_not_there_gives_the_default_also_on_a_null_map(rows: ir.Table) -> None:
    assert _values(rows, map_value(rows.map, "k")) == ["v", None, None]
    assert _values(rows, map_value(rows.map, "k", "none")) == ["v", "none", "none"]


def test_a_time_in_microseconds_loses_no_digit(rows: ir.Table) -> None:
    assert _values(rows, epoch_us(rows.time)) == [1_772_366_400_123_457, -1, None]


def test_a_hash_is_that_of_the_text_in_utf_8(rows: ir.Table) -> None:
    assert _values(rows, sha256(rows.text)) == [
        hashlib.sha256("naïve".encode()).hexdigest(),
        hashlib.sha256(b"").hexdigest(),
        None,
    ]


@pytest.mark.parametrize("dialect", ["duckdb", "pyspark"])
def test_each_compiles_for_both_engines(rows: ir.Table, dialect: str) -> None:
    unbound = ibis.table(rows.schema(), name="rows")
    expressions = [
        safe_element(unbound.array, 0),
        map_value(unbound.map, "k", "none"),
        epoch_us(unbound.time),
        sha256(unbound.text),
    ]
    assert all(ibis.to_sql(expression, dialect=dialect) for expression in expressions)
