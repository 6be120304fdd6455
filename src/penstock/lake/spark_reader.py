"""The one reader, on Spark: the rows of a snapshot that count, given by the same rule as `snapshot.py` has for DuckDB.

Spark reads the files itself, so the lake has to lie where its workers see it: on a shared file system, or on S3 with the jars
that Spark needs for it.
"""

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from penstock.errors import MissingDependencyError
from penstock.lake.arrow_schema import arrow_schema
from penstock.lake.snapshot import Snapshot

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def current_on_spark(session: "SparkSession", root: str, snapshot: Snapshot, ids: pa.Table | None = None) -> "DataFrame":
    """The rows that count, all of them or those with these ids; `root` is the folder that the partitions lie in."""
    functions, window, types = _spark()
    table = snapshot.table
    schema = types.from_arrow_schema(arrow_schema(table))
    if not snapshot.files:
        return session.createDataFrame([], schema)
    rows = session.read.schema(schema).option("basePath", root).parquet(*snapshot.files)
    rows = rows.select(
        "*", functions.col("_metadata.file_path").alias("_file"), functions.col("_metadata.row_index").alias("_row")
    )
    if ids is not None:
        wanted = session.createDataFrame(ids.rename_columns([table.id_column]))
        rows = rows.join(wanted, table.id_column, "left_semi")
    order = [*(["revision"] if table.has_revisions else []), "known_at", "_file", "_row"]
    latest = window.partitionBy(*table.identity).orderBy(*(functions.col(name).desc() for name in order))
    rows = rows.withColumn("_place", functions.row_number().over(latest)).filter("_place = 1")
    if table.hidden_when:
        rows = rows.filter(functions.col(table.hidden_when).isNull())
    return rows.select(*arrow_schema(table).names)


def _spark() -> tuple[Any, Any, Any]:
    try:
        from pyspark.sql import functions
        from pyspark.sql.pandas import types
        from pyspark.sql.window import Window
    except ImportError as error:
        raise MissingDependencyError("Reading the lake on Spark needs PySpark: pip install 'penstock[spark]'.") from error
    return functions, Window, types
