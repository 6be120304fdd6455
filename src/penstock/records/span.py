"""Span: one OTLP span or GenAI log event, normalised and redacted, as it arrived."""

from datetime import datetime
from enum import StrEnum

from msgspec import field

from penstock.records.inference import Inference


class SpanKind(StrEnum):
    """What a span is to us."""

    INFERENCE = "inference"
    TOOL = "tool"
    RETRIEVAL = "retrieval"
    AGENT = "agent"
    EMBEDDING = "embedding"
    EVENT = "event"
    OTHER = "other"


class Span(Inference, frozen=True, kw_only=True):
    """One row of `spans`; `span_key` is its identity, so that a re-sent span is the same row."""

    span_key: str  # interaction_id(trace, span) for a span; a hash that covers name, time and content for an event
    trace_id: str  # lower-case hex
    span_id: str  # of an event: the span that it belongs to
    parent_span_id: str | None = None
    kind: str  # a SpanKind
    name: str
    started_at: datetime
    ended_at: datetime
    known_at: datetime
    dialect: str  # which convention it spoke; "none" where it is no GenAI span
    scope: str | None = None  # instrumentation scope, name and version
    application: str | None = None  # service.name
    status: str = "unset"  # unset, ok, error
    attributes: dict[str, str] = field(default_factory=dict)  # what no column holds, redacted
    redactions: dict[str, int] = field(default_factory=dict)  # kind -> how many were masked
    reason: str | None = None  # why it could not be understood, where it could not
