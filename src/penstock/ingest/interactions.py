"""Spans of whole traces become Interactions: a pure rebuild, so the same spans give the same rows in whatever order they came.

One inference span is one interaction. What it lacks is sought in its log events, then in its nearest ancestors; parents may be
missing, late or circular. A call seen twice, by the application and by the gateway below it, counts as one: the gateway's.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from penstock.records.ids import interaction_id
from penstock.records.inference import Inference
from penstock.records.interaction import Exposure, Interaction
from penstock.records.span import Span, SpanKind

CONTENT_EVENT = "gen_ai.client.inference.operation.details"
GATEWAY = "gateway"  # the dialect of the gateway's own capture

_FIELDS = tuple(field.name for field in msgspec.structs.fields(Inference))
_MAPS = ("tags", "keys")
_FROM_ANCESTORS = ("session_id", "user_id", "segment", "tenant", "request_id", "application")
_FROM_THE_APPLICATION = ("session_id", "user_id", "segment", "tenant", "application", "prompt_name", "prompt_version")
_FILLED = tuple(
    name
    for name in _FIELDS
    if name not in {*_MAPS, "exposure", "content_present", "content_sampled", "sample_probability", "capture_probability"}
)


def build_interactions(spans: Iterable[Span], known_at: datetime) -> list[Interaction]:
    """Every interaction of the traces whose spans are given, in order of trace and start.

    The traces must be whole, as far as they have arrived. A call also seen by the gateway comes as two rows, the application's
    with `merged_into` set, so that whoever names its span finds the one that counts.
    """
    traces: dict[str, dict[str, Span]] = defaultdict(dict)
    for span in spans:
        if span.trace_id and span.span_id:
            _keep_last(traces[span.trace_id], span)
    return [
        interaction for trace_id in sorted(traces) for interaction in _Trace(traces[trace_id].values()).interactions(known_at)
    ]


def _keep_last(kept: dict[str, Span], span: Span) -> None:
    """A span sent again is the same span: as in every table without revisions, the row known last counts, a thin one never."""
    other = kept.get(span.span_key)
    if other is None or _rank(span) > _rank(other):
        kept[span.span_key] = span


def _rank(span: Span) -> tuple[bool, datetime, datetime]:
    return span.content_sampled is not False, span.known_at, span.ended_at


class _Trace:
    """The spans of one trace, by the ways in which one refers to another."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self.by_id: dict[str, Span] = {}
        self.events: dict[str, list[Span]] = defaultdict(list)
        self.inferences: list[Span] = []
        self.attachments: list[Span] = []  # what tools did and what retrieval found
        for span in sorted(spans, key=_order):
            if span.kind == SpanKind.EVENT:
                if span.name == CONTENT_EVENT:
                    self.events[span.span_id].append(span)
                continue
            self.by_id[span.span_id] = span
            if span.kind == SpanKind.INFERENCE:
                self.inferences.append(span)
            elif span.kind in (SpanKind.TOOL, SpanKind.RETRIEVAL):
                self.attachments.append(span)

    def interactions(self, known_at: datetime) -> list[Interaction]:
        """The trace's interactions, in order of start."""
        drafts = {span.span_id: self._draft(span) for span in self.inferences}
        self._attach(drafts)
        for seen_by_gateway, seen_by_application in self._seen_twice(drafts):
            _merge(drafts[seen_by_gateway.span_id], drafts[seen_by_application.span_id])
            drafts[seen_by_application.span_id]["merged_into"] = interaction_id(seen_by_gateway.trace_id, seen_by_gateway.span_id)
        return [_finish(span, drafts[span.span_id], known_at) for span in self.inferences]

    def _draft(self, span: Span) -> dict[str, Any]:
        draft: dict[str, Any] = {name: getattr(span, name) for name in _FIELDS}
        draft["application"] = span.application
        draft["redactions"] = span.redactions
        for event in self.events.get(span.span_id, ()):
            _fill(draft, event)
        for ancestor in self._ancestors(span):
            for name in _FROM_ANCESTORS:
                if draft[name] is None:
                    draft[name] = getattr(ancestor, name)
            for name in _MAPS:
                inherited = getattr(ancestor, name)
                if inherited:
                    draft[name] = {**inherited, **draft[name]}
            if draft["exposure"] == Exposure.SERVED:
                draft["exposure"] = ancestor.exposure
        return draft

    def _ancestors(self, span: Span) -> Iterator[Span]:
        """From the parent upwards, as far as spans have arrived, each one once."""
        visited = {span.span_id}
        parent = span.parent_span_id
        while parent and parent not in visited and (ancestor := self.by_id.get(parent)) is not None:
            visited.add(parent)
            yield ancestor
            parent = ancestor.parent_span_id

    def _seen_twice(self, drafts: dict[str, dict[str, Any]]) -> list[tuple[Span, Span]]:
        """Pairs of a gateway's span and the application's inference span right above it that are one call."""
        pairs: dict[str, tuple[Span, Span]] = {}
        for span in self.inferences:
            if span.dialect != GATEWAY:
                continue
            above = next((ancestor for ancestor in self._ancestors(span) if ancestor.kind == SpanKind.INFERENCE), None)
            if above is None or above.dialect == GATEWAY:
                continue
            if _is_one_call(drafts[span.span_id], drafts[above.span_id]):
                pairs[above.span_id] = (span, above)  # of several attempts the last
        return list(pairs.values())

    def _attach(self, drafts: dict[str, dict[str, Any]]) -> None:
        """Give an interaction the tools it called and the documents it was given, where it does not say so itself."""
        found: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for span in self.attachments:
            target = self._belongs_to(span)
            if target is not None:
                column, rows = _attachment(span)
                found[target.span_id, column].extend(rows)
        for (span_id, column), rows in found.items():
            if rows and drafts[span_id][column] is None:
                drafts[span_id][column] = msgspec.json.encode(rows).decode()

    def _belongs_to(self, span: Span) -> Span | None:
        """The inference above it; else, under one parent, retrieval feeds the next call and a tool serves the one before."""
        above = next((ancestor for ancestor in self._ancestors(span) if ancestor.kind == SpanKind.INFERENCE), None)
        if above is not None or not span.parent_span_id:
            return above
        siblings = [other for other in self.inferences if other.parent_span_id == span.parent_span_id]
        if span.kind == SpanKind.RETRIEVAL:
            return next((other for other in siblings if other.started_at >= span.started_at), None)
        return next((other for other in reversed(siblings) if other.started_at <= span.started_at), None)


