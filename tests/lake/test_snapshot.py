"""What counts, and as known when."""

from datetime import timedelta

import ibis
import pytest

from penstock.errors import BadInputError
from penstock.lake.lake import Lake
from penstock.records.label import Label
from tests.lake.rows import NOON, make_signal, shown
from tests.rows import make_interaction, make_span


def test_an_empty_table_is_a_typed_expression_without_rows(lake: Lake) -> None:
    empty = lake.current("interactions")
    assert empty.count().to_pyarrow().as_py() == 0
    assert empty.schema()["tags"].is_map() and empty.schema()["started_at"].is_timestamp()
    assert lake.to_records("interactions", empty) == []


def test_the_highest_revision_counts(lake: Lake) -> None:
    lake.append("signals", [make_signal(1), make_signal(2)])
    lake.append("signals", [make_signal(1, 2, known_h=2), make_signal(1, 1, known_h=1)])
    assert shown(lake) == [("s_1", 2), ("s_2", 0)]


def test_order_is_by_revision_and_never_by_time(lake: Lake) -> None:
    lake.append("signals", [make_signal(1, 1, known_h=1), make_signal(1, 0, known_h=5)])
    assert shown(lake) == [("s_1", 1)]


def test_what_was_not_known_at_a_time_does_not_count_then(lake: Lake) -> None:
    lake.append("signals", [make_signal(1), make_signal(1, 1, known_h=2), make_signal(2, known_h=3)])
    assert shown(lake, lake.current("signals", NOON)) == [("s_1", 0)]
    assert shown(lake, lake.current("signals", NOON + timedelta(hours=2))) == [("s_1", 1)]
    assert shown(lake, lake.current("signals", NOON + timedelta(hours=3))) == [("s_1", 1), ("s_2", 0)]
    assert shown(lake, lake.current("signals", NOON - timedelta(microseconds=1))) == []


def test_a_time_without_a_zone_is_refused(lake: Lake) -> None:
    with pytest.raises(BadInputError, match="no time zone"):
        lake.current("signals", NOON.replace(tzinfo=None))


def test_a_row_written_twice_shows_once(lake: Lake) -> None:
    lake.append("signals", [make_signal(1), make_signal(1)])
    lake.append("signals", [make_signal(1)])
    assert shown(lake) == [("s_1", 0)]
    assert lake.revisions("signals").count().to_pyarrow().as_py() == 3


def test_of_one_revision_written_twice_the_one_known_last_counts(lake: Lake) -> None:
    lake.append("signals", [make_signal(1, known_h=2, text="second")])
    lake.append("signals", [make_signal(1, known_h=1, text="first")])
    assert [row.text for row in lake.to_records("signals", lake.current("signals"))] == ["second"]


def test_equal_rows_give_the_same_answer_every_time(lake: Lake) -> None:
    lake.append("signals", [make_signal(1, text="a"), make_signal(1, text="b")])
    lake.append("signals", [make_signal(1, text="c")])
    answers = {lake.to_records("signals", lake.current("signals"))[0].text for _ in range(5)}
    assert len(answers) == 1


def test_a_span_sent_again_shows_once_as_known_last(lake: Lake) -> None:
    first = make_span("t", "a")
    again = make_span("t", "a", known_at=first.known_at + timedelta(hours=1))
    lake.append("spans", [first])
    lake.append("spans", [again, make_span("t", "b")])
    rows = lake.to_records("spans", lake.current("spans").order_by("span_id"))
    assert [(row.span_id, row.known_at) for row in rows] == [("a", again.known_at), ("b", first.known_at)]


def test_an_interaction_merged_into_another_is_not_shown_but_was_before(lake: Lake) -> None:
    plain, merged = make_interaction(1), make_interaction(2)
    later = merged.known_at + timedelta(hours=1)
    lake.append("interactions", [plain, merged])
    lake.append("interactions", [make_interaction(2, revision=1, known_at=later, merged_into=plain.interaction_id)])
    assert lake.to_records("interactions", lake.current("interactions")) == [plain]
    assert len(lake.to_records("interactions", lake.current("interactions", merged.known_at))) == 2


