"""Spans of the newest convention, decoded an attribute at a time for all spans of a request together.

What takes a closer look (another dialect, events, an attribute given twice or of an unusual type, ids and times that cannot be)
is left to `decode.py`, span by span. Where both can read a span they read the same; a test holds them to it.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from msgspec import NODEFAULT, Struct
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from penstock.errors import BadInputError
from penstock.formats.aliases import Convert, count_of, first_text, milliseconds, real_of, text_of
from penstock.formats.any_value import plain, plain_map
from penstock.formats.genai import FOREIGN, KINDS, LEGACY, NEWEST, NONE, NORMALISED, RAW, UNKNOWN
from penstock.formats.genai_places import Place, Role, place_of
from penstock.formats.json_value import encode_json
from penstock.formats.message_text import is_plain, read_messages, read_parts
from penstock.formats.otlp_columns import Indexes, TraceColumns
from penstock.ingest.attribute_length import MOST_ATTRIBUTE_CHARACTERS
from penstock.ingest.attribute_pairs import AttributePairs, Mask, byte_lengths, map_unique, valid_mask
from penstock.ingest.map_entries import MapEntries, map_column
from penstock.ingest.origin import EARLIEST_NS, Origin, latest_plausible_ns, origin_of
from penstock.ingest.span_ids import hexadecimal, is_id, join_ids
from penstock.lake.arrow_schema import arrow_schema
from penstock.lake.tables import PARTITION, TABLES
from penstock.records.ids import interaction_ids
from penstock.records.span import Span, SpanKind

_STATUS = pa.array(["unset", "ok", "error"])
_ERROR = 2
_MOST_RESOURCE_BYTES = 64 * 1024 * 1024  # of all spans together; what repeats more is read span by span
_MOST_NAMES = 500  # of attributes; what has more, and each of them seldom, is read span by span
_FEW_PAIRS = 8
_BEFORE = 2**40  # an order before all attributes
_USUAL_SPANS = 1000  # of longer columns none is kept in memory
_TRACE_BYTES, _SPAN_BYTES = 16, 8
_SCALARS = ("string_value", "int_value", "double_value", "bool_value")
_INPUT, _OUTPUT, _INSTRUCTIONS = "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"
_SCHEMA = arrow_schema(TABLES["spans"])
_DEFAULTS = {
    field.name: None if field.default is NODEFAULT else field.default
    for field in msgspec.structs.fields(Span)
    if field.default_factory is NODEFAULT
}


class Plain(Struct, frozen=True):
    """The rows of `spans` that were read, raw; `odd` marks the spans of the request that are not among them."""

    rows: pa.RecordBatch
    odd: Mask


def read_plain_spans(columns: TraceColumns, known_at: datetime) -> Plain:
    """Every span that can be read in columns; BadInputError where a resource or scope cannot be decoded."""
    draft = _Draft(columns)
    known = {group: _origin(*group, known_at) for group in dict.fromkeys(columns.groups)}
    origins = [known[group] for group in columns.groups]
    draft.read_frame(origins, known_at)
    draft.read_attributes()
    draft.finish()
    rows = pa.RecordBatch.from_arrays([draft.column(field) for field in _SCHEMA], schema=_SCHEMA)
    return Plain(rows.filter(pa.array(~draft.odd)) if draft.odd.any() else rows, draft.odd)


def _origin(resource: bytes, scope: bytes, known_at: datetime) -> Origin:
    try:
        attributes = plain_map(Resource.FromString(resource).attributes)
        return origin_of(attributes, InstrumentationScope.FromString(scope), known_at)
    except DecodeError as error:
        raise BadInputError(
            f"A resource or scope of the request is no protobuf ({error}); check that the body is whole."
        ) from error


class _Draft:
    """The columns of one request as they come to be."""

    def __init__(self, columns: TraceColumns) -> None:
        self.size = len(columns)
        self.odd: Mask = (columns.event_counts > 0) | (byte_lengths(columns.status_message) > 0)
        self._columns = columns
        self._pairs = AttributePairs(columns)
        self.odd[self._pairs.again] = True
        self.odd[self._pairs.ambiguous] = True
        self._arrays: dict[str, Any] = {}
        self._given: dict[str, Mask] = {}  # which rows have a column already
        self._parameters: list[tuple[str, slice]] = []
        self._entries: dict[str, list[MapEntries]] = {"attributes": [], "keys": [], "tags": []}

    def column(self, field: "pa.Field[Any]") -> Any:
        """A finished column, or what it holds where nothing was said."""
        array = self._arrays.get(field.name)
        if array is not None:
            return array
        return _default(field.name, self.size) if self.size <= _USUAL_SPANS else _make_default(field.name, self.size)

    def read_frame(self, origins: Sequence[Origin], known_at: datetime) -> None:
        """What every span has beside its attributes."""
        columns, arrays = self._columns, self._arrays
        self._read_ids()
        started, ended = self._read_times(known_at)
        arrays["started_at"], arrays["ended_at"] = started, ended
        arrays["known_at"] = pa.repeat(pa.scalar(known_at, _SCHEMA.field("known_at").type), self.size)
        arrays[PARTITION] = pc.cast(started, pa.date32())
        arrays["name"] = columns.name
        for name in ("scope", "application"):
            arrays[name] = pa.array([getattr(origin, name) for origin in origins], pa.string()).take(_indexes(columns.group))
        codes = columns.status_code
        if codes.any():
            arrays["status"] = _STATUS.take(_indexes(np.where((codes >= 0) & (codes <= _ERROR), codes, 0)))
        self._read_resources(origins)

    def _read_resources(self, origins: Sequence[Origin]) -> None:
        """What each resource says is said by each of its spans; of what would be too much of that, all are odd."""
        group, attributes = self._columns.group, [origin.attributes for origin in origins]
        sizes = np.array([len(of_group) for of_group in attributes], np.int64)
        if not sizes.any():
            return
        names = pa.array([name for of_group in attributes for name in of_group], pa.string())
        values = pa.array([value for of_group in attributes for value in of_group.values()], pa.string())
        ends = np.cumsum(sizes)
        # The places among names and values of what each span's resource says, span after span.
        counts = sizes[group]
        rows = np.repeat(np.arange(self.size), counts)
        order = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        places = np.repeat((ends - sizes)[group], counts) + order
        lengths = byte_lengths(values)
        if (byte_lengths(names) + lengths)[places].sum() > _MOST_RESOURCE_BYTES:
            self.odd[:] = True
            return
        self.odd[rows[lengths[places] > MOST_ATTRIBUTE_CHARACTERS]] = True
        taken = _indexes(places)
        self._add("attributes", rows, order - _BEFORE, names.take(taken), values.take(taken))

    def read_attributes(self) -> None:
        """All attributes, a name at a time."""
        if len(self._pairs.names) > _MOST_NAMES and len(self._pairs.names) * _FEW_PAIRS > len(self._pairs.order):
            self.odd[:] = True
            return
        for name, part in self._pairs.names.items():
            place = place_of(name)
            if place is None:
                self.odd[self._pairs.rows[part]] = True
            elif place.role is Role.COLUMN:
                self._read_column(place, part)
            elif place.role is Role.PARAMETER:
                self._parameters.append((place.name, part))
            elif place.role is not Role.CONTENT:
                self._read_entry(place, part)

    def finish(self) -> None:
        """What depends on several attributes."""
        self._read_content()
        if self._parameters:
            self._read_parameters()
        self._normalise()
        columns, arrays = self._columns, self._arrays
        operation = arrays.get("operation")
        kinds = map_unique(operation, lambda value: str(KINDS.get(value, SpanKind.OTHER))) if operation is not None else None
        other = pa.scalar(str(SpanKind.OTHER))
        arrays["kind"] = pc.fill_null(kinds, other) if kinds is not None else pa.repeat(other, self.size)
        arrays["dialect"] = self._dialects()
        failed = columns.status_code == _ERROR
        if failed.any():
            error = pc.if_else(pa.array(failed), "error", None)
            arrays["error_type"] = pc.coalesce(arrays["error_type"], error) if "error_type" in arrays else error
        for name, entries in self._entries.items():
            if entries:
                arrays[name], again = map_column(entries, self.size)
                self.odd[again] = True

    def _read_ids(self) -> None:
        columns, arrays = self._columns, self._arrays
        trace_ids, span_ids = join_ids(columns.trace_id, _TRACE_BYTES), join_ids(columns.span_id, _SPAN_BYTES)
        parent_ids = join_ids(columns.parent_span_id, _SPAN_BYTES)
        absent = byte_lengths(columns.parent_span_id) == 0
        self.odd |= ~is_id(trace_ids, _TRACE_BYTES) | ~is_id(span_ids, _SPAN_BYTES)
        self.odd |= ~absent & (byte_lengths(columns.parent_span_id) != _SPAN_BYTES)
        arrays["trace_id"], arrays["span_id"] = hexadecimal(trace_ids, _TRACE_BYTES), hexadecimal(span_ids, _SPAN_BYTES)
        if not absent.all():
            parents = hexadecimal(parent_ids, _SPAN_BYTES)
            arrays["parent_span_id"] = pc.if_else(pa.array(absent), None, parents) if absent.any() else parents
        arrays["span_key"] = pa.array(interaction_ids(trace_ids.hex(), span_ids.hex()), pa.string())

    def _read_times(self, known_at: datetime) -> tuple[Any, Any]:
        latest = latest_plausible_ns(known_at)
        start, end = self._columns.start_ns, self._columns.end_ns
        self.odd |= (start < EARLIEST_NS) | (start > latest)
        ended = np.where((end < EARLIEST_NS) | (end > latest), start, np.maximum(start, end))
        kind = _SCHEMA.field("started_at").type
        # A time that cannot be is in a row which is left out; it only has to fit.
        microseconds = ((moment // 1000).astype(np.int64) for moment in (start, ended))
        started_at, ended_at = (pa.array(np.where(self.odd, 0, moment)).view(kind) for moment in microseconds)
        return started_at, ended_at

    def _dialects(self) -> Any:
        """As `read_genai` detects them."""
        newest = self._having("gen_ai.provider.name".__eq__)
        if newest.all():
            return pa.repeat(NEWEST, self.size)
        legacy = self._having("gen_ai.system".__eq__)
        some = self._having(lambda name: name.startswith("gen_ai."))
        foreign = self._having(lambda name: name.startswith(FOREIGN))
        chosen = np.select([newest, legacy, some, foreign], [0, 1, 0, 2], 3)
        return pa.array([NEWEST, LEGACY, UNKNOWN, NONE]).take(pa.array(chosen))

    def _having(self, is_meant: Callable[[str], bool]) -> Mask:
        """Which rows have an attribute whose name is meant."""
        mask = np.zeros(self.size, np.bool_)
        for name, part in self._pairs.names.items():
            if is_meant(name):
                mask[self._pairs.rows[part]] = True
        return mask

    def _read_column(self, place: Place, part: slice) -> None:
        assert place.convert is not None  # noqa: S101 - it is a column's
        rows = self._pairs.rows[part]
        converted = self._spread(_CONVERSIONS[place.convert](self, part), rows)
        given = self._given.setdefault(place.name, np.zeros(self.size, np.bool_))
        self.odd[rows[given[rows]]] = True  # by two names, of which one takes precedence
        given[rows] = True
        before = self._arrays.get(place.name)
        self._arrays[place.name] = converted if before is None else pc.coalesce(before, converted)

    def _read_entry(self, place: Place, part: slice) -> None:
        rows = self._pairs.rows[part]
        texts, lengths = self._pairs.values("string_value", part), self._pairs.lengths[part]
        if texts.null_count:
            # Numbers and truth as JSON has them.
            others = (pc.cast(self._pairs.values(kind, part), pa.string()) for kind in ("int_value", "bool_value"))
            texts = pc.coalesce(texts, *others)
            self.odd[rows[~valid_mask(texts)]] = True
            texts, lengths = pc.fill_null(texts, ""), byte_lengths(texts)
        self.odd[rows[lengths > MOST_ATTRIBUTE_CHARACTERS]] = True
        if place.role is not Role.ATTRIBUTES:
            self.odd[rows[lengths == 0]] = True
        self._add(str(place.role), rows, self._pairs.order[part], pa.repeat(place.name, len(rows)), texts)

    def _require(self, kind: str, part: slice) -> Any:
        """The values of one kind; whoever has another is odd."""
        valid = self._pairs.valid(kind, part)
        if not valid.all():
            self.odd[self._pairs.rows[part][~valid]] = True
        return self._pairs.values(kind, part)

    def text(self, part: slice) -> Any:
        """Texts, of which an empty one says nothing."""
        values, lengths = self._require("string_value", part), self._pairs.lengths[part]
        return values if lengths.all() else pc.if_else(pa.array(lengths == 0), None, values)

    def count(self, part: slice) -> Any:
        """Numbers of things, of which a negative one says nothing."""
        values = self._require("int_value", part)
        negative = pc.fill_null(values, 0).to_numpy() < 0
        return pc.if_else(pa.array(negative), None, values) if negative.any() else values

    def real(self, part: slice) -> Any:
        """Finite numbers."""
        values = self._pairs.values("double_value", part)
        if values.null_count:
            values = pc.coalesce(values, pc.cast(self._pairs.values("int_value", part), pa.float64(), safe=False))
        numbers = pc.fill_null(values, np.nan).to_numpy()
        finite = np.isfinite(numbers)
        if finite.all():
            return values
        self.odd[self._pairs.rows[part][~finite]] = True
        return values

    def milliseconds(self, part: slice) -> Any:
        """Seconds as milliseconds."""
        return pc.multiply(self.real(part), 1000.0)

    def first_text(self, part: slice) -> Any:
        """The first of several texts."""
        texts, arrays = self._pairs.values("string_value", part), self._pairs.values("array_value", part)
        valid = self._pairs.valid("string_value", part) | self._pairs.valid("array_value", part)
        self.odd[self._pairs.rows[part][~valid]] = True
        if arrays.null_count == len(arrays):
            return map_unique(texts, first_text)
        firsts = map_unique(arrays, self._first_of_array)
        return firsts if texts.null_count == len(texts) else pc.coalesce(map_unique(texts, first_text), firsts)

    def _first_of_array(self, encoded: bytes) -> str | None:
        try:
            return first_text(plain(AnyValue(array_value=ArrayValue.FromString(encoded))))
        except DecodeError as error:
            raise BadInputError(f"An attribute's array is no protobuf ({error}); check that the body is whole.") from error

    def _spread(self, values: Any, rows: Indexes) -> Any:
        """Values of some rows as a column of all."""
        if len(rows) == self.size and not len(self._pairs.again):
            return values
        places = np.full(self.size, -1)
        places[rows] = np.arange(len(rows))
        return values.take(pa.array(places, mask=places < 0))

    def _add(self, column: str, rows: Indexes, order: Indexes, keys: Any, values: Any) -> None:
        self._entries[column].append(MapEntries(rows, order, keys, values))

    def _read_content(self) -> None:
        inputs, outputs = self._read_messages(_INPUT, "user"), self._read_messages(_OUTPUT, "assistant")
        self._arrays["input_messages"], leading = inputs
        self._arrays["output_messages"], _ = outputs
        for row, value in self._content(_INSTRUCTIONS):
            leading[row] = (read_parts(value) if value else None) or leading.get(row)
        if leading:
            instructions = [leading.get(row) for row in range(self.size)]
            self._arrays["system_instructions"] = pa.array(instructions, pa.string())
        self._arrays["content_present"] = pc.or_(inputs[0].is_valid(), outputs[0].is_valid())

    def _read_messages(self, name: str, role: str) -> tuple[Any, dict[int, str | None]]:
        """A message column, and the instructions that were found in it; text that is as it should be is not copied."""
        part = self._pairs.names.get(name)
        if part is None:
            return pa.nulls(self.size, pa.string()), {}
        texts: list[str | None] = []
        is_changed = False
        leading: dict[int, str | None] = {}
        for row, value in self._content(name):
            if value is not None and is_plain(value):
                texts.append(value)
                continue
            is_changed = True
            read = read_messages(value, role)
            texts.append(read.text if read is not None else None)
            if read is not None and read.instructions is not None:
                leading[row] = read.instructions
        values = pa.array(texts, pa.string()) if is_changed else self._pairs.values("string_value", part)
        return self._spread(values, self._pairs.rows[part]), leading

    def _content(self, name: str) -> Iterable[tuple[int, str | None]]:
        part = self._pairs.names.get(name)
        if part is None:
            return ()
        return zip(self._pairs.rows[part].tolist(), self._require("string_value", part).to_pylist(), strict=True)

    def _read_parameters(self) -> None:
        """Each row's as one JSON object, in the order in which they came."""
        found: list[list[tuple[int, str, Any]]] = [[] for _ in range(self.size)]
        for name, part in self._parameters:
            values = [None] * (part.stop - part.start)
            for kind in _SCALARS:
                if self._pairs.valid(kind, part).any():
                    of_kind = self._pairs.values(kind, part).to_pylist()
                    values = [new if new is not None else old for new, old in zip(of_kind, values, strict=True)]
            for row, order, value in zip(self._pairs.rows[part].tolist(), self._pairs.order[part].tolist(), values, strict=True):
                if value is None:
                    self.odd[row] = True
                found[row].append((order, name, value))
        encoded = [encode_json({name: value for _, name, value in sorted(said)}) if said else None for said in found]
        self._arrays["parameters"] = pa.array(encoded, pa.string())

    def _normalise(self) -> None:
        """Spellings that differ between producers; what changes is kept as it was."""
        for column, normal, _ in NORMALISED:
            raw = self._arrays.get(column)
            if raw is None:
                continue
            if all(value is None or normal(value) == value for value in pc.unique(raw).to_pylist()):
                continue
            normalised = map_unique(raw, normal)
            changed = np.flatnonzero(pc.fill_null(pc.not_equal(raw, normalised), False).to_numpy(zero_copy_only=False))
            if len(changed):
                self._arrays[column] = normalised
                names = pa.repeat(RAW + column, len(changed))
                self._add("attributes", changed, _behind(changed, 1), names, raw.take(pa.array(changed)))


_Conversion = Callable[[_Draft, slice], Any]
_CONVERSIONS: dict[Convert, _Conversion] = {
    text_of: _Draft.text,
    count_of: _Draft.count,
    real_of: _Draft.real,
    milliseconds: _Draft.milliseconds,
    first_text: _Draft.first_text,
}


def _behind(rows: Indexes, rank: int) -> Indexes:
    """An order after all attributes."""
    return np.full(len(rows), np.iinfo(np.int64).max - 10 + rank)


def _indexes(places: npt.NDArray[Any]) -> Any:
    """Places to take from an Arrow array."""
    return pa.array(places)


def _make_default(name: str, size: int) -> Any:
    """A column of which nothing was said."""
    kind = _SCHEMA.field(name).type
    if pa.types.is_map(kind):
        return pa.array([{}] * size, kind)
    value = _DEFAULTS.get(name)
    return pa.nulls(size, kind) if value is None else pa.repeat(pa.scalar(value, kind), size)


_default = lru_cache(maxsize=1024)(_make_default)  # requests mostly have one of few sizes
