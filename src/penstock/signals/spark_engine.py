"""Where definitions run when one machine is not enough: the same expressions on Spark, the same functions by `mapInArrow`.

What a run looks at is still worked out here, from ids and times alone; Spark reads the turns and the reports, and gives back
findings. Its workers need this package, and what users' own definitions import, at the same version of Python.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from itertools import count
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from penstock.errors import BadInputError, MissingDependencyError
from penstock.lake.lake import Lake
from penstock.lake.spark_reader import current_on_spark
from penstock.signals.definition import FINDINGS, Definition, Tables

BATCH_ROWS = 10_000  # judged at a time, in a Python process of each core

# Set whatever the cluster's defaults are: signals depend on them.
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(BATCH_ROWS),
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.caseSensitive": "true",
}


class SparkEngine:
    """A Spark session over one lake."""

    def __init__(self, lake: Lake, session: Any) -> None:
        self._lake = lake
        self._session = session
        for name, value in _SETTINGS.items():
            session.conf.set(name, value)
        self._backend: Any = ibis.pyspark.connect(session)
        self._numbers = count()

    def current(self, table: str, ids: pa.Table, days: tuple[date, date] | None = None) -> ir.Table:
        """The current rows with these ids."""
        root = str(self._lake.root / table)
        return self._named(current_on_spark(self._session, root, self._lake.snapshot(table, days), ids))

    def keep(self, name: str, rows: ir.Table, *, is_run_once: bool) -> ir.Table:  # noqa: ARG002
        """The same rows, kept by the cluster from their first use on where they fit."""
        return self._named(self._session.sql(self._backend.compile(rows)).cache()) if is_run_once else rows

    def moment(self, at: datetime) -> ir.TimestampValue:
        """The time."""
        return ibis.literal(at)

    def release(self) -> None:
        """Let go of what the cluster keeps."""
        self._session.catalog.clearCache()

    def find(self, definition: Definition, tables: Tables) -> Iterator[pa.RecordBatch]:
        """What a definition finds, worked out by the cluster's workers."""
        candidates = self._session.sql(self._backend.compile(definition.candidates(tables)))

        def find(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            return (definition.find(batch) for batch in batches)

        found: pa.Table = candidates.mapInArrow(find, _findings_schema()).toArrow()
        yield from found.cast(FINDINGS).to_batches()

    def _named(self, frame: Any) -> ir.Table:
        name = f"penstock_{next(self._numbers)}"
        frame.createOrReplaceTempView(name)
        named: ir.Table = self._backend.table(name)
        return named


def _findings_schema() -> Any:
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(FINDINGS)


@contextmanager
def spark_engine(lake: Lake, master: str, settings: dict[str, str] | None = None) -> Iterator[SparkEngine]:
    """An engine on the cluster at `spark://HOST:PORT`, or on `local[N]`; its session ends with the block."""
    if not master.startswith(("spark://", "local", "yarn", "k8s://")):
        raise BadInputError(f"{master!r} is no Spark master; give spark://HOST:PORT, local[N], yarn or k8s://HOST.")
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingDependencyError("The Spark engine needs PySpark: pip install 'penstock[spark]'.") from error
    builder = SparkSession.builder.master(master).appName("penstock")
    builder = builder.config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false")
    for name, value in (settings or {}).items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    if "PYSPARK_PYTHON" not in os.environ:  # Spark would take the first python3 on the path, which lacks this package
        session.sparkContext.pythonExec = sys.executable
    engine = SparkEngine(lake, session)
    try:
        yield engine
    finally:
        session.stop()
