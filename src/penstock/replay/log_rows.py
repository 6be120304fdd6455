"""The rows of a CSV, JSONL or Parquet log, one at a time; a bad row is a row with its problem, a bad file a BadInputError.

Nothing here holds more than one row, or one row group of Parquet, in memory.
"""

import csv
import difflib
import io
import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import pyarrow
import pyarrow.parquet
from msgspec import Struct

from penstock.errors import BadInputError
from penstock.replay.compressed import OpenFile, open_unpacked, plain_name, reading
from penstock.replay.json_rows import read_json
from penstock.replay.location import Location
from penstock.replay.mapping import Format, SourceMapping

MAX_ROW_BYTES = 32 * 1024 * 1024
_PARQUET_BATCH = 1024
_MOST_SHOWN = 20  # columns in an error
_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
}


class Mark(Struct, frozen=True):
    """Where a row stands in a table that grows: its watermark, and what it is known by among those with the same one."""

    value: str  # as watermark.encode_mark writes it
    digest: str


class LogRow(Struct, frozen=True):
    """One row of a log; `number` counts from 1 and leaves a header out."""

    number: int
    values: dict[str, Any]
    problem: str | None
    fraction: float  # of the file that has been read
    mark: "Mark | None" = None  # of a table that is read by a watermark


def _suffix(path: Location) -> str:
    return PurePosixPath(plain_name(path)).suffix.lower()


def is_log(path: Location) -> bool:
    """Whether the name is that of a log that can be read row by row."""
    return _suffix(path) in _SUFFIXES


def read_rows(path: Location, source: SourceMapping, columns: frozenset[str], after: int = 0) -> Iterator[LogRow]:
    """The rows after row number `after`; `columns` must exist where the format has a header. Raises BadInputError."""
    match source.format or _SUFFIXES.get(_suffix(path)):
        case "csv":
            rows = _read_csv(path, source, columns)
        case "jsonl":
            rows = _read_jsonl(path, source.encoding)
        case "json":
            rows = _read_json(path)
        case "parquet":
            rows = _read_parquet(path, columns, after)
        case _:
            known = ", ".join(_SUFFIXES)
            raise BadInputError(f"{path} is none of {known} by its name; say format in the [source] of the mapping.")
    return (row for row in rows if row.number > after)


def _read_csv(path: Location, source: SourceMapping, columns: frozenset[str]) -> Iterator[LogRow]:
    delimiter = "\t" if _suffix(path) == ".tsv" and source.delimiter == "," else source.delimiter
    csv.field_size_limit(MAX_ROW_BYTES)  # one setting for the whole process, which nothing else here uses
    with open_unpacked(path) as file, _text(file.stream, path, source.encoding) as text:
        reader = csv.reader(_text_lines(text, path), delimiter=delimiter)
        try:
            header = next(reader, None)
            if header is None:
                raise BadInputError(f"{path} is empty; a CSV file begins with the names of its columns.")
            require_columns(path, header, columns)
            lines = (line for line in reader if line)
            for number, line in enumerate(lines, start=1):
                yield _csv_row(number, header, line, source.encoding, file.fraction)
        except csv.Error as error:
            raise BadInputError(
                f"{path} cannot be read as CSV beyond line {reader.line_num}: {error}. Is a quote left open?"
            ) from error


def _text_lines(text: io.TextIOWrapper, path: Location) -> Iterator[str]:
    """Lines of a bounded length, so that a file that is no CSV does not fill the memory."""
    while line := text.readline(MAX_ROW_BYTES):
        if len(line) >= MAX_ROW_BYTES:
            raise BadInputError(f"{path} has a line of more than {MAX_ROW_BYTES:,} characters; is it CSV?")
        yield line


def _csv_row(number: int, header: list[str], line: list[str], encoding: str, fraction: float) -> LogRow:
    problem = None
    if len(line) != len(header):
        problem = f"it has {len(line)} fields where the header has {len(header)}"
    elif any(_is_undecoded(cell) for cell in line):
        problem = f"it holds bytes that are not {encoding}; say encoding in the [source] of the mapping"
    return LogRow(number, dict(zip(header, line, strict=False)), problem, fraction)


def _is_undecoded(text: str) -> bool:
    """Whether decoding left bytes behind that it could not read, as surrogates."""
    return not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text)


