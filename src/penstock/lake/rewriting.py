"""Replacing files of a table by others that hold fewer of their rows: what folding, retention and erasure have in common.

One commit, which says that no data changed, so that no reader takes the rows that stay for new ones. The new files are written to
a scratch folder, several at once, and moved from there.
"""

import os
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from penstock.lake.arrow_schema import conform
from penstock.lake.delta import add_action, commit, open_delta, remove_action
from penstock.lake.durability import make_durable
from penstock.lake.parquet_file import write_parquet
from penstock.lake.place import Place
from penstock.lake.snapshot import Snapshot, day_of, file_at, source_sql
from penstock.lake.storage_failure import storage_failures
from penstock.lake.tables import PARTITION, Table
from penstock.lake.transaction_log import DataFile, read_entry

SCRATCH = "_rewriting"
FILE_BYTES = 128 * 1024 * 1024  # files of a day are put together up to so much
_THREADS = min(4, os.cpu_count() or 1)
_REWRITE = "rewrite-"  # begins the token of such a commit

Gone = Mapping[str, npt.NDArray[np.int64]]  # file -> which of its rows go, counted from 0


class Rewritten(Struct, frozen=True, kw_only=True):
    """Files that went and files that came."""

    removed: int
    added: int


def find_rows(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, places: str) -> Gone:
    """The rows that go, given SQL for their `file_index` and `file_row_number` in the snapshot's source."""
    found = connection.sql(f"SELECT file_index, file_row_number FROM ({places}) ORDER BY ALL").to_arrow_table()
    if found.num_rows == 0:
        return {}
    index, row = (found.column(place).to_numpy().astype(np.int64) for place in (0, 1))
    files, starts = np.unique(index, return_index=True)
    parts = np.split(row, starts[1:])
    return {file_at(snapshot, file): part for file, part in zip(files.tolist(), parts, strict=True)}


def count_rows(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> int:
    """How many rows the files have, superseded ones included."""
    return int(connection.execute(f"SELECT count(*) FROM {source_sql(snapshot)}").fetchall()[0][0])


def rewrite_files(root: Place, table: Table, files: Sequence[str], gone: Gone) -> Rewritten:
    """Put the rows that stay in the place of these files, durably. Nobody else may rewrite or compact the table meanwhile."""
    path, scratch = root / table.name, root / SCRATCH / uuid.uuid4().hex

    def write(group: Sequence[str]) -> DataFile | None:
        return write_parquet(scratch, day_of(group[0]), table, _kept(path, table, group, gone), data_change=False)

    with storage_failures(f"rewrite files of {table.name}", path):
        try:
            with ThreadPoolExecutor(_THREADS, "penstock-rewriting") as threads:
                added = [file for file in threads.map(write, _groups(path, files)) if file is not None]
            _move(scratch, path, added)
            _commit(path, [_removed(path, file) for file in files], added)
        finally:
            scratch.remove_all()
    return Rewritten(removed=len(files), added=len(added))


def clear_scratch(root: Place) -> None:
    """Forget what a rewriting that was cut short has left."""
    (root / SCRATCH).remove_all()


def _groups(path: Place, files: Sequence[str]) -> list[list[str]]:
    """Files of one day each, which make one file together."""
    by_day: dict[date, list[str]] = defaultdict(list)
    for file in files:
        by_day[day_of(file)].append(file)
    groups: list[list[str]] = []
    for of_day in by_day.values():
        size = FILE_BYTES
        for file in of_day:
            added = (path / _name_of(path, file)).size_bytes()
            if size + added > FILE_BYTES:
                groups.append([])
                size = 0
            groups[-1].append(file)
            size += added
    return groups


def _kept(path: Place, table: Table, files: Sequence[str], gone: Gone) -> Iterator[pa.Table]:
    """The rows that stay, as many at a time as the files have in a row group."""
    for file in files:
        with pq.ParquetFile((path / _name_of(path, file)).parquet_source()) as parquet:
            stays = np.ones(parquet.metadata.num_rows, bool)
            stays[gone.get(file, [])] = False
            first = 0
            for number in range(parquet.num_row_groups):
                rows = parquet.read_row_group(number, use_threads=False)
                here = stays[first : first + rows.num_rows]
                first += rows.num_rows
                if here.any():
                    yield conform(table, rows if here.all() else rows.filter(pa.array(here)))


def _move(scratch: Place, path: Place, files: Sequence[DataFile]) -> None:
    """Bring the files to the disk and under the table, where they count for nothing until a commit names them."""
    for file in files:
        source, target = scratch / file.path, path / file.path
        target.parent.make_folder()
        source.synchronise()
        source.move_to(target)
    for folder in sorted({(path / file.path).parent for file in files}):
        folder.synchronise()


def _commit(path: Place, removed: Sequence[DataFile], added: Sequence[DataFile]) -> None:
    handle = open_delta(path)
    before = handle.version()
    commit(handle, [*map(remove_action, removed), *map(add_action, added)], token=_REWRITE + uuid.uuid4().hex)
    make_durable(path, [read_entry(path, version) for version in range(before + 1, handle.version() + 1)])


def _removed(path: Place, file: str) -> DataFile:
    name = _name_of(path, file)
    return DataFile(path=name, size=(path / name).size_bytes(), partition={PARTITION: str(day_of(file))}, data_change=False)


def _name_of(path: Place, file: str) -> str:
    """A file of the table as its log names it."""
    return file.removeprefix(f"{path}/")