def test_maps_lists_and_times_come_back_as_they_went_in(lake: Lake) -> None:
    record = make_interaction(1, tags={"a": "b", "c": ""}, keys={}, redactions={"email": 2}, token_logprobs=[-0.5])
    lake.append("interactions", [record])
    assert lake.to_records("interactions", lake.current("interactions")) == [record]
    tags = lake.current("interactions").select("tags").to_pyarrow()
    assert tags.column("tags").to_pylist(maps_as_pydicts="strict") == [{"a": "b", "c": ""}]


def test_an_id_is_found_by_its_bloom_filter_on_both_sides_of_the_join(lake: Lake) -> None:
    lake.append("signals", [make_signal(number) for number in range(100)])
    rows = lake.current("signals")
    plan = lake.query("EXPLAIN " + ibis.to_sql(rows.filter(rows.signal_id == "s_7").select("text"))).column(1)[0].as_py()
    assert plan.count("signal_id = 's_7'") + plan.count("signal_id='s_7'") >= 2


def test_candidates_are_filtered_first_whether_few_or_many(lake: Lake) -> None:
    lake.append("signals", [make_signal(number) for number in range(200)])
    lake.append("signals", [make_signal(3, 1)])
    assert shown(lake, lake.current("signals", ids=["s_3", "s_4", "s_x"])) == [("s_3", 1), ("s_4", 0)]
    many = [f"s_{number}" for number in range(100)]
    assert len(shown(lake, lake.current("signals", ids=many))) == 100
    assert shown(lake, lake.current("signals", ids=[])) == []


def test_a_large_set_is_looked_up_without_holding_the_rows_that_it_is_looked_up_in(lake: Lake) -> None:
    lake.append("signals", [make_signal(number) for number in range(200)])
    expression = lake.current("signals", ids=[f"s_{number}" for number in range(100)])
    plan = str(lake.query(f"EXPLAIN {ibis.to_sql(expression)}").to_pylist())
    assert plan.count("READ_PARQUET") == 2 and "SEMI" in plan  # the set is there, and looked up among ids alone
    assert plan.count("PYTHON_ARROW_SCAN") == 1
    assert expression.count().to_pyarrow().as_py() == 100


def test_candidates_come_from_an_expression_as_a_table(lake: Lake) -> None:
    lake.append("signals", [make_signal(number, day=number % 2) for number in range(200)])
    candidates = lake.revisions("signals").filter(ibis._.target_id == "i_9").select("signal_id").to_pyarrow()
    assert shown(lake, lake.current("signals", ids=candidates)) == [("s_9", 0)]


def test_a_quote_in_an_id_stays_a_quote(lake: Lake) -> None:
    lake.append("signals", [make_signal(1, signal_id="o'brien")])
    assert shown(lake, lake.current("signals", ids=["o'brien"])) == [("o'brien", 0)]


def test_only_the_days_asked_for_are_read(lake: Lake) -> None:
    lake.append("signals", [make_signal(day, day=day) for day in range(4)])
    days = (NOON.date() + timedelta(days=1), NOON.date() + timedelta(days=2))
    assert shown(lake, lake.current("signals", dates=days)) == [("s_1", 0), ("s_2", 0)]
    assert lake.revisions("signals", dates=days).count().to_pyarrow().as_py() == 2


def test_an_expression_keeps_to_the_snapshot_it_was_made_of(lake: Lake) -> None:
    lake.append("signals", [make_signal(1)])
    before = lake.current("signals")
    lake.append("signals", [make_signal(2)])
    assert shown(lake, before) == [("s_1", 0)]
    assert len(shown(lake)) == 2


def test_a_row_of_two_ids_is_named_by_both(lake: Lake) -> None:
    label = Label(
        label_id="l", target_kind="interaction", target_id="i", interaction_id="i", schema="s", schema_version=1,
        dimension="kept", value=1.0, annotator_kind="program", annotator="rule@1", known_at=NOON, started_at=NOON,
    )  # fmt: skip
    lake.append("labels", [label])
    assert lake.to_records("labels", lake.current("labels", ids=["l"])) == [label]
