"""Replacing files of a table by others that hold fewer of their rows, or the same with less in them: what folding, retention,
erasure and the thinning of sampled-out spans have in common.

One commit, which says that no data changed, so that no reader takes the rows that stay for new ones. The new files are written to
a scratch folder, several at once, and moved from there.
"""

import os
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from penstock.lake.snapshot import Snapshot, day_of, file_at, name_of, source_sql
from penstock.lake.storage_failure import storage_failures
from penstock.lake.tables import PARTITION, Table
from penstock.lake.transaction_log import DataFile, read_entry

SCRATCH = "_rewriting"
FILE_BYTES = 128 * 1024 * 1024  # files of a day are put together up to so much
_THREADS = min(4, os.cpu_count() or 1)
_REWRITE = "rewrite-"  # begins the token of such a commit

Places = Mapping[str, npt.NDArray[np.int64]]  # file -> some of its rows, counted from 0
Replace = Callable[[pa.Table], pa.Table]  # rows of a table -> as many of the same days to stand in their places


class Rewritten(Struct, frozen=True, kw_only=True):
    """Files that went and files that came."""

    removed: int
    added: int


def find_rows(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, places: str) -> Places:
    """Where rows lie, given SQL for their `file_index` and `file_row_number` in the snapshot's source."""
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


def rewrite_files(root: Place, table: Table, files: Sequence[str], places: Places, replace: Replace | None = None) -> Rewritten:
    """Write these files again without the rows at these places, or with what `replace` makes of them, durably.

    Nobody else may rewrite or compact the table meanwhile.
    """
    path, scratch = root / table.name, root / SCRATCH / uuid.uuid4().hex

    def write(group: Sequence[str]) -> DataFile | None:
        return write_parquet(scratch, day_of(group[0]), table, _rows(path, table, group, places, replace), data_change=False)

    with storage_failures(f"rewrite files of {table.name}", path):
        try:
            with ThreadPoolExecutor(_THREADS, "penstock-rewriting") as threads:
                added = [file for file in threads.map(write, _groups(path, files)) if file is not None]
            _move(scratch, path, added)
            _commit(path, [_removed(path, file) for file in files], added)
        finally:
            scratch.remove_all()
    return Rewritten(removed=len(files), added=len(added))


def replace_rows(root: Place, snapshot: Snapshot, places: str, replace: Replace, connection: duckdb.DuckDBPyConnection) -> int:
    """Write the files that have rows at these places, SQL as for find_rows(), again with others there; how many were replaced."""
    with storage_failures(f"replace rows of {snapshot.table.name}", root / snapshot.table.name):
        found = find_rows(connection, snapshot, places)
        if found:
            rewrite_files(root, snapshot.table, sorted(found), found, replace)
    return sum(map(len, found.values()))


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
            added = (path / name_of(path, file)).size_bytes()
            if size + added > FILE_BYTES:
                groups.append([])
                size = 0
            groups[-1].append(file)
            size += added
    return groups


def _rows(path: Place, table: Table, files: Sequence[str], places: Places, replace: Replace | None) -> Iterator[pa.Table]:
    """The rows of the new file, as many at a time as the files have in a row group."""
    for file in files:
        with pq.ParquetFile((path / name_of(path, file)).parquet_source()) as parquet:
            stays = np.ones(parquet.metadata.num_rows, bool)
            stays[places.get(file, [])] = False
            first = 0
            for number in range(parquet.num_row_groups):
                rows = parquet.read_row_group(number, use_threads=False)
                here = stays[first : first + rows.num_rows]
                first += rows.num_rows
                if here.all():
                    yield conform(table, rows)
                elif replace is not None:
                    yield _replaced(conform(table, rows), here, replace)
                elif here.any():
                    yield conform(table, rows.filter(pa.array(here)))


def _replaced(rows: pa.Table, stays: npt.NDArray[np.bool_], replace: Replace) -> pa.Table:
    """The rows in their order, those that do not stay replaced."""
    together = pa.concat_tables([rows.filter(pa.array(stays)), replace(rows.filter(pa.array(~stays)))])
    return together.take(np.argsort(np.concatenate([np.flatnonzero(stays), np.flatnonzero(~stays)])))


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
    name = name_of(path, file)
    return DataFile(path=name, size=(path / name).size_bytes(), partition={PARTITION: str(day_of(file))}, data_change=False)
