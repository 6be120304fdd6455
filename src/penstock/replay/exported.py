"""What a row of another tool's export says, in one form for all tools: spans with their tree, and reports on them.

A span's `fields` are named as in a mapping (INTERACTION_FIELDS); ids are the tool's own.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

Kind = Literal["inference", "embedding", "retrieval", "tool", "agent", "other"]

# What observability tools call a span -> what it is to us.
KINDS: dict[str, Kind] = {
    "llm": "inference",
    "generation": "inference",
    "chat_model": "inference",
    "completion": "inference",
    "embedding": "embedding",
    "retriever": "retrieval",
    "retrieval": "retrieval",
    "tool": "tool",
    "agent": "agent",
    "chain": "agent",
    "workflow": "agent",
    "task": "agent",
}


class ExportedSpan(Struct, frozen=True, kw_only=True):
    """One span."""

    trace: str
    span: str
    parent: str | None = None
    kind: Kind
    name: str | None = None
    started_at: datetime
    ended_at: datetime | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)  # of the request: temperature and the like
    called: dict[str, Any] = field(default_factory=dict)  # of a tool: name, id, arguments, result
    documents: list[Any] = field(default_factory=list)  # of a retrieval
    note: str | None = None  # what went wrong, in the tool's words


class ExportedReport(Struct, frozen=True, kw_only=True):
    """One score, annotation or assessment, and how it names its target."""

    id: str  # the same report always has the same
    name: str
    value: float | None = None
    text: str | None = None
    occurred_at: datetime | None = None  # None: the end of the span it is on, else when it is sent
    metadata: dict[str, str] = field(default_factory=dict)
    span: tuple[str, str] | None = None  # trace and span
    request: str | None = None
    session: str | None = None
    key: tuple[str, str] | None = None  # name and value


class Exported(Struct, frozen=True, kw_only=True):
    """A whole row; `passed_over` says why nothing is made of one that is no mistake."""

    spans: list[ExportedSpan] = field(default_factory=list)
    reports: list[ExportedReport] = field(default_factory=list)
    passed_over: str | None = None


Translate = Callable[[Mapping[str, Any]], Exported]
