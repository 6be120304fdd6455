"""How files look on disk, and that DuckDB makes use of it."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from penstock.lake.lake import Lake
from penstock.lake.layout import ROW_GROUP_ROWS
from penstock.lake.transaction_log import read_entry
from tests.lake.rows import make_signal


@pytest.fixture
def lake(disk_lake: Lake) -> Lake:
    """The same writer writes to S3."""
    return disk_lake


def _only_file(lake: Lake) -> Path:
    (path,) = (lake.root / "signals").glob("date=*/*.parquet")
    return path


def test_row_groups_are_small() -> None:
    assert ROW_GROUP_ROWS == 16_384


def test_a_file_has_bloom_filters_on_ids_and_statistics_on_times_only(lake: Lake) -> None:
    lake.append("signals", [make_signal(number) for number in range(20_000)])
    metadata = pq.read_metadata(_only_file(lake))
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [16_384, 3_616]
    columns = {(column := metadata.row_group(0).column(place)).path_in_schema: column for place in range(metadata.num_columns)}
    ids = columns["signal_id"]
    assert ids.to_dict()["bloom_filter_length"] and not ids.has_dictionary_page
    assert columns["name"].has_dictionary_page
    with_statistics = {name for name, column in columns.items() if column.is_stats_set}
    assert with_statistics == {"occurred_at", "known_at", "revision"}
    assert {column.compression for column in columns.values()} == {"ZSTD"}


def test_the_log_keeps_no_statistics_of_texts_or_ids(lake: Lake) -> None:
    version = lake.append("signals", [make_signal(1, text="what a user wrote")])
    assert version is not None
    (file,) = read_entry(lake.root / "signals", version).adds
    assert file.statistics is not None
    assert "what a user wrote" not in file.statistics and "s_1" not in file.statistics
    assert '"known_at"' in file.statistics and file.rows == 1


def test_a_lookup_by_id_skips_the_row_groups_whose_bloom_filter_denies_it(lake: Lake) -> None:
    lake.append("signals", [make_signal(number) for number in range(20_000)])
    lookup = f"SELECT count(*) FROM parquet_bloom_probe('{_only_file(lake)}', 'signal_id', 's_7') WHERE NOT bloom_filter_excludes"
    assert lake.query(lookup).column(0).to_pylist() == [1]