def _order(span: Span) -> tuple[datetime, datetime, str]:
    return span.started_at, span.ended_at, span.span_key


def _fill(draft: dict[str, Any], event: Span) -> None:
    """Take from a log event what the span does not say itself."""
    for name in _FILLED:
        if draft[name] is None:
            draft[name] = getattr(event, name)
    draft["content_present"] = draft["content_present"] or event.content_present
    if event.redactions:
        counts = dict(draft["redactions"])
        for kind, count in event.redactions.items():
            counts[kind] = counts.get(kind, 0) + count
        draft["redactions"] = counts


def _attachment(span: Span) -> tuple[str, list[Any]]:
    if span.kind == SpanKind.RETRIEVAL:
        return "retrieved_documents", _as_list(span.retrieved_documents or span.attributes.get("gen_ai.retrieval.documents"))
    if span.tool_calls:
        return "tool_calls", _as_list(span.tool_calls)
    named = {
        key: span.attributes.get(f"gen_ai.tool.{attribute}")
        for key, attribute in (("id", "call.id"), ("name", "name"), ("arguments", "call.arguments"), ("result", "call.result"))
    }
    return "tool_calls", [{key: value for key, value in named.items() if value is not None}] if any(named.values()) else []


def _as_list(text: str | None) -> list[Any]:
    """JSON as a list; text that is no JSON is kept as its one element."""
    if not text:
        return []
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return [text]
    return value if isinstance(value, list) else [value]


def _is_one_call(gateway: dict[str, Any], application: dict[str, Any]) -> bool:
    """One response id; or none, where both saw the call fail."""
    if gateway["response_id"] is None and application["response_id"] is None:
        return gateway["error_type"] is not None and application["error_type"] is not None
    return bool(gateway["response_id"] == application["response_id"])


def _merge(gateway: dict[str, Any], application: dict[str, Any]) -> None:
    """Two views of one call: the application knows who and why, the gateway knows what was served and how."""
    for name in _FILLED:
        if gateway[name] is None:
            gateway[name] = application[name]
    for name in _FROM_THE_APPLICATION:
        if application[name] is not None:
            gateway[name] = application[name]
    for name in _MAPS:
        gateway[name] = {**gateway[name], **application[name]}
    if gateway["exposure"] == Exposure.SERVED:
        gateway["exposure"] = application["exposure"]
    gateway["content_present"] = gateway["content_present"] or application["content_present"]


def _finish(span: Span, draft: dict[str, Any], known_at: datetime) -> Interaction:
    if draft["session_id"] is None:
        # An interaction without a session belongs to its trace; session_id == trace_id tells that it was so.
        draft["session_id"] = span.trace_id
    draft["interaction_id"] = interaction_id(span.trace_id, span.span_id)
    return Interaction(
        trace_id=span.trace_id,
        span_id=span.span_id,
        started_at=span.started_at,
        ended_at=span.ended_at,
        known_at=known_at,
        dialect=span.dialect,
        **draft,
    )
