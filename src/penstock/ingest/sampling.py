"""Whose content is kept: a keyed hash of the trace or session against a probability, alike in every worker and nested.

A higher probability keeps a superset, so that whatever lifts it later adds content and takes none. What is sampled out keeps a
thin row; the probability stands on the thin and on the whole row. A span sampled before it came here is left as it came.
"""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from penstock.formats.otlp_attributes import SAMPLE_PROBABILITY
from penstock.ingest.span_match import Test, span_match
from penstock.policy_settings import SamplePolicySettings, SampleSettings
from penstock.records.ids import interaction_id
from penstock.records.interaction import Interaction
from penstock.records.span import Span, SpanKind

Row = TypeVar("Row", Span, Interaction)

_CONTENT: dict[str, Any] = {
    "input_messages": None,
    "output_messages": None,
    "system_instructions": None,
    "prompt_text": None,
    "response_text": None,
    "tool_calls": None,
    "retrieved_documents": None,
    "token_logprobs": None,
    "parameters": None,
    "tags": {},
    "content_present": False,
    "content_sampled": False,
}


SAMPLED_OUT = "penstock.sampled_out"  # a span that has this was stored whole, and thin since its trace was decided


class _Rule(Struct, frozen=True):
    """A rule that lifts the probability of a whole trace."""

    matches: Test | None  # None: any span will do
    threshold_ms: float
    probability: float


class Sampling:
    """The draw of one home."""

    def __init__(self, settings: SampleSettings, secret: bytes) -> None:
        """`secret` is the key of the home; what is drawn with it cannot be foreseen by whoever chooses a trace id."""
        self._by_session = settings.by == "session"
        self._key = hmac.digest(secret if not settings.hash_seed else b"", b"sample\0" + settings.hash_seed.encode(), "sha256")
        self._probability = settings.sampling_percentage / 100
        self._of_application = {name: share / 100 for name, share in settings.applications.items()}
        self._rules = [_rule(policy) for policy in settings.policies]
        self.decision_wait = timedelta(hours=settings.decision_wait_h)
        self._most = max((rule.probability for rule in self._rules), default=0.0)
        least = min([self._probability, *self._of_application.values()])
        self._keeps_all = least >= 1.0
        self._decides_at_settle = self._by_session or self._most >= 1.0

    @property
    def keeps_all(self) -> bool:
        """Whether nothing is ever sampled out."""
        return self._keeps_all

    @property
    def needs_whole_traces(self) -> bool:
        """Whether it depends on more than the span at hand."""
        return not self._keeps_all and (self._by_session or bool(self._rules))

    def thin_spans(self, spans: Sequence[Span]) -> list[Span]:
        """The spans as they may be stored before their traces are whole: thin where no later rule could keep their content."""
        if self._keeps_all or self._decides_at_settle:
            return list(spans)
        draws: dict[str, float] = {}
        return [self._thin_span(span, draws) for span in spans]

    def thin_interactions(
        self, interactions: Sequence[Interaction], spans: Sequence[Span], standing: Mapping[str, Interaction]
    ) -> list[Interaction]:
        """The interactions of whole traces as they may be stored, given all spans of these and the rows that stand."""
        if self._keeps_all:
            return [_without_content_of_others(row) for row in interactions]
        origins: dict[str, Span] = {
            interaction_id(span.trace_id, span.span_id): span for span in spans if span.kind == SpanKind.INFERENCE
        }
        traces = _Traces(spans, self.decision_wait)
        lifted = self._lifted(traces.in_time)
        thinned: list[Interaction] = []
        for row in interactions:
            origin = origins[row.interaction_id]
            if SAMPLE_PROBABILITY in origin.attributes:
                thinned.append(_without_content_of_others(row))
                continue
            probability = max(self._base(origin.application), lifted[row.trace_id])
            before = standing.get(row.interaction_id)
            thinned.append(self._thin_interaction(row, probability, before, is_decided=row.trace_id in traces.late))
        return thinned

    def draw(self, unit: str) -> float:
        """A number from 0 to 1 that is always the same for the same trace or session."""
        digest = hashlib.blake2b(unit.encode("utf-8", "replace"), key=self._key, digest_size=8).digest()
        return (int.from_bytes(digest, "big") >> 11) / 2**53  # no more digits than a float can tell apart, or 1.0 could come up

    def _base(self, application: str | None) -> float:
        return self._of_application.get(application or "", self._probability)

    def _thin_span(self, span: Span, draws: dict[str, float]) -> Span:
        if SAMPLE_PROBABILITY in span.attributes:
            return span
        probability = max(self._most, self._base(span.application))
        if probability >= 1.0:
            return span
        unit = span.trace_id or span.span_key
        if unit not in draws:
            draws[unit] = self.draw(unit)
        if draws[unit] < probability:
            return msgspec.structs.replace(span, sample_probability=probability)
        return msgspec.structs.replace(thin(span), sample_probability=probability)

    def _thin_interaction(
        self, row: Interaction, probability: float, before: Interaction | None, *, is_decided: bool
    ) -> Interaction:
        """Decide anew, but for what stands: a stricter policy takes nothing back, and what is decided for good stays so."""
        unit = self._unit(row)
        is_kept = self.draw(unit) < probability
        probability = min(probability, row.sample_probability)
        if before is not None and is_decided:
            is_kept, probability = before.content_sampled is not False, before.sample_probability
        elif before is not None and self._unit(before) == unit:
            is_kept = is_kept or before.content_sampled is not False
            probability = max(probability, before.sample_probability)
        kept = row if is_kept and row.content_sampled is not False else thin(row)
        return msgspec.structs.replace(kept, sample_probability=probability)

    def _unit(self, row: Interaction) -> str:
        return (row.session_id or row.trace_id) if self._by_session else row.trace_id

    def _lifted(self, traces: Mapping[str, Sequence[Span]]) -> dict[str, float]:
        """What the rules make of each trace; the highest probability holds, also one found in content that went since."""
        lifted: dict[str, float] = defaultdict(float)
        if not self._rules:
            return lifted
        for trace_id, of_trace in traces.items():
            lifted[trace_id] = max((span.sample_probability for span in of_trace if is_sampled_out(span)), default=0.0)
            duration_ms = _duration_ms(of_trace)
            for rule in self._rules:
                is_long = not rule.threshold_ms or duration_ms > rule.threshold_ms
                if rule.probability > lifted[trace_id] and is_long and (rule.matches is None or any(map(rule.matches, of_trace))):
                    lifted[trace_id] = rule.probability
        return lifted


