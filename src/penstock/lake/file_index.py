"""Which files may hold an id: a number per row of one column, kept in memory, so that a look-up opens the few files that matter.
Of a column of maps it is a number per key.

A table's files never change under their names, so only new ones are read. A number holds most bits of the id's hash and, below
them, which file it is in, so that sorting is all there is to do. Two ids may share their bits; that opens a file too many and
never one too few. Ten million rows take 80 MB, and are kept beside the tables for the next process.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from penstock.lake.place import Place
from penstock.lake.saved_numbers import Numbers, load, save
from penstock.lake.snapshot import literal, quote

_FILE_BITS = 22  # four million files; of 20,000 ids looked up among ten million one in 25 is at first sought in vain in one
_OF_FILE = np.uint64(2**_FILE_BITS - 1)
_MOST_RECENT = 500_000  # rows that are sorted by themselves before they are merged into the rest
_FEW_FILES = 32
_WORTH_SAVING = 1_000_000  # more rows than were saved, which take a third of a second to read


class FileIndex:
    """One column of one table."""

    def __init__(
        self, column: str, query: Callable[[str], pa.Table], empty_file: str, kept_at: Place, *, of_maps: bool = False
    ) -> None:
        """`query` runs SQL on the connection that reads the table, whose hash function is the one used."""
        self._query = query
        self._empty_file = empty_file  # gives files the columns that were declared after them
        self._value = f"unnest(map_keys({quote(column)}))" if of_maps else quote(column)
        self._kept_at = kept_at
        self._files, self._sorted = load(kept_at)
        self._saved = len(self._sorted)
        self._recent: Numbers = np.empty(0, np.uint64)  # the same of the newest files

    def files_with(self, files: Sequence[str], candidates: str, live: int) -> tuple[str, ...]:
        """Of these files those that may hold one of the ids in the column `id` of a registered table.

        `live` is how many files the table has in all; when most of what is known is gone, everything is forgotten.
        """
        if len(self._files) > 2 * live + _FEW_FILES:
            self._files, self._saved = {}, 0
            self._sorted = self._recent = np.empty(0, np.uint64)
        self._read(files)
        wanted = np.sort(self._numbers(f"SELECT hash(id) FROM {candidates} WHERE id IS NOT NULL") & ~_OF_FILE)
        found = {*_holders(self._sorted, wanted), *_holders(self._recent, wanted)}
        return tuple(file for file in files if self._files[file] in found)

    def _read(self, files: Sequence[str]) -> None:
        """Take in the files that are not known yet."""
        new = [file for file in files if file not in self._files]
        if not new:
            return
        first = len(self._files)
        self._files.update({file: first + place for place, file in enumerate(new)})
        listed = ", ".join(literal(file) for file in (self._empty_file, *new))
        source = f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true)"
        ids = f"SELECT {self._value} AS id, CAST(file_index - 1 + {first} AS UBIGINT) AS file FROM {source}"
        self._recent = _merged(self._recent, self._numbers(f"SELECT (hash(id) & {~_OF_FILE}) | file FROM ({ids})"))
        if len(self._recent) > _MOST_RECENT:
            self._sorted = _merged(self._sorted, self._recent)
            self._recent = self._recent[:0].copy()
            if len(self._sorted) - self._saved >= max(_WORTH_SAVING, self._saved // 4):
                self._saved = len(self._sorted)
                save(self._kept_at, self._files, self._sorted)

    def _numbers(self, sql: str) -> Numbers:
        numbers: Numbers = self._query(sql).column(0).to_numpy()
        return numbers


def _merged(ascending: Numbers, more: Numbers) -> Numbers:
    """All of them in ascending order. A stable sort takes one pass over what is in order already; other kinds take many."""
    together = np.concatenate([ascending, np.sort(more)])
    together.sort(kind="stable")
    return together


def _holders(ascending: Numbers, wanted: Numbers) -> set[int]:
    """The files whose numbers have the same bits of a hash as one that is wanted."""
    first = np.searchsorted(ascending, wanted, "left")
    hits = np.searchsorted(ascending, wanted | _OF_FILE, "right") - first
    # The places of all hits of each, one after the other.
    places = np.repeat(first - np.cumsum(hits) + hits, hits) + np.arange(hits.sum())
    holders: list[int] = np.unique(ascending[places] & _OF_FILE).tolist()
    return set(holders)
