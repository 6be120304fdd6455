"""Which files may hold an id: a hash per row of one column, kept in memory, so that a look-up opens the few files that matter.
Of a column of maps it is a hash per key.

A table's files never change under their names, so only new ones are read. Two ids may share a hash; that opens a file too many
and never one too few. Ten million rows take some 120 MB.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.lake.snapshot import literal, quote

Hashes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.uint32]

_MOST_RECENT = 32  # files that are searched one by one before they are merged into the rest


class FileIndex:
    """One column of one table."""

    def __init__(self, column: str, query: Callable[[str], pa.Table], empty_file: str, *, of_maps: bool = False) -> None:
        """`query` runs SQL on the connection that reads the table, whose hash function is the one used."""
        self._query = query
        self._empty_file = empty_file  # gives files the columns that were declared after them
        self._value = f"unnest(map_keys({quote(column)}))" if of_maps else quote(column)
        self._forget()

    def _forget(self) -> None:
        self._numbers: dict[str, int] = {}
        self._hashes: Hashes = np.empty(0, np.uint64)  # ascending
        self._holders: Numbers = np.empty(0, np.uint32)  # the file of each
        self._recent: list[tuple[int, Hashes]] = []

    def files_with(self, files: Sequence[str], candidates: str, live: int) -> tuple[str, ...]:
        """Of these files those that may hold one of the ids in the column `id` of a registered table.

        `live` is how many files the table has in all; when most of what is known is gone, everything is forgotten.
        """
        if len(self._numbers) > 2 * live + _MOST_RECENT:
            self._forget()
        self._read(files)
        wanted: Hashes = np.sort(self._column_of(f"SELECT hash(id) FROM {candidates} WHERE id IS NOT NULL", 0))
        numbers = self._search(wanted)
        return tuple(file for file in files if self._numbers[file] in numbers)

    def _search(self, wanted: Hashes) -> set[int]:
        found = {number for number, hashes in self._recent if _any_in(wanted, hashes)}
        first = np.searchsorted(self._hashes, wanted, "left")
        last = np.searchsorted(self._hashes, wanted, "right")
        hits = last - first
        # The places from first to last of each, one after the other.
        places = np.repeat(first - np.cumsum(hits) + hits, hits) + np.arange(hits.sum())
        found.update(np.unique(self._holders[places]).tolist())
        return found

    def _read(self, files: Sequence[str]) -> None:
        """Take in the files that are not known yet."""
        new = [file for file in files if file not in self._numbers]
        if not new:
            return
        first = len(self._numbers)
        self._numbers.update({file: first + place for place, file in enumerate(new)})
        listed = ", ".join(literal(file) for file in (self._empty_file, *new))
        source = f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true)"
        rows = self._query(f"SELECT hash(id), file_index - 1 FROM (SELECT {self._value} AS id, file_index FROM {source})")
        hashes: Hashes = rows.column(0).to_numpy()
        places: Numbers = rows.column(1).to_numpy().astype(np.uint32) + np.uint32(first)
        for number in range(first, first + len(new)) if len(new) <= _MOST_RECENT else ():
            self._recent.append((number, np.sort(hashes[places == number])))
        if len(new) > _MOST_RECENT:
            self._merge([hashes], [places])
        elif len(self._recent) > _MOST_RECENT:
            recent = [(np.full(len(found), number, np.uint32), found) for number, found in self._recent]
            self._recent = []
            self._merge([found for _, found in recent], [number for number, _ in recent])

    def _merge(self, hashes: Sequence[Hashes], holders: Sequence[Numbers]) -> None:
        """Insert these among what is sorted already, which takes a tenth of the time that sorting all of it does."""
        new, by = np.concatenate(hashes), np.concatenate(holders)
        order = np.argsort(new)
        new, by = new[order], by[order]
        places = np.searchsorted(self._hashes, new)
        self._hashes = np.insert(self._hashes, places, new)
        self._holders = np.insert(self._holders, places, by)

    def _column_of(self, sql: str, place: int) -> Hashes:
        values: Hashes = self._query(sql).column(place).to_numpy()
        return values


def _any_in(wanted: Hashes, hashes: Hashes) -> bool:
    """Whether two ascending arrays share a value; the fewer are looked up among the more."""
    few, many = sorted((wanted, hashes), key=len)
    places = np.searchsorted(many, few)
    inside = places < len(many)
    return bool(np.any(many[places[inside]] == few[inside]))
