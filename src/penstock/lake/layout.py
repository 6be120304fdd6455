"""How rows lie in Parquet files: small row groups, Bloom filters on ids, statistics on times, zstd."""

from typing import Any

import pyarrow as pa
from deltalake import BloomFilterProperties, ColumnProperties, WriterProperties

from penstock.lake.arrow_schema import arrow_schema
from penstock.lake.tables import PARTITION, Table

ROW_GROUP_ROWS = 16_384
BLOOM_FALSE_POSITIVES = 0.01
ZSTD_LEVEL = 2
NEW_ROWS_ZSTD_LEVEL = 1  # a fifth more bytes and two thirds of the time, until they are compacted


def writer_properties(table: Table) -> WriterProperties:
    """For appends and compactions alike."""
    columns = {name: _id_column() for name in table.bloom_columns}
    columns |= {name: ColumnProperties(statistics_enabled="CHUNK") for name in table.statistics_columns}
    return WriterProperties(
        compression="ZSTD",
        compression_level=ZSTD_LEVEL,
        max_row_group_size=ROW_GROUP_ROWS,
        default_column_properties=ColumnProperties(statistics_enabled="NONE"),
        column_properties=columns,
    )


def parquet_options(table: Table, *, new_rows: bool) -> dict[str, Any]:
    """The same for pyarrow, and for rows that are new what is quick."""
    leaves = [leaf for field in arrow_schema(table) if field.name != PARTITION for leaf in _leaves(field.name, field.type)]
    return {
        "compression": "zstd",
        "compression_level": NEW_ROWS_ZSTD_LEVEL if new_rows else ZSTD_LEVEL,
        "use_dictionary": [leaf for leaf in leaves if leaf not in table.bloom_columns],
        "write_statistics": list(table.statistics_columns),
        "bloom_filter_options": {name: {"ndv": ROW_GROUP_ROWS, "fpp": BLOOM_FALSE_POSITIVES} for name in table.bloom_columns},
    }


def _leaves(path: str, kind: pa.DataType) -> list[str]:
    """What Parquet has columns of: a map has two, a list one."""
    if isinstance(kind, pa.MapType):
        return [*_leaves(f"{path}.key_value.key", kind.key_type), *_leaves(f"{path}.key_value.value", kind.item_type)]
    return _leaves(f"{path}.list.element", kind.value_type) if isinstance(kind, pa.ListType) else [path]


def _id_column() -> ColumnProperties:
    """A dictionary of ids is as large as the ids, and keeps DuckDB from asking the Bloom filter."""
    bloom = BloomFilterProperties(True, BLOOM_FALSE_POSITIVES, ROW_GROUP_ROWS)
    return ColumnProperties(dictionary_enabled=False, statistics_enabled="NONE", bloom_filter_properties=bloom)


def table_configuration(table: Table) -> dict[str, str | None]:
    """Checkpoints and clean-up are ours to time (maintenance.py), never a side effect of an append."""
    return {
        "delta.dataSkippingStatsColumns": ",".join(table.statistics_columns),
        "delta.enableExpiredLogCleanup": "false",
    }
