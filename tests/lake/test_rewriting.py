"""Files replaced by others with fewer rows, so that readers see no news and a crash leaves nothing that counts."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.errors import StorageError
from penstock.lake import rewriting
from penstock.lake.lake import Lake
from penstock.lake.snapshot import source_sql
from tests.lake.rows import make_signal, shown


def _rewrite_without_first(lake: Lake) -> None:
    opened = lake._open("signals")
    snapshot = opened.snapshot()
    first = f"SELECT file_index, file_row_number FROM {source_sql(snapshot)} WHERE signal_id = 's_0'"
    rewriting.rewrite_files(lake.root, opened.table, snapshot.files, rewriting.find_rows(lake._backend.con, snapshot, first))


def test_the_rows_that_stay_are_the_same_and_no_news_to_a_reader(lake: Lake) -> None:
    lake.append("signals", [make_signal(number) for number in range(3)])
    lake.append("signals", [make_signal(3, day=1)])
    seen = lake.version("signals")
    _rewrite_without_first(lake)
    assert shown(lake) == [("s_1", 0), ("s_2", 0), ("s_3", 0)]
    assert lake.changes("signals", seen).rows.num_rows == 0
    assert (lake.root / rewriting.SCRATCH).files() == []


def test_rows_that_are_replaced_stand_where_they_stood_and_are_no_news_to_a_reader(lake: Lake) -> None:
    lake.append("signals", [make_signal(number, text="said") for number in range(3)])
    seen = lake.version("signals")
    snapshot = lake.snapshot("signals")
    middle = f"SELECT file_index, file_row_number FROM {source_sql(snapshot)} WHERE signal_id = 's_1'"

    def blank(rows: pa.Table) -> pa.Table:
        return rows.set_column(rows.column_names.index("text"), rows.schema.field("text"), pa.nulls(rows.num_rows, pa.string()))

    assert lake.replace(snapshot, middle, blank) == 1
    stored = lake.revisions("signals").select("signal_id", "text").to_pyarrow().to_pylist()
    assert [(row["signal_id"], row["text"] is None) for row in stored] == [("s_0", False), ("s_1", True), ("s_2", False)]
    assert lake.changes("signals", seen).rows.num_rows == 0
    assert lake.replace(lake.snapshot("signals"), middle.replace("s_1", "s_none"), blank) == 0


def test_new_files_have_bloom_filters_and_small_row_groups_as_appends_have(lake: Lake) -> None:
    lake.append("signals", [make_signal(number) for number in range(20_000)])
    _rewrite_without_first(lake)
    (file,) = lake._open("signals").snapshot().files
    metadata = pq.read_metadata((lake.root / file.removeprefix(f"{lake.root}/")).parquet_source())
    assert metadata.num_row_groups == 2
    ids = next(
        metadata.row_group(0).column(index)
        for index in range(metadata.num_columns)
        if metadata.row_group(0).column(index).path_in_schema == "signal_id"
    )
    assert "RLE_DICTIONARY" not in ids.encodings
    found = lake.query(f"SELECT bloom_filter_excludes FROM parquet_bloom_probe('{file}', 'signal_id', 's_none')")
    assert all(found.column(0).to_pylist())


def test_a_crash_before_the_commit_changes_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.append("signals", [make_signal(number) for number in range(3)])

    def fail(*_: object) -> None:
        raise OSError("the power went")

    monkeypatch.setattr(rewriting, "_commit", fail)
    with pytest.raises(StorageError):
        _rewrite_without_first(lake)
    assert len(shown(lake)) == 3


def test_what_a_crash_has_left_is_cleared(lake: Lake) -> None:
    left = lake.root / rewriting.SCRATCH / "dead" / "part.parquet"
    left.parent.make_folder()
    left.replace_durably(b"PAR1")
    rewriting.clear_scratch(lake.root)
    assert not left.parent.is_dir()
