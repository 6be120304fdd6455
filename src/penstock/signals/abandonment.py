"""abandonment: how a session ended, and the probability that its user left unsatisfied. 0 to 1, lower is better. Implicit.

Leaving alone is ambiguous: whoever has an answer leaves too (good abandonment: Li, Huffman and Tokuda, SIGIR 2009). So there is a
value only where behaviour said more: high after a return to the same topic within a day, low after thanks. All other endings have
none, and `reading` in evidence says `ambiguous`. One request, answered, of somebody not seen again is no conversation to leave.
The probabilities are set by hand, for there is no set of sessions whose users said why they left.
"""

from typing import Any

import ibis
import numpy
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.records.signal import SignalKind
from penstock.signals.definition import EVIDENCE, BatchDefinition, Tables
from penstock.signals.next_turn import TOOL_CALLS
from penstock.signals.session_ends import EARLIER_REQUESTS, last_turns
from penstock.signals.topic import topics_of

# How likely a user who came back to the same topic had left unsatisfied, by how the session had ended.
UNSATISFIED = {
    "failed": 0.9, "no answer": 0.9, "tool call": 0.85, "cut off": 0.8, "question": 0.8, "unknown": 0.7, "finished": 0.65,
}  # fmt: skip
SATISFIED_BY_THANKS = 0.1
AGAIN_DESPITE_THANKS = 0.6  # thanked, and then asked for the same again

_ENDINGS = (
    "thanks",
    "failed",
    "tool call",
    "no answer",
    "cut off",
    "question",
    "unknown",
)  # the first that applies, else finished
_NATURAL = ("thanks", "finished")
_TOLD = 300  # characters of the end of the last answer
_REQUESTS = ("asked", *(f"asked_{back}" for back in range(1, EARLIER_REQUESTS + 1)))
_FAILURES = ("error", "content_filter")
_CUT_OFF = ("length", "max_tokens")

# Read with RE2 by pyarrow, whatever the engine.
_THANKS = (
    r"(?i)^\W*((ok(ay)?|great|perfect|awesome|cool|excellent|nice|no|yes|that'?s all|that works|got it|alright)\W+){0,3}"
    r"(many thanks|thanks|thank you|thx|cheers|bye|goodbye|good ?bye|see you|have a (nice|good|great) (day|one|evening|weekend)"
    r"|that'?s all|that (is|was|will be) all|nothing else)\b[^?]{0,80}$"
)
_QUESTION = r"[?？]\W{0,3}$"
_POLITE = (
    r"(?i)(anything else|any(thing)? (more|other|further)|(any|have|more|further|other) questions|let me know|help you further)"
    r"[^.!?]*\?\W*$"
)


def _select(tables: Tables) -> ibis.Table:
    """Every session that is over, with its last turn's words, and what its user asked next within a day."""
    return last_turns(
        tables,
        {
            "told": lambda turns: turns.response_text.right(_TOLD),
            "finish_reason": lambda turns: turns.finish_reason.lower(),
            "is_failed": lambda turns: turns.error_type.notnull(),
            "has_calls": lambda turns: turns.tool_calls.notnull(),
            "is_thin": lambda turns: ~turns.content_sampled.fill_null(True),
        },
    )


