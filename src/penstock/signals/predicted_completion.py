"""predicted_completion: the probability that an agent with tools got done what a session asked for. 0 to 1, higher is better.

Implicit: predicted from the trace of a session that is over, whatever its outcome; `completion` is what was reported, and this
never stands in for it. A logistic model over how much was said, how many answers declined something, calls that were made again
with the same arguments, calls that failed, and whether the last turn broke off. It names no tool and no subject. Fitted to runs
of tau-bench (Yao et al., arXiv 2406.12045), whose reward it does not see.
"""

import re
from collections.abc import Mapping
from typing import Any

import ibis
import msgspec
import numpy
import pyarrow as pa
from msgspec import Struct, field
from numpy.typing import NDArray

from penstock.records.signal import SignalKind
from penstock.signals.definition import EVIDENCE, BatchDefinition, Tables
from penstock.signals.session_ends import conversation, quiet_since

# `length`, `declined` and `repeated` were fitted by benchmarks/signal_accuracy/fit_completion.py on 200 dialogues of tau-bench's
# airline domain with gpt-4o (50 tasks, 84 dialogues rewarded). `declined` has the sign it has because agents there were to refuse
# what the rules forbid. `failed` says nothing there, `broken` never happens: both are set by hand. The intercept belongs to those
# tasks, of which .42 were done.
COEFFICIENTS = {"length": -0.74, "declined": 3.25, "repeated": -1.2, "failed": -0.2, "broken": -1.5}
INTERCEPT = 4.59
# Beyond what 98 in 100 of these dialogues had, nothing is known: measures are cut there.
SEEN = {"length": (6.2, 8.6), "declined": (0.0, 0.8), "repeated": (0.0, 1.6), "failed": (0.0, 1.6), "broken": (0.0, 1.0)}

_DECLINES = (
    "unfortunately",
    "unable to",
    "cannot",
    "can't",
    "can’t",
    "not able to",
    "not possible",
    "not eligible",
    "not allowed",
)
# What a tool gives back that did not work, as JSON: a text that says so first, or an object with an error in it.
_FAILED = re.compile(
    r'^\s*"?[\[(*<# ]{0,4}(error|exception|traceback|failed|failure|fatal)\b'
    r'|^\s*"?[\[{]+\s*\\?"(error|errors|exception)\\?"\s*:\s*(?!null|false|\[\]|\{\}|\\?"\\?"|0\b)'
    r'|\\?"(is_?error)\\?"\s*:\s*true'
    r'|^\s*"?[\[{]+\s*\\?"(success|ok|succeeded)\\?"\s*:\s*false'
    r'|^\s*"?[\[{]+\s*\\?"status\\?"\s*:\s*\\?"(error|failed|failure)',
    re.IGNORECASE,
)
_READ_OF_RESULT = 400
_NULL = msgspec.Raw(b"null")
_NO_ERROR = (b"null", b'""', b"false", b"{}", b"[]")


class _Call(Struct):
    """What is read of a call; msgspec passes over the rest."""

    id: Any = None
    name: Any = None
    arguments: msgspec.Raw = _NULL
    result: msgspec.Raw = _NULL
    error: msgspec.Raw = _NULL


class _Part(Struct):
    """What is read of a part of a message."""

    type: Any = None
    id: Any = None
    response: msgspec.Raw = _NULL
    result: msgspec.Raw = _NULL


class _Message(Struct):
    """What is read of a message."""

    parts: list[_Part] = field(default_factory=list)


_calls = msgspec.json.Decoder(list[_Call]).decode
_messages = msgspec.json.Decoder(list[_Message]).decode


def _select(tables: Tables) -> ibis.Table:
    """One row per session of an agent that is over: its counts, all its calls, and the messages that its last turn was given."""
    turns = conversation(tables.interactions)
    has_tools = turns.tool_calls.notnull() | turns.parameters.contains('"tools":').fill_null(False)
    turns = turns.semi_join(turns.filter(has_tools).select("session_id").distinct(), "session_id")
    said = turns.response_text.fill_null("")
    lower = said.lower()
    declines = ibis.or_(*(lower.contains(cue) for cue in _DECLINES))
    sessions = turns.group_by("session_id").aggregate(
        over_at=turns.ended_at.max(),
        turns=turns.count(),
        characters=said.length().sum(),
        answers=(said != "").ifelse(1, 0).sum(),
        declined=declines.ifelse(1, 0).sum(),
        calls=turns.tool_calls.group_concat("\n"),
    )
    order = ibis.window(group_by=turns.session_id, order_by=[turns.started_at.desc(), turns.interaction_id.desc()])
    numbered = turns.select(
        "session_id", "interaction_id", is_broken=turns.error_type.notnull(), place=ibis.row_number().over(order)
    )
    last = (
        numbered.filter(numbered.place == 0)
        .drop("place")
        .inner_join(tables.whole_interactions.select("interaction_id", "input_messages"), "interaction_id")
    )
    return sessions.filter(sessions.over_at <= quiet_since(tables)).inner_join(last, "session_id")


