"""Spans of whole traces become Interactions: a pure rebuild, so the same spans give the same rows in whatever order they came.

One inference span is one interaction. What it lacks is sought in its log events, then in its nearest ancestors; parents may be
missing, late or circular. A call seen twice, say by the application and by the gateway below it, counts as one: the innermost.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from penstock.formats.message_readings import read_prompt, read_response
from penstock.ingest.attachments import attach
from penstock.ingest.duplicate_calls import merge_duplicates
from penstock.ingest.event_content import JOINING_EVENTS, add_events
from penstock.records.ids import interaction_id
from penstock.records.inference import Inference
from penstock.records.interaction import Exposure, Interaction
from penstock.records.span import Span, SpanKind

_FIELDS = tuple(field.name for field in msgspec.structs.fields(Inference))
_MAPS = ("tags", "keys")
_MOST_LEVELS = 256  # no application nests so deep; what is nested without end must not cost without end
_FROM_THE_TRACE = ("session_id", "user_id", "segment", "tenant")
_FROM_ANCESTORS = (*_FROM_THE_TRACE, "request_id", "application")

Price = Callable[[Mapping[str, Any]], float | None]  # the columns of a call -> what it cost, None where that is unknown


def no_price(_call: Mapping[str, Any]) -> None:
    """Where no table of prices is at hand."""


def build_interactions(spans: Iterable[Span], known_at: datetime, price: Price = no_price) -> list[Interaction]:
    """Every interaction of the traces whose spans are given, in order of trace and start.

    The traces must be whole, as far as they have arrived. A call also seen by the gateway comes as two rows, the application's
    with `merged_into` set, so that whoever names its span finds the one that counts.
    """
    traces: dict[str, dict[str, Span]] = defaultdict(dict)
    for span in spans:
        if span.trace_id and span.span_id:
            _keep_last(traces[span.trace_id], span)
    return [
        interaction
        for trace_id in sorted(traces)
        for interaction in _Trace(traces[trace_id].values()).interactions(known_at, price)
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
        self._said: dict[str, set[str]] = {}
        for span in sorted(spans, key=_order):
            if span.kind == SpanKind.EVENT:
                if span.name in JOINING_EVENTS:
                    self.events[span.span_id].append(span)
                continue
            self.by_id[span.span_id] = span
            if span.kind == SpanKind.INFERENCE:
                self.inferences.append(span)
            elif span.kind in (SpanKind.TOOL, SpanKind.RETRIEVAL):
                self.attachments.append(span)

    def interactions(self, known_at: datetime, price: Price) -> list[Interaction]:
        """The trace's interactions, in order of start."""
        drafts = {span.span_id: self._draft(span) for span in self.inferences}
        merged = merge_duplicates(self.inferences, drafts, self._ancestors)
        attach(self.attachments, self.inferences, drafts, merged, self._ids_above)
        for outer, inner in merged.items():
            drafts[outer]["merged_into"] = interaction_id(self.by_id[inner].trace_id, inner)
        return [_finish(span, drafts[span.span_id], known_at, price) for span in self.inferences]

    def _draft(self, span: Span) -> dict[str, Any]:
        draft: dict[str, Any] = {name: getattr(span, name) for name in _FIELDS}
        draft["application"] = span.application
        draft["redactions"] = span.redactions
        events = self.events.get(span.span_id)
        if events:
            add_events(draft, events)
        _read_texts(draft)
        top = span
        for ancestor in self._ancestors(span):
            top = ancestor
            for name in _FROM_ANCESTORS:
                if draft[name] is None:
                    draft[name] = getattr(ancestor, name)
            for name in _MAPS:
                inherited = getattr(ancestor, name)
                if inherited:
                    draft[name] = {**inherited, **draft[name]}
            if draft["exposure"] == Exposure.SERVED:
                draft["exposure"] = ancestor.exposure
        if top.parent_span_id and top.parent_span_id not in self.by_id:
            self._fill_from_the_trace(draft)
        return draft

    def _fill_from_the_trace(self, draft: dict[str, Any]) -> None:
        """Where a parent never came, what all other spans of the trace agree upon stands in for what it would have said."""
        for name in _FROM_THE_TRACE:
            if draft[name] is None:
                values = self._values(name)
                draft[name] = next(iter(values)) if len(values) == 1 else None

    def _values(self, name: str) -> set[str]:
        if name not in self._said:
            self._said[name] = {value for span in self.by_id.values() if (value := getattr(span, name)) is not None}
        return self._said[name]

    def _ancestors(self, span: Span) -> Iterator[Span]:
        """From the parent upwards, as far as spans have arrived, each one once."""
        visited = {span.span_id}
        parent = span.parent_span_id
        while parent and parent not in visited and len(visited) <= _MOST_LEVELS:
            ancestor = self.by_id.get(parent)
            if ancestor is None:
                return
            visited.add(parent)
            yield ancestor
            parent = ancestor.parent_span_id

    def _ids_above(self, span: Span) -> list[str]:
        """The ids of those and of the first that has not arrived."""
        above = [span, *self._ancestors(span)]
        return [item.parent_span_id for item in above if item.parent_span_id]


def _order(span: Span) -> tuple[datetime, datetime, str]:
    return span.started_at, span.ended_at, span.span_key


def _read_texts(draft: dict[str, Any]) -> None:
    """What people read of the messages, where the span does not say it itself."""
    if draft["prompt_text"] is None:
        draft["prompt_text"] = read_prompt(draft["input_messages"])
    if draft["response_text"] is None or draft["tool_calls"] is None:
        text, calls = read_response(draft["output_messages"])
        draft["response_text"] = text if draft["response_text"] is None else draft["response_text"]
        draft["tool_calls"] = calls if draft["tool_calls"] is None else draft["tool_calls"]


def _finish(span: Span, draft: dict[str, Any], known_at: datetime, price: Price) -> Interaction:
    if draft["cost"] is None:
        draft["cost"] = price(draft)
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