def _judge(batch: pa.RecordBatch) -> pa.RecordBatch:
    """What each session's end says."""
    rows = batch.num_rows
    ending = endings(batch)
    topics = topics_of([batch.column(name) for name in _REQUESTS], batch.column("next_asked"))
    is_returned = _true(batch.column("next_interaction_id").is_valid())
    value, reading = readings(ending, topics.is_same, topics.is_repeat)
    returned = _choose(
        rows,
        ("user unknown", _true(batch.column("user_id").is_null())),
        ("no", ~is_returned),
        ("same request", topics.is_repeat),
        ("same topic", topics.is_same),
        ("other topic", topics.is_compared),
        otherwise="topic unknown",
    )
    end = _choose(rows, ("natural", numpy.isin(ending, _NATURAL)), ("unknown", ending == "unknown"), otherwise="mid")
    told = {"reading": reading, "end": end, "ending": ending, "returned": returned}
    fixed = {"target_kind": "session", "name": "abandonment", "kind": SignalKind.IMPLICIT.value, "source": "behaviour"}
    columns: dict[str, Any] = {
        "target_id": batch.column("session_id"),
        "session_id": batch.column("session_id"),
        "value": pa.array(value, pa.float64(), mask=numpy.isnan(value)),
        "occurred_at": batch.column("over_at"),
        **{name: pa.array([text] * rows, pa.string()) for name, text in fixed.items()},
        **{f"{EVIDENCE}{name}": pa.array(texts.tolist(), pa.string()) for name, texts in told.items()},
        f"{EVIDENCE}last_interaction_id": batch.column("interaction_id"),
        f"{EVIDENCE}next_interaction_id": batch.column("next_interaction_id"),
        f"{EVIDENCE}return_after_s": _seconds(batch),
        f"{EVIDENCE}shared_words": pa.array(topics.shared, pa.int64(), mask=~topics.is_compared).cast(pa.string()),
    }
    is_told = is_returned | (ending != "finished") | (numpy.asarray(batch.column("turns")) > 1)
    return pa.RecordBatch.from_pydict(columns).filter(pa.array(is_told))


def endings(batch: pa.RecordBatch) -> NDArray[numpy.str_]:
    """How each session ended, as its last turn shows."""
    reason, told, asked = batch.column("finish_reason"), batch.column("told"), batch.column("asked")
    is_empty = ~_matches(told, r"[^\s]")
    is_thin = _true(batch.column("is_thin"))
    of = {
        "thanks": _matches(asked, _THANKS),
        "failed": _true(batch.column("is_failed")) | _is_in(reason, _FAILURES),
        "tool call": _is_in(reason, TOOL_CALLS) | (_true(batch.column("has_calls")) & is_empty),
        "no answer": is_empty & ~is_thin,
        "cut off": _is_in(reason, _CUT_OFF),
        "question": _matches(told, _QUESTION) & ~_matches(told, _POLITE),
        "unknown": is_thin & is_empty,
    }
    return _choose(batch.num_rows, *((name, of[name]) for name in _ENDINGS), otherwise="finished")


def readings(
    ending: NDArray[numpy.str_], is_same: NDArray[numpy.bool_], is_again: NDArray[numpy.bool_]
) -> tuple[NDArray[numpy.float64], NDArray[numpy.str_]]:
    """The probability and the plain reading of each session; NaN where it is ambiguous."""
    thanked = ending == "thanks"
    negative = is_same & (~thanked | is_again)
    after_return = numpy.array([UNSATISFIED.get(str(name), AGAIN_DESPITE_THANKS) for name in ending.tolist()], float)
    value = numpy.where(negative, after_return, numpy.where(thanked & ~is_same, SATISFIED_BY_THANKS, numpy.nan))
    reading = _choose(len(ending), ("negative", negative), ("good", thanked & ~is_same), otherwise="ambiguous")
    return value, reading


def _choose(rows: int, *cases: tuple[str, NDArray[numpy.bool_]], otherwise: str) -> NDArray[numpy.str_]:
    """The name of the first case that holds."""
    return numpy.select([held for _, held in cases], [name for name, _ in cases], otherwise) if rows else numpy.array([], str)


def _matches(texts: "pa.Array[Any]", pattern: str) -> NDArray[numpy.bool_]:
    return _true(pc.match_substring_regex(texts, pattern))


def _is_in(texts: "pa.Array[Any]", values: tuple[str, ...]) -> NDArray[numpy.bool_]:
    return _true(pc.is_in(texts, pa.array(values, pa.string())))


def _true(flags: Any) -> NDArray[numpy.bool_]:
    return numpy.asarray(flags.fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)


def _seconds(batch: pa.RecordBatch) -> "pa.Array[Any]":
    """How long after the end the user was back, as text; never below 0, for a request may begin before an answer ends."""
    gap: Any = pc.subtract(batch.column("next_started_at").cast(pa.int64()), batch.column("over_at").cast(pa.int64()))
    rounded: Any = pc.max_element_wise(pc.divide(gap, 1_000_000), 0, skip_nulls=False)
    text: pa.Array[Any] = rounded.cast(pa.string())
    return text


ABANDONMENT = BatchDefinition(
    name="abandonment", version=1, source="interactions", select=_select, judge=_judge, awaits_quiet=True
)
