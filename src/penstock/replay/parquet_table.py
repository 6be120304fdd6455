"""Parquet files, on the disk or on S3, as one table in the order of a watermark.

Files are not ordered among each other, so the values of the column alone are read first, and then the rows window by window:
memory holds one window, nothing is written to a disk, and row groups that a window does not touch are not read.
"""

from collections.abc import Generator, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import fs

from penstock.errors import BadInputError, ConfigurationError
from penstock.replay.location import Location, S3Object, s3_filesystem
from penstock.replay.log_rows import require_columns
from penstock.replay.watermark import TableRow

_WINDOW_ROWS = 20_000


class ParquetTable:
    """All these files, by one column that they share."""

    def __init__(self, files: Sequence[Location], arguments: Sequence[str], watermark: str) -> None:
        others = [str(file) for file in files if file.suffix.lower() != ".parquet"]
        if others:
            raise ConfigurationError(f"--watermark reads Parquet and SQL; {others[0]} is a log, which is replayed once.")
        on_s3 = [isinstance(file, S3Object) for file in files]
        if any(on_s3) and not all(on_s3):
            raise ConfigurationError("One replay by a watermark reads files on the disk or on S3, not both.")
        self.watermark: str | None = watermark
        self._column = watermark
        self.name = ", ".join(arguments)
        self.identity = f"parquet\n{self.name}\n{watermark}"
        self._filesystem: fs.FileSystem = s3_filesystem() if any(on_s3) else fs.LocalFileSystem()
        self._paths = [file.key if isinstance(file, S3Object) else str(file.resolve()) for file in files]

    def read(self, after: Any, columns: frozenset[str]) -> Generator[TableRow]:
        """The rows; raises BadInputError where the files do not fit each other or cannot be read."""
        try:
            yield from self._read(after, columns)
        except (pa.ArrowException, OSError) as error:
            raise BadInputError(f"{self.name} cannot be read: {str(error).splitlines()[0]}.") from error

    def count_unmarked(self) -> int:
        """Rows whose watermark is null."""
        return int(self._open(frozenset()).count_rows(filter=pc.field(self._column).is_null()))

    def _open(self, columns: frozenset[str]) -> ds.Dataset:
        table = ds.dataset(self._paths, format="parquet", filesystem=self._filesystem)
        require_columns(self.name, table.schema.names, columns | {self._column})
        return table

    def _read(self, after: Any, columns: frozenset[str]) -> Iterator[TableRow]:
        table = self._open(columns)
        mark: Any = pc.field(self._column)
        wanted: Any = mark.is_valid()
        if after is not None:
            wanted &= mark >= pa.scalar(after, table.schema.field(self._column).type)
        values = table.to_table(columns=[self._column], filter=wanted).column(self._column)
        number, total = 0, len(values)
        for low, high in _windows(values):
            window = table.scanner(filter=wanted & (mark >= low) & (mark <= high))
            rows = window.to_table().sort_by(self._column).to_batches() if low != high else window.to_batches()
            for batch in rows:
                for row in batch.to_pylist():
                    number += 1
                    yield row, number / total


def _windows(values: Any) -> Iterator[tuple[Any, Any]]:
    """From the lowest value to the highest, each with about as many rows as may lie in memory, or one value."""
    counted = pa.table({"value": values}).group_by("value").aggregate([([], "count_all")]).sort_by("value")
    low: Any = None
    high: Any = None
    rows = 0
    counts: list[Any] = counted.column("count_all").to_pylist()
    for value, count in zip(counted.column("value"), counts, strict=True):
        if low is not None and high is not None and rows + count > _WINDOW_ROWS:
            yield low, high
            low, rows = None, 0
        low, high, rows = value if low is None else low, value, rows + count
    if low is not None and high is not None:
        yield low, high
