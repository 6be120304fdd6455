"""Looks for texts in everything that a home holds, decoded: a plain search finds nothing in compressed files."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def find_left(home: Path, texts: Iterable[str]) -> list[str]:
    """Where any of these texts is still to be found: file, and column or table."""
    wanted = [text.encode() for text in texts]
    found = []
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        for place, content in _contents(path):
            found += [f"{path.relative_to(home)} {place}: {text.decode()}" for text in wanted if text in content]
    return found


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    raw = path.read_bytes()
    yield "raw", raw  # logs, WAL files, JSON, free pages of databases, bodies of spools, which are Arrow without compression
    if path.suffix == ".parquet" and raw[:4] == b"PAR1":
        for name, column in zip(*_columns(path), strict=True):
            yield name, repr(column.to_pylist()).encode()
    elif raw[:15] == b"SQLite format 3":
        with closing(sqlite3.connect(path)) as connection:
            tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                for row in connection.execute(f'SELECT * FROM "{table}"'):
                    yield table, b" ".join(_value(value) for value in row)


def _columns(path: Path) -> tuple[list[str], list["pa.ChunkedArray"]]:
    rows = pq.ParquetFile(path).read()
    return rows.column_names, rows.columns


def _value(value: object) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode()
    try:
        return value + repr(pa.ipc.open_stream(value).read_all().to_pylist()).encode()
    except (pa.ArrowException, OSError):
        return value
