"""Which convention a span speaks, told by the attributes that are there, never by its schema URL; and its translation.

A span without any marker is read as the newest GenAI convention, which costs it one look per attribute.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from penstock.formats import (
    genai_legacy,
    google_adk,
    langfuse,
    langsmith,
    mlflow,
    openinference,
    openllmetry,
    pydantic_ai,
    vercel_ai,
)
from penstock.formats.genai import CONTENT, KINDS, GenAiSpan, read_genai
from penstock.formats.otlp_attributes import RELAY_KIND
from penstock.formats.translation import put
from penstock.records.span import SpanKind

Translate = Callable[[dict[str, Any], str], None]

# In order of precedence: what wraps another's spans with its own attributes comes first.
_TRANSLATORS: tuple[tuple[str, tuple[str, ...], Translate], ...] = (
    (langfuse.DIALECT, langfuse.MARKERS, langfuse.translate),
    (langsmith.DIALECT, langsmith.MARKERS, langsmith.translate),
    (mlflow.DIALECT, mlflow.MARKERS, mlflow.translate),
    (openinference.DIALECT, openinference.MARKERS, openinference.translate),
    (vercel_ai.DIALECT, vercel_ai.MARKERS, vercel_ai.translate),
    (openllmetry.DIALECT, openllmetry.MARKERS, openllmetry.translate),
    (google_adk.DIALECT, google_adk.MARKERS, google_adk.translate),
    (pydantic_ai.DIALECT, pydantic_ai.MARKERS, pydantic_ai.translate),
    (genai_legacy.DIALECT, genai_legacy.MARKERS, genai_legacy.translate),
)
DIALECT_MARKERS = frozenset(marker for _, markers, _ in _TRANSLATORS for marker in markers)
_MISSHAPEN = (TypeError, ValueError, AttributeError, LookupError, RecursionError)
_FIRST_TOKEN_AT = "penstock.first_token_at"  # noqa: S105


def read_span(attributes: dict[str, Any], name: str, started_ns: int) -> GenAiSpan:
    """The columns, kind and dialect of a span with these attributes (plain Python values)."""
    if DIALECT_MARKERS.isdisjoint(attributes) or RELAY_KIND in attributes:  # a relay has translated it before
        return read_genai(attributes)
    (dialect, translate), *beside = (
        (dialect, translate) for dialect, markers, translate in _TRANSLATORS if any(marker in attributes for marker in markers)
    )
    translated = dict(attributes)
    problem = None
    try:
        translate(translated, name)
        for _, other in beside:
            _add_missing(translated, attributes, name, other)
    except _MISSHAPEN as error:
        # No producer writes this, but anyone may send it; the span is kept as it came.
        translated, problem = attributes, f"attributes of {dialect} are misshapen: {type(error).__name__}"
    first_token_at = translated.pop(_FIRST_TOKEN_AT, None)
    read = read_genai(translated)
    read.dialect = dialect
    if problem is not None:
        read.problems.append(problem)
    if first_token_at is not None:
        _read_first_token(first_token_at, started_ns, read)
    return read


def _add_missing(translated: dict[str, Any], attributes: Mapping[str, Any], name: str, translate: Translate) -> None:
    """What a second convention says of a model call, where the first, which wraps it or was set by hand, tells nothing of it."""
    if KINDS.get(str(translated.get("gen_ai.operation.name"))) != SpanKind.INFERENCE or not CONTENT.isdisjoint(translated):
        return
    other = dict(attributes)
    translate(other, name)
    if CONTENT.isdisjoint(other):
        return
    for known, value in other.items():
        if known.startswith("gen_ai."):
            put(translated, known, value)
    for told in attributes.keys() - other.keys():
        translated.pop(told, None)


def _read_first_token(moment: Any, started_ns: int, read: GenAiSpan) -> None:
    """A time of day, where others tell how long it took."""
    try:
        at_ns = datetime.fromisoformat(str(moment)).timestamp() * 1e9
    except (ValueError, OverflowError):
        return
    if at_ns >= started_ns > 0:
        read.columns.setdefault("first_token_ms", (at_ns - started_ns) / 1e6)
