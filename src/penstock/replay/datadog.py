"""Datadog LLM Observability spans: the export API's (data[].attributes), and what its SDK sends (spans with `meta`).

Ids are decimal or hex; durations are nanoseconds; session, user and the rest stand in tags like `session_id:abc`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from penstock.replay.binding import RowError
from penstock.replay.chat_content import read_messages, read_usage
from penstock.replay.export_values import (
    amount,
    first,
    listing,
    mapping,
    nest,
    required_text,
    required_time,
    structure,
    text_of,
    texts,
)
from penstock.replay.exported import KINDS, Exported, ExportedReport, ExportedSpan
from penstock.replay.retrieved import read_documents

TOOL = "datadog"
TRACE_KEY = "datadog_trace"
_NO_PARENT = ("", "0", "undefined")
_NO_TAGS = frozenset({"session_id", "user_id", "usr.id", "ml_app", "service", "language", "source", "ddtrace.version", "error"})


def translate(row: Mapping[str, Any]) -> Exported:
    """One span, or a request of several as the SDK sends them."""
    values = {name: structure(value) for name, value in row.items()}
    row = nest(values) if any("." in name for name in values) else values
    row = mapping(row.get("data")) or row
    row = mapping(row.get("attributes")) or row
    spans = [mapping(item) for item in listing(row.get("spans"))] or [row]
    shared: dict[str, Any] = {name: row[name] for name in ("ml_app", "session_id") if name in row}
    found = [_span({**shared, **span}) for span in spans]
    reports = [report for span in spans for report in _evaluations(span)]
    return Exported(spans=found, reports=reports)


def _span(row: Mapping[str, Any]) -> ExportedSpan:
    meta = mapping(row.get("meta"))
    described = {**meta, **row}
    kind = KINDS.get(str(first(described, "span_kind", "kind") or first(meta, "span.kind") or "").lower(), "other")
    if kind == "other" and isinstance(meta.get("span"), Mapping):
        kind = KINDS.get(str(meta["span"].get("kind")).lower(), "other")
    tags = _tags(row)
    started_at = required_time(first(row, "start_ns", "start_ms", "start", "timestamp"), "start_ns")
    error = mapping(meta.get("error"))
    failed = str(row.get("status") or "").lower() == "error" or bool(error)
    parent = text_of(row.get("parent_id"))
    source, result = mapping(described.get("input")), mapping(described.get("output"))
    trace = _trace(row)
    is_call = kind in ("inference", "embedding")
    return ExportedSpan(
        trace=trace,
        span=_identifier(required_text(row, "span_id"), 16),
        parent=None if parent is None or parent in _NO_PARENT else _identifier(parent, 16),
        kind=kind,
        name=text_of(row.get("name")),
        started_at=started_at,
        ended_at=_end(started_at, row.get("duration")),
        fields={
            "application": text_of(row.get("ml_app")) or tags.get("ml_app"),
            "session": text_of(row.get("session_id")) or tags.get("session_id"),
            "user": tags.get("user_id") or tags.get("usr.id"),
            "error_type": (text_of(error.get("type")) or tags.get("error_type") or "error") if failed else None,
            **(_call(described, source, result) if is_call else {}),
        },
        tags={name: value for name, value in tags.items() if name not in _NO_TAGS},
        keys={TRACE_KEY: text_of(row.get("trace_id")) or trace} if kind == "inference" else {},
        parameters={name: value for name, value in mapping(described.get("metadata")).items() if name in _PARAMETERS},
        called={"name": row.get("name"), "arguments": structure(source.get("value")), "result": structure(result.get("value"))}
        if kind == "tool"
        else {},
        documents=read_documents(result.get("documents")) if kind == "retrieval" else [],
        note=text_of(error.get("message")),
    )


_PARAMETERS = frozenset({"temperature", "top_p", "top_k", "max_tokens", "stop", "seed", "stream"})


def _call(row: Mapping[str, Any], source: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    metrics = mapping(row.get("metrics"))
    prompt = mapping(source.get("prompt"))
    # Datadog has one model for a call: the one that was asked for, or answered where that was known.
    model = text_of(row.get("model_name"))
    first_token_s = amount(metrics.get("time_to_first_token"))
    return {
        **read_usage({**metrics, "prompt_tokens": metrics.get("input_tokens")}),
        "cached_tokens": _count(metrics, "cache_read_input_tokens"),
        "cache_write_tokens": _count(metrics, "cache_write_input_tokens"),
        "reasoning_tokens": _count(metrics, "reasoning_output_tokens"),
        "id": _identifier(required_text(row, "span_id"), 16),
        "provider": text_of(row.get("model_provider")),
        "model": model,
        "response_model": model,
        "prompt_name": text_of(first(prompt, "id", "name")),
        "prompt_version": text_of(prompt.get("version")),
        "input_messages": read_messages(first(source, "messages", "value", "documents"), "user"),
        "output": read_messages(first(result, "messages", "value"), "assistant"),
        "first_token": first_token_s,
        "cost": amount(metrics.get("total_cost")),  # what the application stated; Datadog's own estimates are left to our prices
    }


def _count(metrics: Mapping[str, Any], name: str) -> int | None:
    value = amount(metrics.get(name))
    return int(value) if value is not None and value >= 0 else None


def _evaluations(row: Mapping[str, Any]) -> list[ExportedReport]:
    span = (_trace(row), _identifier(required_text(row, "span_id"), 16))
    found = []
    for name, item in mapping(row.get("evaluation")).items():
        item = mapping(item)
        value = item.get("value")
        number = float(value) if isinstance(value, bool) else None if isinstance(value, str) else amount(value)
        word = value if isinstance(value, str) else text_of(item.get("assessment"))
        if number is None and word is None:
            continue
        found.append(
            ExportedReport(
                id=f"{span} {name}",
                name=name,
                value=number,
                text=word or text_of(item.get("reasoning")),
                metadata=texts({"assessment": item.get("assessment"), "reasoning": item.get("reasoning") if word else None}),
                span=span,
            )
        )
    return found


def _tags(row: Mapping[str, Any]) -> dict[str, str]:
    """`name:value` as pairs; a tag without a value is left out."""
    pairs = (tag.partition(":") for tag in listing(row.get("tags")) if isinstance(tag, str))
    return {name: value for name, _, value in pairs if value} or texts(mapping(row.get("tags")))


def _trace(row: Mapping[str, Any]) -> str:
    return _identifier(required_text(row, "trace_id"), 32)


def _end(started_at: datetime, duration_ns: Any) -> datetime:
    try:
        return started_at + timedelta(microseconds=(amount(duration_ns) or 0.0) / 1000)
    except OverflowError:
        raise RowError("duration: the number is too large") from None


def _identifier(text: str, digits: int) -> str:
    """A decimal id as hex of so many digits; hex as it is."""
    if not text.isdigit() or len(text) == digits == 32:
        return text
    value = int(text)
    if value >= 16**digits:
        raise RowError(f"an id of {len(text)} digits is too large")
    return f"{value:0{digits}x}"