def _text(stream: io.BufferedReader, path: Location, encoding: str) -> io.TextIOWrapper:
    """Text with every undecodable byte kept apart, so that it costs its row only."""
    _refuse_other_unicode(stream.peek(2)[:2], path, encoding)
    wide = encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32"))
    name = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
    return io.TextIOWrapper(stream, encoding=name, errors="replace" if wide else "surrogateescape", newline="")


def _refuse_other_unicode(start: bytes, path: Location, encoding: str) -> None:
    if start in (b"\xff\xfe", b"\xfe\xff") and not encoding.lower().startswith(("utf-16", "utf_16", "utf-32", "utf_32")):
        raise BadInputError(f'{path} is UTF-16, not {encoding}; say encoding = "utf-16" in the [source] of the mapping.')


def _read_jsonl(path: Location, encoding: str) -> Iterator[LogRow]:
    with open_unpacked(path) as file:
        for number, line in enumerate(_lines(file), start=1):
            if line is None:
                yield LogRow(number, {}, f"it is longer than {MAX_ROW_BYTES:,} bytes", file.fraction)
            elif line.strip():
                yield _json_row(number, line, encoding, file.fraction)


def _lines(file: OpenFile) -> Iterator[bytes | None]:
    """Each line; None for one that is too long to hold."""
    while line := file.stream.readline(MAX_ROW_BYTES):
        if len(line) < MAX_ROW_BYTES or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.stream.readline(MAX_ROW_BYTES)
        yield None


def _json_row(number: int, line: bytes, encoding: str, fraction: float) -> LogRow:
    try:
        values = json.loads(line.decode("utf-8-sig" if encoding == "utf-8" else encoding))
    except UnicodeDecodeError:
        return LogRow(
            number, {}, f"it holds bytes that are not {encoding}; say encoding in the [source] of the mapping", fraction
        )
    except (json.JSONDecodeError, RecursionError) as error:
        detail = f"{error.msg} at character {error.pos}" if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        return LogRow(number, {}, f"it is not JSON: {detail}", fraction)
    if not isinstance(values, dict):
        return LogRow(number, {}, f"it is a JSON {type(values).__name__} where an object is needed", fraction)
    return LogRow(number, values, None, fraction)


def _read_json(path: Location) -> Iterator[LogRow]:
    for number, (values, fraction) in enumerate(read_json(path), start=1):
        problem = None if isinstance(values, dict) else f"it is a JSON {type(values).__name__} where an object is needed"
        yield LogRow(number, values if isinstance(values, dict) else {}, problem, fraction)


def _read_parquet(path: Location, columns: frozenset[str], after: int) -> Iterator[LogRow]:
    if plain_name(path) != path.name:
        raise BadInputError(f"{path} is Parquet packed once more, which cannot be read in pieces; unpack it first.")
    with open_unpacked(path) as opened, reading(path):
        try:
            with pyarrow.parquet.ParquetFile(opened.stream) as file:
                require_columns(path, file.schema_arrow.names, columns)
                yield from _parquet_rows(file, after)
        except pyarrow.ArrowException as error:
            raise BadInputError(f"{path} cannot be read as Parquet: {error}.") from error


def _parquet_rows(file: pyarrow.parquet.ParquetFile, after: int) -> Iterator[LogRow]:
    total = file.metadata.num_rows
    number = 0
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if number + rows <= after:
            number += rows
            continue
        for batch in file.iter_batches(_PARQUET_BATCH, row_groups=[group]):
            for values in batch.to_pylist():
                number += 1
                yield LogRow(number, values, None, number / total)


def require_columns(path: object, header: list[str], columns: frozenset[str]) -> None:
    """Raise BadInputError for a column that a mapping binds and a header lacks, or has twice."""
    for column in sorted(columns - set(header)):
        close = difflib.get_close_matches(column, header, n=1)
        hint = f" Did you mean `{close[0]}`?" if close else ""
        there = ", ".join(header[:_MOST_SHOWN]) + (", ..." if len(header) > _MOST_SHOWN else "")
        raise BadInputError(f"{path} has no column `{column}`, which the mapping binds; it has {there}.{hint}")
    repeated = sorted({name for name in header if header.count(name) > 1} & columns)
    if repeated:
        raise BadInputError(f"{path} has more than one column `{repeated[0]}`; rename one of them.")