class _Traces:
    """Spans by trace, and when they came: what comes after the wait is stored and decides nothing any more."""

    def __init__(self, spans: Sequence[Span], wait: timedelta) -> None:
        self.in_time: dict[str, list[Span]] = defaultdict(list)
        self.late: set[str] = set()  # traces of which some span came after the wait
        ends: dict[str, datetime] = {}
        for span in spans:
            ends[span.trace_id] = min(span.known_at + wait, ends.get(span.trace_id, span.known_at + wait))
        for span in spans:
            if span.known_at <= ends[span.trace_id]:
                self.in_time[span.trace_id].append(span)
            else:
                self.late.add(span.trace_id)


def is_sampled_out(span: Span) -> bool:
    """Whether it lost its content after its trace was decided."""
    return span.content_sampled is False and SAMPLED_OUT in span.attributes


def thin_decided(span: Span, probability: float) -> Span:
    """The span without its content, given the probability by which its trace was sampled out."""
    thinned = thin(span)
    return msgspec.structs.replace(
        thinned, sample_probability=probability, attributes={**thinned.attributes, SAMPLED_OUT: "true"}
    )


def thin(row: Row) -> Row:
    """The row without its content: ids, times, model, arm, tokens and what went wrong are left."""
    if isinstance(row, Span):
        # Whoever sampled it before it came here is still known.
        kept = {name: row.attributes[name] for name in (SAMPLE_PROBABILITY,) if name in row.attributes}
        return msgspec.structs.replace(row, attributes=kept, **_CONTENT)
    return msgspec.structs.replace(row, **_CONTENT)


def _without_content_of_others(row: Interaction) -> Interaction:
    """A span that came thin stays so, even where an event or a tool's span brought what it had lost."""
    return thin(row) if row.content_sampled is False else row


def _rule(policy: SamplePolicySettings) -> _Rule:
    is_about_spans = policy.applications or policy.attributes or policy.status_codes
    where = f"policy.sample.policies ({policy.name})"
    matches = span_match(where, policy.applications, policy.attributes, policy.status_codes) if is_about_spans else None
    return _Rule(matches, policy.threshold_ms, policy.sampling_percentage / 100)


def _duration_ms(spans: Sequence[Span]) -> float:
    """From the first start to the last end, whatever lies between."""
    first: datetime = min(span.started_at for span in spans)
    return (max(span.ended_at for span in spans) - first).total_seconds() * 1000
