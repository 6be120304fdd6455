"""What a relay, or whoever sampled before us, says of a span in attributes becomes columns again.

A probability that is none is noted as the row's reason and otherwise taken as if it had not been sent.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec

from penstock.formats.aliases import real_of
from penstock.formats.otlp_attributes import (
    CAPTURE_PROBABILITY,
    CONTENT_SAMPLED,
    RELAY_DIALECT,
    RELAY_KIND,
    RELAY_REASON,
    RELAY_REDACTIONS,
    RELAY_TOOL_CALLS,
    SAMPLE_PROBABILITY,
)
from penstock.ingest.sampling import thin
from penstock.records.span import Span, SpanKind

_MARKS = frozenset({SAMPLE_PROBABILITY, CAPTURE_PROBABILITY, CONTENT_SAMPLED, RELAY_KIND, RELAY_DIALECT})
_LONGEST_DIALECT = 64


def restore_spans(spans: Sequence[Span]) -> list[Span]:
    """The spans with what their attributes say in its columns; nearly all have nothing of the kind."""
    return [span if _MARKS.isdisjoint(span.attributes) else _restore(span) for span in spans]


def _restore(span: Span) -> Span:
    attributes = dict(span.attributes)
    changes: dict[str, Any] = {}
    reasons = [span.reason] if span.reason else []
    for name, (column, read) in _COLUMNS.items():
        text = attributes.pop(name, None)
        if text is None:
            continue
        value = read(text)
        if value is not None:
            changes[column] = value
        elif name in (SAMPLE_PROBABILITY, CAPTURE_PROBABILITY):
            reasons.append(f"{name} {text[:40]!r} is no probability above 0 and up to 1")
    if not span.span_key.startswith("i_"):
        changes.pop("kind", None)  # an event stays one, and what has no valid ids is no inference
    reasons += [changes.pop("reason")] if "reason" in changes else []
    if "sample_probability" in changes:
        attributes[SAMPLE_PROBABILITY] = span.attributes[SAMPLE_PROBABILITY]  # the mark that it was sampled before
    is_thin = attributes.pop(CONTENT_SAMPLED, "").lower() == "false"
    changes["attributes"] = attributes
    restored: Span = msgspec.structs.replace(span, reason="; ".join(dict.fromkeys(reasons)) or None, **changes)
    return thin(restored) if is_thin else restored


def _probability(text: str) -> float | None:
    number = real_of(text)
    return number if number is not None and 0.0 < number <= 1.0 else None


def _kind(text: str) -> str | None:
    return text if text in set(SpanKind) - {SpanKind.EVENT} else None


def _dialect(text: str) -> str | None:
    return text if 0 < len(text) <= _LONGEST_DIALECT else None


def _counts(text: str) -> dict[str, int] | None:
    try:
        return msgspec.json.decode(text, type=dict[str, Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]])
    except msgspec.DecodeError:
        return None


_COLUMNS: dict[str, tuple[str, Callable[[str], Any]]] = {
    SAMPLE_PROBABILITY: ("sample_probability", _probability),
    CAPTURE_PROBABILITY: ("capture_probability", _probability),
    RELAY_KIND: ("kind", _kind),
    RELAY_DIALECT: ("dialect", _dialect),
    RELAY_REDACTIONS: ("redactions", _counts),
    RELAY_REASON: ("reason", lambda text: text or None),
    RELAY_TOOL_CALLS: ("tool_calls", lambda text: text or None),
}
