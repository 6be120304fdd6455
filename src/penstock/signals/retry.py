"""retry: the probability that the next request asks for the same again, because this answer did not do. Implicit.

Worked out from behaviour: two consecutive requests of one session, or of one user, within 90 s of the answer. The same words
again are `exact`; others go through a logistic model. Follow-up questions share most words with the one before, so what was
swapped for what counts as much as what is shared. An answer that failed or asked for a tool is no answer to be dissatisfied with.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import ibis
from msgspec import Struct
from rapidfuzz import fuzz

from penstock.records.signal import SignalKind
from penstock.signals.definition import RETRY_GAP_S, Finding, RowDefinition, Tables

# Below this share of common words it is another request, and there is no finding.
LEAST_SIMILAR = 0.55
EXACT_PROBABILITY = 0.95

# A logistic model: word_set, overlap, shared and swapped were fitted on 821 pairs with word_set >= 0.55: TREC CAsT 2019 questions
# with their rewrites (same) and with the turn after (other), and graded SemEval 2016 question pairs; ten-fold AUC .951,
# precision .88, recall .89. `correction` and `follow_up` are rare there and set by hand. How often people retry at all
# differs by product: the intercept belongs to those pairs, nearly half of them retries.
COEFFICIENTS = {"word_set": 14.4, "overlap": 3.5, "shared": -5.2, "swapped": -4.4, "correction": 2.0, "follow_up": -1.0}
INTERCEPT = -10.7

_CORRECTION = re.compile(
    r"^\W*(no|nope|not|wrong|incorrect|actually|instead|try again|again|sorry)\b"
    r"|\b(i meant?|i said|i asked|not what i|try again|once more)\b"
)
_FOLLOW_UP = re.compile(r"^\W*(and|also|what about|how about|then|but|okay|ok|thanks|thank you|great|why|next|now)\b")
_WORD = re.compile(r"\w+")
_WORD_LIST = (
    "a an and are as at be by can could do does did for from had has have how i in is it its me my of on or please so tell that"
    " the their there these this those to was were what when where which who why will with would you your about"
)
_EMPTY_WORDS = frozenset(_WORD_LIST.split())
_TOOL_CALLS = ("tool_call", "tool_calls", "tool-calls", "function_call")
_MOST_CHARACTERS = 4_000
_COLUMNS = (
    "interaction_id", "trace_id", "session_id", "user_id", "application", "prompt_name", "exposure", "prompt_text", "started_at",
    "ended_at", "error_type", "finish_reason",
)  # fmt: skip
_OF_NEXT = ("interaction_id", "trace_id", "prompt_text", "started_at")


class Verdict(Struct, frozen=True, kw_only=True):
    """How likely the second request repeats the first, and what spoke for it."""

    probability: float
    kind: str  # exact or rephrase
    word_set: float


def judge_retry(first: str, second: str) -> Verdict | None:
    """Whether the second request asks for the same again; None where it is plainly another."""
    first, second = _normalise(first), _normalise(second)
    if not first or not second:
        return None
    if first == second:
        return Verdict(probability=EXACT_PROBABILITY, kind="exact", word_set=1.0)
    features = measure(first, second)
    if features["word_set"] < LEAST_SIMILAR and not features["correction"]:
        return None
    score = INTERCEPT + sum(COEFFICIENTS[name] * value for name, value in features.items())
    return Verdict(probability=1.0 / (1.0 + math.exp(-score)), kind="rephrase", word_set=features["word_set"])


def measure(first: str, second: str) -> dict[str, float]:
    """The model's features of two requests in lower case; all lie in 0..1."""
    before, after = _content_words(first), _content_words(second)
    shared, smaller = len(before & after), max(1, min(len(before), len(after)))
    return {
        "word_set": fuzz.token_set_ratio(first, second) / 100.0,
        "overlap": shared / smaller,
        "shared": shared / max(1, len(before | after)),
        "swapped": min(len(before - after), len(after - before)) / smaller,
        "correction": float(_CORRECTION.search(second) is not None),
        "follow_up": float(_FOLLOW_UP.search(second) is not None),
    }


def _normalise(text: str) -> str:
    return " ".join(text[:_MOST_CHARACTERS].lower().split())


def _content_words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text) if word not in _EMPTY_WORDS}


def consecutive_requests(interactions: ibis.Table) -> ibis.Table:
    """Every request with the next one of its session, or else of its user, where that came within the gap.

    Next means next of the same application, prompt and exposure, so that what an agent does on the side stands between no two
    turns. Within one trace the same words are a program's second step, not a person's second try. A request whose words were
    sampled out is a turn all the same, only with nothing to compare.
    """
    is_thin = ~interactions.content_sampled.fill_null(True)
    asked = interactions.filter(interactions.prompt_text.notnull() | is_thin).select(*_COLUMNS)
    pairs = asked.mutate(**_next_by(asked, "session_id"), **_next_by(asked, "user_id"))
    in_session = _is_soon(pairs, "session_id")
    chosen = pairs.mutate(
        found_by=ibis.ifelse(in_session, "session_id", "user_id"),
        **{
            f"next_{name}": ibis.ifelse(in_session, pairs[f"{name}_by_session_id"], pairs[f"{name}_by_user_id"])
            for name in _OF_NEXT
        },
    ).filter(in_session | (pairs.user_id.notnull() & _is_soon(pairs, "user_id")))
    return chosen.filter(
        chosen.prompt_text.notnull() & chosen.next_prompt_text.notnull(),
        chosen.error_type.isnull(),
        ~chosen.finish_reason.isin(_TOOL_CALLS).fill_null(False),
        (chosen.trace_id != chosen.next_trace_id) | (chosen.prompt_text != chosen.next_prompt_text),
    )


def _next_by(asked: ibis.Table, who: str) -> dict[str, ibis.Value]:
    same = [asked[who], asked.application.fill_null(""), asked.prompt_name.fill_null(""), asked.exposure]
    window = ibis.window(group_by=same, order_by=[asked.started_at, asked.interaction_id])
    return {f"{name}_by_{who}": asked[name].lead(1).over(window) for name in _OF_NEXT}


def _is_soon(pairs: ibis.Table, who: str) -> ibis.Value:
    gap = ibis.interval(microseconds=int(RETRY_GAP_S * 1_000_000))
    return (pairs[f"started_at_by_{who}"] <= pairs.ended_at + gap).fill_null(False)


def _select(tables: Tables) -> Any:
    pairs = consecutive_requests(tables.interactions)
    return pairs.select(
        "interaction_id", "session_id", "prompt_text", "started_at", "ended_at",
        "next_interaction_id", "next_prompt_text", "next_started_at", "found_by",
    )  # fmt: skip


def _judge(row: Mapping[str, Any]) -> Finding | None:
    verdict = judge_retry(row["prompt_text"], row["next_prompt_text"])
    if verdict is None:
        return None
    gap_s = (row["next_started_at"] - row["ended_at"]).total_seconds()
    return Finding(
        target_kind="interaction",
        target_id=row["interaction_id"],
        interaction_id=row["interaction_id"],
        session_id=row["session_id"],
        name="retry",
        kind=SignalKind.IMPLICIT,
        value=round(verdict.probability, 6),
        occurred_at=row["next_started_at"],
        source="behaviour",
        evidence={
            "kind": verdict.kind,
            "next_interaction_id": row["next_interaction_id"],
            "similarity": f"{verdict.word_set:.4f}",
            "gap_s": f"{max(0.0, gap_s):.3f}",
            "found_by": row["found_by"],
        },
    )


RETRY = RowDefinition(name="retry", version=1, source="interactions", select=_select, judge=_judge)
