"""What a signal definition is: candidates selected in the engine, then one pure function from Arrow batch to Arrow batch.

A definition never writes. It names, for what it was given, everything that holds; the driver works out what is new, changed or
no longer so.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, Protocol

import ibis
import msgspec
import pyarrow as pa
from msgspec import Struct, field

from penstock.lake.arrow_values import row_values
from penstock.records.signal import SignalKind

RETRY_GAP_S = 90.0  # how soon after an answer the same request counts as a retry of it


Source = Literal["reports", "interactions"]


class Tables(Struct, frozen=True, kw_only=True):
    """What a definition selects from, already narrowed to what may have changed."""

    reports: ibis.Table  # matched feedback, joined with the response it is about
    interactions: ibis.Table  # the changed interactions with their neighbours in session, user and time


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
    def version(self) -> int:
        """Grows whenever the same candidates could give other findings."""
        ...

    def candidates(self, tables: Tables) -> ibis.Table:
        """The rows to look at, as an expression."""
        ...

    def find(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The findings (schema FINDINGS) among these candidates; a pure function of the batch."""
        ...


class RowDefinition(Struct, frozen=True, kw_only=True):
    """A definition that judges its candidates one by one."""

    name: str
    version: int
    source: Source = "reports"
    select: Callable[[Tables], ibis.Table]
    judge: Callable[[Mapping[str, Any]], Finding | None]

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
