"""Opening and making Delta tables at a place, with what deltalake has to be told about it."""

from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from penstock.lake.place import Place
from penstock.lake.tables import PARTITION


def open_delta(path: Place, version: int | None = None) -> DeltaTable:
    """The table at this place, as of now or of a version."""
    return DeltaTable(str(path), version=version, storage_options=path.delta_options)


def create_delta(path: Place, schema: pa.Schema, **options: Any) -> None:
    """Make a table, partitioned by day."""
    DeltaTable.create(str(path), schema, partition_by=[PARTITION], storage_options=path.delta_options, **options)
