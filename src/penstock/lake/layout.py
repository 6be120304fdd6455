"""How rows lie in Parquet files: small row groups, Bloom filters on ids, statistics on times, zstd at level 2."""

from deltalake import BloomFilterProperties, ColumnProperties, WriterProperties

from penstock.lake.tables import Table

ROW_GROUP_ROWS = 16_384
BLOOM_FALSE_POSITIVES = 0.01


def writer_properties(table: Table) -> WriterProperties:
    """For appends and compactions alike."""
    columns = {name: _id_column() for name in table.bloom_columns}
    columns |= {name: ColumnProperties(statistics_enabled="CHUNK") for name in table.statistics_columns}
    return WriterProperties(
        compression="ZSTD",
        compression_level=2,
        max_row_group_size=ROW_GROUP_ROWS,
        default_column_properties=ColumnProperties(statistics_enabled="NONE"),
        column_properties=columns,
    )


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
