"""The lake as a whole: its parts have their own tests."""

import gc
from pathlib import Path

import duckdb
import pytest

from penstock.errors import BadInputError, NotFoundError
from penstock.lake.arrow_schema import to_arrow
from penstock.lake.lake import Lake
from penstock.lake.tables import TABLES, find_table
from penstock.records.dataset import DatasetRow
from penstock.records.draw import Draw
from penstock.records.evaluation import EvaluationItem
from penstock.records.label import Label
from penstock.settings import LakeSettings
from tests.lake.rows import NOON, make_signal, shown
from tests.rows import make_feedback, make_interaction, make_span
from tests.s3 import S3Server


def test_every_table_takes_its_record_and_gives_it_back(lake: Lake) -> None:
    records = {
        "spans": make_span("t", "a"),
        "feedback": make_feedback("rating", "request", "r", metadata={"a": "b"}),
        "interactions": make_interaction(1),
        "signals": make_signal(1),
        "labels": Label(
            label_id="l", target_kind="interaction", target_id="i", interaction_id="i", schema="s", schema_version=1,
            dimension="kept", value=1.0, annotator_kind="program", annotator="rule@1", known_at=NOON, started_at=NOON,
        ),
        "draws": Draw(
            draw_id="d", purpose="suite", target_kind="user", target_id="u", probability=0.2, taken=True, known_at=NOON,
        ),
        "dataset_rows": DatasetRow(
            dataset_version_id="d", row_hash="b2:0", split="train", weight=1.0, interaction_ids=["i"], label_ids=[],
            started_at=NOON, known_at=NOON,
        ),
        "evaluation_items": EvaluationItem(
            evaluation_id="e", item_id="1", slice="all", score=0.5, baseline_score=None, interaction_id=None, known_at=NOON,
        ),
    }  # fmt: skip
    assert records.keys() == TABLES.keys()
    for table, record in records.items():
        lake.append(table, [record])
        assert lake.to_records(table, lake.current(table)) == [record]
        assert lake.to_records(table, lake.revisions(table)) == [record]


def test_arrow_rows_are_appended_as_records_are(lake: Lake) -> None:
    lake.append("signals", to_arrow(find_table("signals"), [make_signal(1)]).drop_columns(["date", "text"]))
    assert lake.to_records("signals", lake.current("signals")) == [make_signal(1)]


def test_rows_that_do_not_fit_commit_nothing(lake: Lake) -> None:
    with pytest.raises(BadInputError):
        lake.append("signals", [make_signal(1), make_signal(2, value="high")], transactions={"spool:a": 1})
    assert lake.version("signals") == 0


def test_a_table_that_does_not_exist_is_an_error_everywhere(lake: Lake) -> None:
    for attempt in (lake.version, lake.current, lake.revisions, lake.repair):
        with pytest.raises(NotFoundError, match="no table 'traces'"):
            attempt("traces")


def test_what_one_lake_appends_another_reads_at_once(lake: Lake) -> None:
    other = Lake(lake.root, LakeSettings())
    assert shown(other) == []
    lake.append("signals", [make_signal(1)])
    assert shown(other) == [("s_1", 0)]


def test_the_rows_of_two_tables_meet_in_one_expression(lake: Lake) -> None:
    interaction = make_interaction(1)
    lake.append("interactions", [interaction])
    lake.append("signals", [make_signal(1, interaction_id=interaction.interaction_id)])
    joined = lake.current("signals").join(lake.current("interactions"), "interaction_id").select("signal_id", "trace_id")
    assert joined.to_pyarrow().to_pylist() == [{"signal_id": "s_1", "trace_id": interaction.trace_id}]


def test_a_lake_that_is_copied_from_a_disk_to_s3_goes_on_there(disk_lake: Lake, s3_server: S3Server) -> None:
    disk_lake.append("signals", [make_signal(1), make_signal(2, day=1)], transactions={"spool:a": 1})
    root = s3_server.new_root()
    for file in disk_lake.root.files():
        (root / str(file).removeprefix(f"{disk_lake.root}/")).replace_durably(file.read_bytes())
    moved = Lake(root, disk_lake.settings)
    moved.create()
    assert moved.append("signals", [make_signal(1)], transactions={"spool:a": 1}) is None
    moved.append("signals", [make_signal(1, 1, known_h=1)], transactions={"spool:a": 2})
    assert shown(moved) == [("s_1", 1), ("s_2", 0)]


def test_what_spills_lies_where_nobody_else_may_read_it_and_goes_with_the_lake(lake: Lake) -> None:
    folder = Path(lake.query("SELECT current_setting('temp_directory') AS folder").column(0).to_pylist()[0])
    assert folder.stat().st_mode & 0o777 == 0o700
    other = Lake(lake.root, lake.settings)
    spilled = Path(other.query("SELECT current_setting('temp_directory') AS folder").column(0).to_pylist()[0])
    assert spilled.is_dir() and spilled != folder
    del other
    gc.collect()
    assert not spilled.exists() and folder.is_dir()


def test_what_a_query_gives_can_be_kept_for_others(lake: Lake) -> None:
    with lake.kept("numbers", "SELECT unnest([1, 2, 3]) AS number"):
        assert lake.query("SELECT sum(number) AS total FROM numbers").column("total").to_pylist() == [6]
    with pytest.raises(duckdb.CatalogException):
        lake.query("SELECT * FROM numbers")


def test_an_expression_is_shown_anew_at_each_use_or_kept_as_it_was(lake: Lake) -> None:
    lake.append("signals", [make_signal(1)])
    rows = lake.current("signals")
    shown_rows, kept_rows = lake.show("shown", rows), lake.keep("kept_rows", rows)
    again = lake.show("again", kept_rows.select("signal_id"))
    for name in ("shown", "kept_rows"):
        assert lake.query(f"SELECT signal_id FROM {name}").column(0).to_pylist() == ["s_1"]
    assert again.count().to_pyarrow().as_py() == shown_rows.count().to_pyarrow().as_py() == 1
    for name in ("again", "shown", "kept_rows", "never_shown"):
        lake.hide(name)
        with pytest.raises(duckdb.CatalogException):
            lake.query(f"SELECT * FROM {name}")


def test_rows_are_found_by_a_value_as_they_count_now(lake: Lake) -> None:
    lake.append("signals", [make_signal(1, session_id="chat"), make_signal(2, session_id="chat"), make_signal(3, day=1)])
    lake.append("signals", [make_signal(2, 1, known_h=1, session_id="other"), make_signal(4, day=2, session_id="chat")])
    names = ["signal_id", "revision"]

    def found(*values: str) -> list[tuple[str, int]]:
        return sorted(
            (row["signal_id"], row["revision"]) for row in lake.find("signals", "session_id", values, names).to_pylist()
        )

    assert found("chat") == [("s_1", 0), ("s_4", 0)]
    assert found("other") == [("s_2", 1)]
    assert found("it's none") == found() == []
    many = [f"session {number}" for number in range(100)]
    assert found("chat", "other", *many) == [("s_1", 0), ("s_2", 1), ("s_4", 0)]
    assert lake.find("signals", "signal_id", ["s_2"], names).to_pylist() == [{"signal_id": "s_2", "revision": 1}]