def _judge(batch: pa.RecordBatch) -> pa.RecordBatch:
    """What the trace of each session lets one expect."""
    rows = batch.num_rows
    read = [
        read_calls(calls, messages)
        for calls, messages in zip(batch.column("calls").to_pylist(), batch.column("input_messages").to_pylist(), strict=True)
    ]
    calls, repeated, failed = numpy.array(read, dtype=numpy.int64).reshape(rows, 3).T
    counts = {name: _integers(batch, name) for name in ("characters", "answers", "declined", "turns")}
    broken = _integers(batch, "is_broken")
    value = predict(measures({**counts, "repeated": repeated, "failed": failed, "broken": broken}))
    told = {**counts, "calls": calls, "repeated": repeated, "failed": failed, "broken": broken}
    fixed = {"target_kind": "session", "name": "predicted_completion", "kind": SignalKind.IMPLICIT.value, "source": "behaviour"}
    columns: dict[str, Any] = {
        "target_id": batch.column("session_id"),
        "session_id": batch.column("session_id"),
        "occurred_at": batch.column("over_at"),
        "value": pa.array(numpy.round(value, 6), pa.float64()),
        **{name: pa.array([text] * rows, pa.string()) for name, text in fixed.items()},
        f"{EVIDENCE}last_interaction_id": batch.column("interaction_id"),
        **{f"{EVIDENCE}{name}": pa.array(numbers, pa.int64()).cast(pa.string()) for name, numbers in told.items()},
    }
    return pa.RecordBatch.from_pydict(columns)


def measures(counts: Mapping[str, NDArray[numpy.int64]]) -> dict[str, NDArray[numpy.float64]]:
    """The model's measures, by name, of the counts that stand in the evidence."""
    return {
        "length": numpy.log1p(counts["characters"]),
        "declined": counts["declined"] / numpy.maximum(1, counts["answers"]),
        "repeated": numpy.log1p(counts["repeated"]),
        "failed": numpy.log1p(counts["failed"]),
        "broken": numpy.asarray(counts["broken"], dtype=float),
    }


def predict(
    measured: Mapping[str, NDArray[numpy.float64]],
    coefficients: Mapping[str, float] = COEFFICIENTS,
    intercept: float = INTERCEPT,
) -> NDArray[numpy.float64]:
    """The probability of completion; a measure counts as far as it was seen."""
    weighted = [weight * numpy.clip(measured[name], *SEEN[name]) for name, weight in coefficients.items()]
    return numpy.asarray(1.0 / (1.0 + numpy.exp(-(intercept + sum(weighted)))))


def read_calls(calls: str | None, messages: str | None) -> tuple[int, int, int]:
    """How many calls, how many repeat another with the same arguments, how many failed; `calls` has a JSON list per line."""
    made = [call for line in (calls or "").split("\n") if line for call in _read_line(line)]
    different = {(str(call.name), bytes(call.arguments)) for call in made}
    failed = {str(call.id) for call in made if call.id is not None and _has_failed(call.result, call.error)}
    unnamed = sum(call.id is None and _has_failed(call.result, call.error) for call in made)
    failed |= {str(part.id) for part in _answers(messages) if _has_failed(part.response) or _has_failed(part.result)}
    return len(made), len(made) - len(different), len(failed) + unnamed


def _read_line(line: str) -> list[_Call]:
    try:
        return _calls(line)
    except (msgspec.MsgspecError, RecursionError):
        return [_Call(name=line)]  # what is no list of calls counts as one


def _answers(messages: str | None) -> list[_Part]:
    """What tools gave back, as the last turn was told."""
    if messages is None or '"tool_call_response"' not in messages:
        return []
    try:
        return [part for message in _messages(messages) for part in message.parts if part.type == "tool_call_response"]
    except (msgspec.MsgspecError, RecursionError):
        return []


def _has_failed(result: msgspec.Raw, error: msgspec.Raw = _NULL) -> bool:
    if bytes(error) not in _NO_ERROR:
        return True
    return _FAILED.search(bytes(result)[:_READ_OF_RESULT].decode("utf-8", "replace")) is not None


def _integers(batch: pa.RecordBatch, name: str) -> NDArray[numpy.int64]:
    return numpy.asarray(batch.column(name).cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), dtype=numpy.int64)


PREDICTED_COMPLETION = BatchDefinition(
    name="predicted_completion", version=2, source="interactions", select=_select, judge=_judge, awaits_quiet=True
)
