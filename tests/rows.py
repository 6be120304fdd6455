"""Records for tests, with everything that a test does not care about filled in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from penstock.records.feedback import Feedback
from penstock.records.ids import digest, feedback_id, interaction_id, signal_id
from penstock.records.interaction import Interaction
from penstock.records.signal import Signal
from penstock.records.span import Span
from penstock.signals.definition import label
from penstock.signals.definitions import DEFINITIONS

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = T0 + timedelta(hours=1)


def at(seconds: float) -> datetime:
    """So many seconds into the tests' day."""
    return T0 + timedelta(seconds=seconds)


def trace(number: int) -> str:
    """A trace id."""
    return f"{number + 1:032x}"


def make_span(
    trace_id: str, span_id: str, parent: str | None = None, *, kind: str = "inference", start: float = 0, **fields: Any
) -> Span:
    """A span that took one second and was known an hour later."""
    key = interaction_id(trace_id, span_id) if kind != "event" else "e_" + digest(trace_id, span_id, repr(sorted(fields)))
    given: dict[str, Any] = {
        "span_key": key, "trace_id": trace_id, "span_id": span_id, "parent_span_id": parent, "kind": kind, "name": kind,
        "started_at": at(start), "ended_at": at(start + 1), "known_at": LATER, "dialect": "genai",
    }  # fmt: skip
    return Span(**{**given, **fields})


def make_feedback(
    name: str, target_kind: str, target_id: str, *, happened: float = 10, key: str | None = None, **fields: Any
) -> Feedback:
    """A report that arrived an hour later."""
    idempotency_key = fields.pop("idempotency_key", f"{name}-{target_kind}-{target_id}-{key}-{happened}")
    given: dict[str, Any] = {
        "feedback_id": feedback_id(idempotency_key), "target_kind": target_kind, "target_id": target_id, "target_key": key,
        "name": name, "occurred_at": at(happened), "known_at": LATER, "source": "test", "idempotency_key": idempotency_key,
    }  # fmt: skip
    return Feedback(**{**given, **fields})


def make_interaction(number: int, *, start: float | None = None, **fields: Any) -> Interaction:
    """The interaction of trace `number`; sessions are its trace unless given."""
    trace_id = trace(number)
    started_at = at(start if start is not None else number)
    given: dict[str, Any] = {
        "interaction_id": interaction_id(trace_id, "s"), "trace_id": trace_id, "span_id": "s", "session_id": trace_id,
        "started_at": started_at, "ended_at": started_at + timedelta(seconds=1), "known_at": LATER, "dialect": "genai",
    }  # fmt: skip
    return Interaction(**{**given, **fields})


def matched(name: str, interaction: Interaction, **fields: Any) -> Feedback:
    """A report that has found its interaction."""
    report = make_feedback(name, "request", interaction.interaction_id, **fields)
    found = {
        "status": "matched",
        "interaction_id": interaction.interaction_id,
        "session_id": interaction.session_id,
        "revision": 1,
    }
    return msgspec.structs.replace(report, **found)


def make_signal(name: str, interaction: Interaction, value: float | None, **fields: Any) -> Signal:
    """A signal of an interaction, by the definition in force."""
    definition = label(DEFINITIONS[name]) if name in DEFINITIONS else f"{name}@1"
    target = interaction.interaction_id
    given: dict[str, Any] = {
        "signal_id": signal_id(name, target, name), "target_kind": "interaction", "target_id": target, "interaction_id": target,
        "session_id": interaction.session_id, "name": name, "kind": "implicit", "value": value, "source": "test",
        "occurred_at": interaction.ended_at, "known_at": LATER, "definition": definition,
    }  # fmt: skip
    return Signal(**{**given, **fields})
