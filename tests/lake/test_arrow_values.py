"""The fast way from Arrow to Python gives what pyarrow's own gives."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.lake.arrow_values import column_values, row_values

MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))
INTEGERS = st.integers(-(2**63), 2**63 - 1)
COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "text": (pa.string(), st.text()),
    "integer": (pa.int64(), INTEGERS),
    "real": (pa.float64(), st.floats(allow_nan=False)),
    "truth": (pa.bool_(), st.booleans()),
    "time": (pa.timestamp("us", "UTC"), MOMENTS),
    "day": (pa.date32(), st.dates()),
    "texts": (pa.list_(pa.string()), st.lists(st.text() | st.none(), max_size=3)),
    "map of text": (pa.map_(pa.string(), pa.string()), st.dictionaries(st.text(), st.text(), max_size=3)),
    "map of integers": (pa.map_(pa.string(), pa.int64()), st.dictionaries(st.text(), INTEGERS, max_size=3)),
}


@pytest.mark.parametrize("name", COLUMNS)
@given(data=st.data())
def test_every_type_with_and_without_nulls_whole_chunked_and_sliced(name: str, data: st.DataObject) -> None:
    kind, strategy = COLUMNS[name]
    values = data.draw(st.lists(strategy, max_size=6) | st.lists(strategy | st.none(), max_size=6))
    array = pa.array([list(value.items()) if isinstance(value, dict) else value for value in values], kind)
    assert column_values(pa.chunked_array([array], kind)) == values
    cut = data.draw(st.integers(0, len(values)))
    assert column_values(pa.chunked_array([array[cut:], array[:cut]], kind)) == values[cut:] + values[:cut]


def test_rows_have_the_columns_by_name() -> None:
    rows = pa.table({"a": ["x", None], "b": [1, 2]})
    assert row_values(rows) == [{"a": "x", "b": 1}, {"a": None, "b": 2}]
    assert row_values(rows.to_batches()[0]) == row_values(rows)
    assert row_values(rows.slice(0, 0)) == []
