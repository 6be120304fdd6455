"""Replacing files of a table by others that hold fewer of their rows: what folding, retention and erasure have in common.

One commit, which says that no data changed, so that no reader takes the rows that stay for new ones. The new files are written by
the same writer as every append, into a scratch table, and moved from there.
"""

import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import duckdb
import pyarrow as pa
from deltalake import CommitProperties, PostCommitHookProperties, write_deltalake
from deltalake.transaction import AddAction, RemoveAction
from msgspec import Struct

from penstock.lake.arrow_schema import arrow_schema, conform
from penstock.lake.delta import create_delta, open_delta
from penstock.lake.durability import make_durable
from penstock.lake.layout import writer_properties
from penstock.lake.place import Place
from penstock.lake.storage_failure import storage_failures
from penstock.lake.tables import PARTITION, Table
from penstock.lake.transaction_log import COMMIT_TOKEN, TRANSACTION_COUNT, DataFile, read_entry

SCRATCH = "_rewriting"
FILE_BYTES = 128 * 1024 * 1024
BATCH_ROWS = 16_384
_REWRITE = "rewrite-"  # begins the token of such a commit


class Rewritten(Struct, frozen=True, kw_only=True):
    """Files that went and files that came."""

    removed: int
    added: int


def rewrite_files(root: Place, table: Table, files: Sequence[str], kept: pa.RecordBatchReader) -> Rewritten:
    """Put the rows `kept` in the place of these files, durably. Nobody else may rewrite or compact the table meanwhile."""
    path, scratch = root / table.name, root / SCRATCH / uuid.uuid4().hex
    with storage_failures(f"rewrite files of {table.name}", path):
        try:
            added = _write_scratch(scratch, table, kept)
            _move(scratch, path, added)
            _commit(path, [_remove(path, file) for file in files], [_add(path, file) for file in added])
        finally:
            scratch.remove_all()
    return Rewritten(removed=len(files), added=len(added))


def rows_except(connection: duckdb.DuckDBPyConnection, source: str, gone: str) -> pa.RecordBatchReader:
    """The rows of a source but for those whose places stand in the table `gone`, a part at a time."""
    placed = f"(SELECT *, file_index, file_row_number FROM {source})"
    kept = f"SELECT * EXCLUDE (file_index, file_row_number) FROM {placed} ANTI JOIN {gone} USING (file_index, file_row_number)"
    reader: pa.RecordBatchReader = connection.sql(kept).to_arrow_reader(BATCH_ROWS)
    return reader


def fetch_pair(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, int]:
    """The two whole numbers that a query gives."""
    first, second = connection.execute(sql).fetchall()[0]
    return int(first), int(second)


def clear_scratch(root: Place) -> None:
    """Forget what a rewriting that was cut short has left."""
    (root / SCRATCH).remove_all()


def _write_scratch(scratch: Place, table: Table, kept: pa.RecordBatchReader) -> list[DataFile]:
    schema = arrow_schema(table)
    create_delta(scratch, schema)
    write_deltalake(
        str(scratch),
        pa.RecordBatchReader.from_batches(schema, _conforming(table, kept)),
        mode="append",
        writer_properties=writer_properties(table),
        target_file_size=FILE_BYTES,
        storage_options=scratch.delta_options,
        post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
    )
    return list(read_entry(scratch, 1).adds)


def _conforming(table: Table, kept: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    for batch in kept:
        yield from conform(table, pa.Table.from_batches([batch])).to_batches()


def _move(scratch: Place, path: Place, files: Sequence[DataFile]) -> None:
    """Bring the files to the disk and under the table, where they count for nothing until a commit names them."""
    for file in files:
        source, target = scratch / file.path, path / file.path
        target.parent.make_folder()
        source.synchronise()
        source.move_to(target)
    for folder in sorted({(path / file.path).parent for file in files}):
        folder.synchronise()


def _commit(path: Place, removes: Sequence[RemoveAction], adds: Sequence[AddAction]) -> None:
    handle = open_delta(path)
    before = handle.version()
    handle.create_write_transaction(
        [*removes, *adds],
        "append",
        handle.schema(),
        [PARTITION],
        commit_properties=CommitProperties(custom_metadata={COMMIT_TOKEN: _REWRITE + uuid.uuid4().hex, TRANSACTION_COUNT: 0}),
        post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
    )
    make_durable(path, [read_entry(path, version) for version in range(before + 1, handle.version() + 1)])


def _remove(path: Place, file: str) -> RemoveAction:
    name = file.removeprefix(f"{path}/")
    partition: dict[str, str | None] = {PARTITION: PurePosixPath(name).parent.name.removeprefix(f"{PARTITION}=")}
    return RemoveAction(name, False, time.time_ns() // 1_000_000, (path / name).size_bytes(), partition)


def _add(path: Place, file: DataFile) -> AddAction:
    return AddAction(
        path=file.path,
        size=(path / file.path).size_bytes(),
        partition_values=file.partition,
        modification_time=time.time_ns() // 1_000_000,
        data_change=False,
        stats=file.statistics or "",
    )
