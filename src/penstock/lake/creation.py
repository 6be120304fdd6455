"""Making a table, or bringing an older one up to the columns declared now; columns are only ever added, and may be empty."""

import time

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import Field, Schema
from deltalake.exceptions import DeltaError

from penstock.errors import StorageError
from penstock.lake.arrow_schema import arrow_schema
from penstock.lake.delta import create_delta, open_delta
from penstock.lake.durability import make_log_durable
from penstock.lake.layout import table_configuration
from penstock.lake.place import Place
from penstock.lake.storage_failure import storage_failures
from penstock.lake.tables import PARTITION, Table
from penstock.lake.transaction_log import list_versions, log_folder

_ATTEMPTS = 5


def create_table(root: Place, table: Table) -> None:
    """Make the table if it is not there, add the columns it lacks, and write its empty file; harmless to repeat.

    The empty file is written last, so where it is there with the columns declared now, all of this was done before.
    """
    path = root / table.name
    schema = arrow_schema(table)
    with storage_failures(f"create the table {table.name}", path):
        if log_folder(path).is_dir() and list_versions(path) and _is_written(empty_file(root, table), schema):
            return
        path.make_folder()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                _make(path, table, schema)
                break
            except DeltaError:  # most likely another process is making it too
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(0.05 * attempt)
        make_log_durable(path, list_versions(path)[-2:])
        path.synchronise()
        _write_empty_file(empty_file(root, table), schema)


def empty_file(root: Place, table: Table) -> Place:
    """A Parquet file with every declared column and no row; every read begins with it."""
    return root / "_schema" / table.name / f"{PARTITION}=1970-01-01" / "empty.parquet"


def _make(path: Place, table: Table, schema: pa.Schema) -> None:
    if not log_folder(path).is_dir() or not list_versions(path):
        create_delta(path, schema, mode="ignore", configuration=table_configuration(table))
    _add_missing_columns(path, schema)


def _add_missing_columns(path: Place, schema: pa.Schema) -> None:
    handle = open_delta(path)
    stored = {field.name: field for field in handle.schema().fields}
    declared = {field.name: field for field in Schema.from_arrow(schema).fields}
    changed = sorted(name for name in stored.keys() & declared.keys() if str(stored[name].type) != str(declared[name].type))
    if changed:
        raise StorageError(f"{path} holds {', '.join(changed)} with another type than is declared; move it to a new table.")
    missing = [Field(name, field.type, nullable=True) for name, field in declared.items() if name not in stored]
    if missing:
        handle.alter.add_columns(missing)


def _stored_columns(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in schema if field.name != PARTITION])


def _is_written(path: Place, schema: pa.Schema) -> bool:
    """Whether the file is there, whole and with these columns; a torn one is written anew."""
    try:
        return path.is_file() and pq.read_schema(path.parquet_source()).equals(_stored_columns(schema))
    except (pa.ArrowException, OSError):
        return False


def _write_empty_file(path: Place, schema: pa.Schema) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(_stored_columns(schema).empty_table(), sink)
    path.parent.make_folder()
    path.replace_durably(sink.getvalue().to_pybytes())
