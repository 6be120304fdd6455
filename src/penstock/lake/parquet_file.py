"""Parquet files of a table, written as its log names them: the layout of layout.py, and the statistics that the log has of each.

Appends and files that lose rows are written here, by pyarrow, which takes two thirds of the time that deltalake does; and whole
files are read, in two thirds of the time that DuckDB takes.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from penstock.lake.arrow_schema import arrow_schema, conform
from penstock.lake.layout import ROW_GROUP_ROWS, parquet_options
from penstock.lake.place import Place
from penstock.lake.snapshot import name_of
from penstock.lake.tables import PARTITION, Table
from penstock.lake.transaction_log import DataFile


def write_parquet(folder: Place, day: date, table: Table, rows: Iterable[pa.Table], *, data_change: bool) -> DataFile | None:
    """Write rows of one day to a file in a table's folder, or another of the same shape; None where there is no row, nor a file.

    `data_change` is what the log says of it: whether the rows are new.
    """
    groups = _row_groups(rows)
    first = next(groups, None)
    if first is None:
        return None
    name = f"{PARTITION}={day}/part-{uuid.uuid4()}.zstd.parquet"
    place = folder / name
    try:
        metadata = _write(place, table, chain([first], groups), new_rows=data_change)
    except BaseException:
        with suppress(OSError):
            place.unlink()  # it counts for nothing, and takes room on a disk that may be full
        raise
    return DataFile(
        path=name,
        size=place.size_bytes(),
        partition={PARTITION: str(day)},
        data_change=data_change,
        statistics=msgspec.json.encode(_statistics(metadata, table)).decode(),
    )


def read_files(folder: Place, table: Table, files: Sequence[str]) -> pa.Table:
    """Every row of files in a table's folder, in their order and in the table's columns."""
    parts = [_read(folder / name_of(folder, file), table) for file in files]
    return pa.concat_tables(parts) if parts else arrow_schema(table).empty_table()


def _read(place: Place, table: Table) -> pa.Table:
    with pq.ParquetFile(place.parquet_source(), pre_buffer=True) as parquet:
        declared = [name for name in arrow_schema(table).names if name in parquet.schema_arrow.names]
        return conform(table, parquet.read(columns=declared, use_threads=False))


def _write(place: Place, table: Table, groups: Iterable[pa.Table], *, new_rows: bool) -> pq.FileMetaData:
    schema = arrow_schema(table)
    schema = schema.remove(schema.get_field_index(PARTITION))
    with place.parquet_sink() as sink, pq.ParquetWriter(sink, schema, **parquet_options(table, new_rows=new_rows)) as writer:
        for group in groups:
            writer.write_table(group.select(schema.names), row_group_size=ROW_GROUP_ROWS)
    metadata: pq.FileMetaData = writer.writer.metadata
    return metadata


def _row_groups(rows: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows, ROW_GROUP_ROWS at a time."""
    waiting: list[pa.Table] = []
    for part in rows:
        waiting.append(part)
        while sum(one.num_rows for one in waiting) >= ROW_GROUP_ROWS:
            together = pa.concat_tables(waiting)
            yield together.slice(0, ROW_GROUP_ROWS)
            waiting = [together.slice(ROW_GROUP_ROWS)]
    if any(one.num_rows for one in waiting):
        yield pa.concat_tables(waiting)


def _statistics(metadata: pq.FileMetaData, table: Table) -> dict[str, Any]:
    """What Delta's log says of a file."""
    told: dict[str, Any] = {"numRecords": metadata.num_rows, "minValues": {}, "maxValues": {}, "nullCount": {}}
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    places = {metadata.row_group(0).column(place).path_in_schema: place for place in range(metadata.num_columns)}
    for name in table.statistics_columns:
        found: list[Any] = [group.column(places[name]).statistics for group in groups]
        told["nullCount"][name] = sum(one.null_count for one in found)
        with_values = [one for one in found if one.has_min_max]
        if with_values:
            told["minValues"][name] = _as_json(min(one.min for one in with_values))
            told["maxValues"][name] = _as_json(max(one.max for one in with_values))
    return told


def _as_json(value: Any) -> Any:
    """Times are cut to milliseconds there, which readers allow for."""
    if not isinstance(value, datetime):
        return value
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
