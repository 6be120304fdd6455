"""What a signal definition is: candidates selected in the engine, then one pure function from Arrow batch to Arrow batch.

A definition never writes. It names, for what it was given, everything that holds; the driver works out what is new, changed or
no longer so.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, Protocol, cast

import ibis
import ibis.expr.types as ir
import msgspec
import numpy
import pyarrow as pa
from msgspec import Struct, field

from penstock.lake.arrow_values import row_values
from penstock.records.signal import SignalKind

RETRY_GAP_S = 90.0  # how soon after an answer the same request counts as a retry of it
SESSION_QUIET_S = 1800.0  # how long after its last turn a session counts as over
RETURN_WITHIN_S = 86_400.0  # how soon after a session its user may come back to the same topic
# What a request and its answer were word for word; `prompt_text` and `response_text` are what most want of them.
RAW_MESSAGES = ("input_messages", "output_messages", "system_instructions", "retrieved_documents", "token_logprobs")
EVIDENCE = "evidence_"  # a column so named is the evidence under the rest of its name


Source = Literal["reports", "interactions"]


class Tables(Struct, frozen=True, kw_only=True):
    """What a definition selects from, already narrowed to what may have changed."""

    reports: ibis.Table  # matched feedback, joined with the response it is about
    interactions: ibis.Table  # whole sessions, and for each interaction the next request of its user; without RAW_MESSAGES
    whole_interactions: ibis.Table  # the same with every column, which takes longer to read than all others together
    as_of: ir.TimestampValue  # until when everything is known: a session with a turn in the last SESSION_QUIET_S may still go on


class Finding(Struct, frozen=True, kw_only=True):
    """A signal before it has an id: one fact about one target."""

    target_kind: str
    target_id: str
    interaction_id: str | None
    session_id: str | None
    name: str
    kind: str  # a SignalKind
    value: float | None
    text: str | None = None
    occurred_at: datetime
    source: str
    feedback_id: str | None = None
    evidence: dict[str, str] = field(default_factory=dict)


_FIELDS: "list[pa.Field[Any]]" = [
    pa.field("target_kind", pa.string()),
    pa.field("target_id", pa.string()),
    pa.field("interaction_id", pa.string()),
    pa.field("session_id", pa.string()),
    pa.field("name", pa.string()),
    pa.field("kind", pa.string()),
    pa.field("value", pa.float64()),
    pa.field("text", pa.string()),
    pa.field("occurred_at", pa.timestamp("us", "UTC")),
    pa.field("source", pa.string()),
    pa.field("feedback_id", pa.string()),
    pa.field("evidence", pa.map_(pa.string(), pa.string())),
]
FINDINGS = pa.schema(_FIELDS)


class Definition(Protocol):
    """One signal definition; `name@version` stands on every signal that it finds."""

    @property
    def name(self) -> str:
        """What it is called, and the name of its signals unless each report brings its own."""
        ...

    @property
    def source(self) -> Source:
        """Which of the tables it selects from; where that has no row, it is not asked."""
        ...

    @property
    def version(self) -> int | str:
        """Another one whenever the same candidates could give other findings; a hash of what users define."""
        ...

    @property
    def awaits_quiet(self) -> bool:
        """Whether it finds something, or something else, once a session has been quiet for SESSION_QUIET_S."""
        ...

    def candidates(self, tables: Tables) -> ibis.Table:
        """The rows to look at, as an expression."""
        ...

    def find(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The findings (schema FINDINGS) among these candidates; a pure function of the batch."""
        ...


