"""Redaction of spans that are columns: all texts are scanned in one pass, and only rows in which something may be found become
records, are redacted as these are, and are put back.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.ingest.attribute_pairs import map_unique
from penstock.ingest.redact import COUNTER_DIGITS, SPAN_IDS, SPAN_TEXTS, Redaction, is_telling, without_counter
from penstock.lake.arrow_schema import column_of
from penstock.lake.arrow_values import row_values
from penstock.records.span import Span
from penstock.text.patterns import SEPARATOR

_SEPARATOR = SEPARATOR.decode()
_MAPS = ("attributes", "tags", "keys")
_USER = "user_id"
_LOOKED_AT = (*SPAN_TEXTS, *SPAN_IDS, *_MAPS, _USER, "trace_id", "redactions")
# What a record must have and no detector looks at; it is never put back.
_NOT_LOOKED_AT: dict[str, Any] = {
    **dict.fromkeys(("span_key", "span_id", "kind", "dialect"), ""),
    **dict.fromkeys(("started_at", "ended_at", "known_at"), datetime(1970, 1, 1, tzinfo=UTC)),
}


def redact_rows(redaction: Redaction, rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows of `spans` with personal data masked, ids hashed, and how much was found."""
    if rows.num_rows == 0:
        return rows
    closer = sorted({*_find_suspects(redaction, rows), *_find_telling(redaction, rows)})
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    if closer:
        columns |= _redact_closely(redaction, rows, closer)
    columns[_USER] = map_unique(rows.column(_USER), redaction.user)
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=rows.schema)


def _find_suspects(redaction: Redaction, rows: pa.RecordBatch) -> list[int]:
    columns = [rows.column(name) for name in SPAN_TEXTS]
    columns += [_without_counters(rows.column(name)) for name in SPAN_IDS]
    columns += [part for name in _MAPS for part in _parts(rows.column(name), with_pairs=name == "keys")]
    said = [column for column in columns if column.null_count < len(column)]
    # The empty text ends each row with a separator, so that the rows stand in the buffer as they would when joined.
    join: Any = pc.binary_join_element_wise
    joined = join(*said, "", _SEPARATOR, null_handling="skip")
    starts = np.frombuffer(joined.buffers()[1], np.int32)[: rows.num_rows + 1]
    return redaction.redactor.find_suspects_in(joined.buffers()[2][: starts[-1]].to_pybytes(), starts.tolist())


def _without_counters(ids: Any) -> Any:
    if (pc.max(pc.binary_length(ids)).as_py() or 0) < COUNTER_DIGITS:
        return ids
    return pa.array([value and without_counter(value) for value in ids.to_pylist()], pa.string())


def _parts(entries: Any, *, with_pairs: bool) -> Iterable[Any]:
    """The keys, the values and the pairs of each row's map as one text each; nothing where no row has entries."""
    if not len(entries.keys):
        return ()
    build: Any = pa.ListArray.from_arrays
    pair: Any = pc.binary_join_element_wise
    parts = [entries.keys, entries.items, *([pair(entries.keys, entries.items, ": ")] if with_pairs else [])]
    return [pc.binary_join(build(entries.offsets, part), _SEPARATOR) for part in parts]


def _find_telling(redaction: Redaction, rows: pa.RecordBatch) -> Iterable[int]:
    """Rows with an entry whose name alone says that its value may not be stored as it is."""
    for column in _MAPS:
        entries: Any = rows.column(column)
        names = pc.unique(entries.keys).to_pylist() if len(entries.keys) else []
        hides = redaction.hides_key if column == "keys" else is_telling
        telling = [name for name in names if hides(name)]
        if telling:
            found: Any = pc.is_in(entries.keys, pa.array(telling))
            places = np.flatnonzero(found.to_numpy(zero_copy_only=False))
            yield from (np.searchsorted(entries.offsets.to_numpy(), places, side="right") - 1).tolist()


def _redact_closely(redaction: Redaction, rows: pa.RecordBatch, closer: Sequence[int]) -> dict[str, Any]:
    """The columns that change when these rows are redacted as records."""
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    said = [name for name in _LOOKED_AT if columns[name].null_count < rows.num_rows]
    picked: Any = rows.select(said).take(pa.array(closer))
    raw = [Span(**values, **_NOT_LOOKED_AT) for values in row_values(picked)]
    redacted = redaction.redact_suspects(raw)
    changed: dict[str, Any] = {}
    for name in said:
        before, after = ([getattr(span, name) for span in spans] for spans in (raw, redacted))
        # As a dict, a map in which a key stood twice would look as if nothing had changed.
        is_shortened = name in _MAPS and sum(map(len, before)) != len(picked.column(name).keys)
        if name != _USER and (before != after or is_shortened):
            changed[name] = _spliced(columns[name], closer, column_of(redacted, name, columns[name].type))
    return changed


def _spliced(column: Any, rows: Sequence[int], values: Any) -> Any:
    """The column with these rows, ascending, replaced; what lies between them is copied in one piece, and not row by row."""
    pieces: list[Any] = []
    done = 0
    for number, row in enumerate(rows):
        if row > done:
            pieces.append(column.slice(done, row - done))
        pieces.append(values.slice(number, 1))
        done = row + 1
    return pa.concat_arrays([*pieces, column.slice(done)])
