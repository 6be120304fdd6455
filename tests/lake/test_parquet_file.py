"""A file written by itself is laid out as an append is, and the log says the same of it."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from penstock.lake.arrow_schema import to_arrow
from penstock.lake.lake import Lake
from penstock.lake.layout import ROW_GROUP_ROWS
from penstock.lake.parquet_file import write_parquet
from penstock.lake.tables import TABLES
from penstock.lake.transaction_log import read_entry
from penstock.records.clock import utc_now
from tests.lake.rows import make_signal

_DAY = "date=2026-01-01"


def _rows(first: int, last: int) -> pa.Table:
    return to_arrow(TABLES["signals"], [make_signal(number) for number in range(first, last)])


def _told(statistics: str) -> Any:
    """What the log says of a file, with times as times."""
    told = msgspec.json.decode(statistics)
    for kind in ("minValues", "maxValues"):
        told[kind] = {key: datetime.fromisoformat(value) if key.endswith("_at") else value for key, value in told[kind].items()}
    return told


def test_no_rows_make_no_file(lake: Lake) -> None:
    assert write_parquet(lake.root, f"{_DAY}/none.parquet", TABLES["signals"], iter(())) is None
    assert write_parquet(lake.root, f"{_DAY}/none.parquet", TABLES["signals"], iter([_rows(0, 0)])) is None
    assert not (lake.root / _DAY / "none.parquet").is_file()


def test_row_groups_are_filled_however_the_rows_come(lake: Lake) -> None:
    parts = [_rows(0, 1), _rows(1, 20_000), _rows(20_000, 20_000), _rows(20_000, 2 * ROW_GROUP_ROWS + 3)]
    written = write_parquet(lake.root, f"{_DAY}/parts.parquet", TABLES["signals"], iter(parts))
    metadata = pq.read_metadata((lake.root / _DAY / "parts.parquet").parquet_source())
    sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    assert sizes == [ROW_GROUP_ROWS, ROW_GROUP_ROWS, 3]
    assert written is not None
    assert (written.rows, written.size) == (2 * ROW_GROUP_ROWS + 3, (lake.root / _DAY / "parts.parquet").size_bytes())


def test_columns_and_statistics_are_those_of_an_append(lake: Lake) -> None:
    rows = [make_signal(number) for number in range(50)]
    rows = [msgspec.structs.replace(row, known_at=utc_now() + timedelta(microseconds=at)) for at, row in enumerate(rows)]
    version = lake.append("signals", rows)
    assert version is not None
    (appended,) = read_entry(lake.root / "signals", version).adds
    written = write_parquet(lake.root, f"{_DAY}/one.parquet", TABLES["signals"], iter([to_arrow(TABLES["signals"], rows)]))
    assert written is not None
    assert written.statistics is not None
    assert appended.statistics is not None
    assert _told(written.statistics) == _told(appended.statistics)
    ours = pq.read_metadata((lake.root / _DAY / "one.parquet").parquet_source())
    theirs = pq.read_metadata((lake.root / "signals" / appended.path).parquet_source())
    for place in range(theirs.num_columns):
        one, other = (metadata.row_group(0).column(place) for metadata in (ours, theirs))
        assert one.path_in_schema == other.path_in_schema
        assert one.compression == other.compression == "ZSTD"
        assert (one.statistics is None) == (other.statistics is None), one.path_in_schema
        assert ("RLE_DICTIONARY" in one.encodings) == ("RLE_DICTIONARY" in other.encodings), one.path_in_schema
    assert ours.schema.to_arrow_schema().names == theirs.schema.to_arrow_schema().names