class ExpressionDefinition(Struct, frozen=True, kw_only=True):
    """A definition that is an expression alone: it selects the columns of FINDINGS, evidence as text columns `evidence_<key>`.

    Columns that it leaves out are NULL; evidence that is NULL is left out. Nothing but the engine touches the rows.
    """

    name: str
    version: int
    source: Source
    select: Callable[[Tables], ibis.Table]
    awaits_quiet: bool = False

    def candidates(self, tables: Tables) -> ibis.Table:
        """The findings, as an expression."""
        return self.select(tables)

    def find(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The same rows in the columns of FINDINGS."""
        return with_evidence(batch)


class BatchDefinition(Struct, frozen=True, kw_only=True):
    """A definition with one function over the columns of its candidates, which are many at a time."""

    name: str
    version: int
    source: Source
    select: Callable[[Tables], ibis.Table]
    judge: Callable[[pa.RecordBatch], pa.RecordBatch]
    awaits_quiet: bool = False

    def candidates(self, tables: Tables) -> ibis.Table:
        """The rows to look at, as an expression."""
        return self.select(tables)

    def find(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The findings, which the function gives as an expression would: evidence as columns `evidence_<key>`."""
        return with_evidence(self.judge(batch))


def with_evidence(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Columns named `evidence_<key>` gathered into the map of evidence, and columns that are missing as NULL."""
    keys = [name for name in batch.schema.names if name.startswith(EVIDENCE)]
    columns = [_column(batch, wanted) for wanted in FINDINGS if wanted.name != "evidence"]
    return pa.RecordBatch.from_arrays([*columns, _evidence(batch, keys)], schema=FINDINGS)


def _column(batch: pa.RecordBatch, wanted: "pa.Field[Any]") -> "pa.Array[Any]":
    place = batch.schema.get_field_index(wanted.name)
    return pa.nulls(batch.num_rows, wanted.type) if place < 0 else batch.column(place).cast(wanted.type)


def _evidence(batch: pa.RecordBatch, names: list[str]) -> "pa.Array[Any]":
    """One map per row, of the columns that are not NULL there."""
    columns = [batch.column(name).cast(pa.string()) for name in names]
    present = (
        numpy.column_stack([numpy.asarray(column.is_valid()) for column in columns])
        if names
        else numpy.zeros((batch.num_rows, 0), dtype=bool)
    )
    row, which = numpy.nonzero(present)
    keys = pa.array([name.removeprefix(EVIDENCE) for name in names], pa.string()).take(pa.array(which, pa.int64()))
    flat = pa.concat_arrays(columns) if names else pa.array([], pa.string())
    values = flat.take(pa.array(which * batch.num_rows + row, pa.int64()))
    offsets = numpy.concatenate([[0], numpy.cumsum(present.sum(axis=1))]).astype(numpy.int32)
    gathered: Any = pa.MapArray
    return cast("pa.Array[Any]", gathered.from_arrays(pa.array(offsets, pa.int32()), keys, values))


def label(definition: Definition) -> str:
    """How signals name the definition that found them."""
    return f"{definition.name}@{definition.version}"


class RowDefinition(Struct, frozen=True, kw_only=True):
    """A definition that judges its candidates one by one."""

    name: str
    version: int
    source: Source = "reports"
    select: Callable[[Tables], ibis.Table]
    judge: Callable[[Mapping[str, Any]], Finding | None]
    awaits_quiet: bool = False

    def candidates(self, tables: Tables) -> ibis.Table:
        """The rows to look at, as an expression."""
        return self.select(tables)

    def find(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """One finding or none per candidate."""
        found = (self.judge(row) for row in row_values(batch))
        return pa.RecordBatch.from_pylist([msgspec.structs.asdict(finding) for finding in found if finding], FINDINGS)


def from_report(
    row: Mapping[str, Any],
    name: str,
    kind: SignalKind,
    value: float | None,
    *,
    text: str | None = None,
    evidence: Mapping[str, str | None] | None = None,
) -> Finding:
    """A finding about the target of a report, pointing back to it."""
    known = {"reported_as": row["name"], **(evidence or {})}
    return Finding(
        target_kind=row["target_kind"],
        target_id=row["target_id"],
        interaction_id=row["interaction_id"],
        session_id=row["session_id"],
        name=name,
        kind=kind,
        value=value,
        text=text,
        occurred_at=row["occurred_at"],
        source=row["source"],
        feedback_id=row["feedback_id"],
        evidence={key: content for key, content in known.items() if content is not None},
    )
