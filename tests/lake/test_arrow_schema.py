import pyarrow as pa
import pytest

from penstock.errors import BadInputError
from penstock.lake.arrow_schema import arrow_schema, conform, from_arrow, to_arrow
from penstock.lake.tables import TABLES, find_table
from penstock.records.evaluation import EvaluationItem
from penstock.records.signal import Signal
from tests.lake.rows import NOON, make_signal
from tests.rows import make_interaction


def test_the_schema_follows_from_the_record() -> None:
    schema = arrow_schema(find_table("interactions"))
    assert schema.field("interaction_id") == pa.field("interaction_id", pa.string(), nullable=False)
    assert schema.field("input_tokens") == pa.field("input_tokens", pa.int64(), nullable=True)
    assert schema.field("tags").type == pa.map_(pa.string(), pa.string())
    assert schema.field("redactions").type == pa.map_(pa.string(), pa.int64())
    assert schema.field("token_logprobs").type == pa.list_(pa.float64())
    assert schema.field("started_at").type == pa.timestamp("us", "UTC")
    assert schema.names[-1] == "date"


def test_every_table_has_a_schema_that_keeps_the_order_of_its_record() -> None:
    for table in TABLES.values():
        assert arrow_schema(table).names == [*table.record.__struct_fields__, "date"]


def test_records_survive_the_way_to_arrow_and_back() -> None:
    record = make_interaction(1, tags={"a": "b"}, redactions={"email": 2}, token_logprobs=[-0.5, -1.0], cost=0.25)
    assert from_arrow(type(record), to_arrow(find_table("interactions"), [record])) == [record]


def test_the_partition_is_the_utc_day_on_which_it_happened() -> None:
    rows = to_arrow(find_table("signals"), [make_signal(1, known_h=48)])
    assert rows.column("date").to_pylist() == [NOON.date()]


def test_no_records_are_an_empty_table_with_every_column() -> None:
    assert to_arrow(find_table("labels"), []).schema == arrow_schema(find_table("labels"))


def test_a_value_that_does_not_fit_names_the_table_and_the_record() -> None:
    with pytest.raises(BadInputError, match=r"signals do not fit its columns.*Give Signal records"):
        to_arrow(find_table("signals"), [make_signal(1, value="high")])


def test_records_of_another_table_are_refused() -> None:
    item = EvaluationItem(
        evaluation_id="e", item_id="i", slice="all", score=1.0, baseline_score=None, interaction_id=None, known_at=NOON
    )
    with pytest.raises(BadInputError, match="Give Signal records"):
        to_arrow(find_table("signals"), [item])


def test_an_empty_value_where_none_may_be_is_named() -> None:
    with pytest.raises(BadInputError, match=r"signals\.source may not be empty"):
        to_arrow(find_table("signals"), [make_signal(1, source=None)])


def test_arrow_rows_may_lack_columns_that_may_be_empty_and_come_in_any_order() -> None:
    table = find_table("signals")
    full = to_arrow(table, [make_signal(1)])
    partial = full.select([name for name in reversed(full.column_names) if name not in ("text", "date")])
    assert conform(table, partial).equals(full)


def test_arrow_rows_with_a_column_the_table_lacks_are_refused() -> None:
    rows = to_arrow(find_table("signals"), [make_signal(1)]).append_column("colour", pa.array(["red"]))
    with pytest.raises(BadInputError, match="has no column colour"):
        conform(find_table("signals"), rows)


def test_arrow_rows_without_a_column_they_need_are_refused() -> None:
    rows = to_arrow(find_table("signals"), [make_signal(1)]).drop_columns(["known_at"])
    with pytest.raises(BadInputError, match="known_at"):
        conform(find_table("signals"), rows)


def test_rows_become_records_from_the_columns_that_are_there() -> None:
    rows = to_arrow(find_table("signals"), [make_signal(3, evidence={"kind": "exact"})]).drop_columns(["text"])
    assert from_arrow(Signal, rows) == [make_signal(3, evidence={"kind": "exact"})]
