"""A file written by itself is laid out as an append is, and the log says the same of it."""

from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import write_deltalake

from penstock.lake.arrow_schema import to_arrow
from penstock.lake.lake import Lake
from penstock.lake.layout import ROW_GROUP_ROWS, table_configuration, writer_properties
from penstock.lake.parquet_file import write_parquet
from penstock.lake.tables import PARTITION, TABLES
from penstock.lake.transaction_log import read_entry
from penstock.records.clock import utc_now
from tests.lake.rows import make_signal

_DAY = date(2026, 1, 1)


def _rows(first: int, last: int) -> pa.Table:
    return to_arrow(TABLES["signals"], [make_signal(number) for number in range(first, last)])


def _told(statistics: str) -> Any:
    """What the log says of a file, with times as times."""
    told = msgspec.json.decode(statistics)
    for kind in ("minValues", "maxValues"):
        told[kind] = {key: datetime.fromisoformat(value) if key.endswith("_at") else value for key, value in told[kind].items()}
    return told


def test_no_rows_make_no_file(lake: Lake) -> None:
    assert write_parquet(lake.root, _DAY, TABLES["signals"], iter(()), data_change=True) is None
    assert write_parquet(lake.root, _DAY, TABLES["signals"], iter([_rows(0, 0)]), data_change=True) is None
    assert (lake.root / f"date={_DAY}").files() == []


def test_row_groups_are_filled_however_the_rows_come(lake: Lake) -> None:
    parts = [_rows(0, 1), _rows(1, 20_000), _rows(20_000, 20_000), _rows(20_000, 2 * ROW_GROUP_ROWS + 3)]
    written = write_parquet(lake.root, _DAY, TABLES["signals"], iter(parts), data_change=True)
    assert written is not None
    metadata = pq.read_metadata((lake.root / written.path).parquet_source())
    sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    assert sizes == [ROW_GROUP_ROWS, ROW_GROUP_ROWS, 3]
    assert (written.rows, written.size) == (2 * ROW_GROUP_ROWS + 3, (lake.root / written.path).size_bytes())


def test_the_layout_is_the_one_that_a_compaction_writes(lake: Lake) -> None:
    """Two programs write: pyarrow what is appended, deltalake what is put together."""
    rows = [make_signal(number) for number in range(50)]
    rows = [msgspec.structs.replace(row, known_at=utc_now() + timedelta(microseconds=at)) for at, row in enumerate(rows)]
    table = TABLES["signals"]
    ours = write_parquet(lake.root, _DAY, table, iter([to_arrow(table, rows)]), data_change=True)
    beside = lake.root / "beside"
    write_deltalake(
        str(beside),
        to_arrow(table, rows),
        partition_by=[PARTITION],
        writer_properties=writer_properties(table),
        storage_options=beside.delta_options,
        configuration=table_configuration(table),
    )
    (theirs,) = read_entry(beside, 0).adds
    assert ours is not None
    assert ours.statistics is not None
    assert theirs.statistics is not None
    assert _told(ours.statistics) == _told(theirs.statistics)
    one, other = (pq.read_metadata(file.parquet_source()) for file in (lake.root / ours.path, beside / theirs.path))
    for place in range(other.num_columns):
        mine, its = (metadata.row_group(0).column(place) for metadata in (one, other))
        assert mine.path_in_schema.replace("key_value", "entries") == its.path_in_schema
        assert mine.compression == its.compression == "ZSTD"
        assert (mine.statistics is None) == (its.statistics is None), mine.path_in_schema
        assert ("RLE_DICTIONARY" in mine.encodings) == ("RLE_DICTIONARY" in its.encodings), mine.path_in_schema
    assert one.schema.to_arrow_schema().names == other.schema.to_arrow_schema().names
