"""Which interaction a tool's execution or a retrieval belongs to, and what it adds there.

The call that asked for a tool is known by the tool call's id. Without one, the inference above it counts; else, under the nearest
ancestor that has any, retrieval feeds the next call and a tool serves the one before. Parents that never arrived still group.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from penstock.formats.foreign_messages import tool_outcome
from penstock.records.span import Span, SpanKind

Chain = Callable[[Span], Sequence[str]]  # the ids above a span, from the parent upwards


def attach(
    attachments: Sequence[Span],
    inferences: Sequence[Span],
    drafts: dict[str, dict[str, Any]],
    merged: Mapping[str, str],
    chain: Chain,
) -> None:
    """Give each interaction the tools that ran for it and the documents it was given; `merged` leads to the one that counts."""
    if not attachments:
        return
    below: dict[str, list[Span]] = defaultdict(list)
    for inference in inferences:
        for ancestor in chain(inference):
            below[ancestor].append(inference)
    callers = _callers(inferences, drafts)
    own = {inference.span_id for inference in inferences}
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for span in attachments:
        column, rows = _attachment(span)
        asked = callers.get(str(rows[0].get("id"))) if column == "tool_calls" and rows and isinstance(rows[0], dict) else None
        target = asked or _nearest(span, chain(span), own, below)
        if target is not None:
            found[merged.get(target, target), column].extend(rows)
    for (target, column), rows in found.items():
        draft = drafts[target]
        joined = _join_calls(as_list(draft[column]), rows) if column == "tool_calls" else _join_documents(draft[column], rows)
        if joined:
            draft[column] = msgspec.json.encode(joined).decode()


def as_list(text: str | None) -> list[Any]:
    """JSON as a list; text that is no JSON is kept as its one element."""
    if not text:
        return []
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return [text]
    return value if isinstance(value, list) else [value]


def _callers(inferences: Sequence[Span], drafts: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Tool call ids to the span that asked for them; the first, where a later one repeats it."""
    callers: dict[str, str] = {}
    for inference in inferences:
        for call in as_list(drafts[inference.span_id]["tool_calls"]):
            if isinstance(call, dict) and call.get("id"):
                callers.setdefault(str(call["id"]), inference.span_id)
    return callers


def _nearest(span: Span, above: Sequence[str], own: set[str], below: dict[str, list[Span]]) -> str | None:
    for ancestor in above:
        if ancestor in own:
            return ancestor
        candidates = below.get(ancestor, [])
        if span.kind == SpanKind.RETRIEVAL:
            position = bisect_left(candidates, span.started_at, key=_start)
        else:
            position = bisect_right(candidates, span.started_at, key=_start) - 1
        if 0 <= position < len(candidates):
            return candidates[position].span_id
    return None


def _start(span: Span) -> datetime:
    return span.started_at


def _attachment(span: Span) -> tuple[str, list[Any]]:
    if span.kind == SpanKind.RETRIEVAL:
        return "retrieved_documents", as_list(span.retrieved_documents or span.attributes.get("gen_ai.retrieval.documents"))
    if span.tool_calls:
        return "tool_calls", as_list(span.tool_calls)
    named: dict[str, Any] = {
        key: span.attributes.get(f"gen_ai.tool.{attribute}")
        for key, attribute in (("id", "call.id"), ("name", "name"), ("arguments", "call.arguments"), ("result", "call.result"))
    }
    if not any(named.values()):
        return "tool_calls", []
    called = {key: _value(value) for key, value in named.items() if value is not None}
    if "result" in called:
        called["result"], identifier = tool_outcome(called["result"])
        if identifier is not None:
            called.setdefault("id", identifier)
    return "tool_calls", [{**called, **({"error": span.error_type} if span.error_type else {})}]


def _value(text: str) -> Any:
    """Arguments and results as objects where they are the JSON of one."""
    if text[:1] not in ("{", "["):
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def _join_calls(asked: list[Any], ran: list[Any]) -> list[Any]:
    """What ran completes what was asked for, by id, else by name in order; what nobody asked for stands by itself."""
    joined = list(asked)
    for run in ran:
        position = next((index for index, call in enumerate(joined) if _is_same_call(call, run)), None)
        if position is None:
            joined.append(run)
        else:
            joined[position] = {**run, **{key: value for key, value in joined[position].items() if value is not None}}
    return joined


def _is_same_call(call: Any, run: Any) -> bool:
    if not (isinstance(call, dict) and isinstance(run, dict)) or "result" in call or "error" in call:
        return False
    if call.get("id") and run.get("id"):
        return bool(call["id"] == run["id"])
    return bool(call.get("name") == run.get("name"))


def _join_documents(said: str | None, found: list[Any]) -> list[Any]:
    """What the interaction says itself stands; the same document found twice, say before and after reranking, counts once."""
    if said is not None:
        return []
    joined: list[Any] = []
    for document in found:
        if not any(_is_same_document(document, other) for other in joined):
            joined.append(document)
    return joined


def _is_same_document(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        if one.get("id") and other.get("id"):
            return bool(one["id"] == other["id"])
        if one.get("content"):
            return bool(one["content"] == other.get("content"))
    return bool(one == other)
