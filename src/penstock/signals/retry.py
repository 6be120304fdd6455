"""retry: the probability that the next request asks for the same again, because this answer did not do. Implicit.

Worked out from behaviour: two consecutive requests of one session, or of one user, within 90 s of the answer. The same words
again are `exact`; sooner than two seconds after the answer, or before its end, they are `network`, a program's second try, which
says nothing of the answer and has no value. Others go through a logistic model and are `rephrase`. An answer that failed or asked
for a tool is no answer to be dissatisfied with; whether it was empty or cut off is evidence.
"""

from typing import Any

import ibis
import numpy
import pyarrow as pa
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from penstock.records.signal import SignalKind
from penstock.signals.definition import RETRY_GAP_S, BatchDefinition, Tables
from penstock.signals.next_turn import LEAST_GAP_S, OF_NEXT, next_by, requests, speaks_of_an_answer
from penstock.signals.request_pair import Model, read_pairs

EXACT_PROBABILITY = 0.95
# Below it, it is another request, and there is no finding.
LEAST_PROBABILITY = 0.2

# Fitted by benchmarks/signal_accuracy/fit_retry.py on the tuning parts of three sets that count the same: questions of TREC CAsT
# 2019 with their rewrites and follow-ups, graded questions of SemEval 2016, and judged consecutive requests of RealHumanEval;
# only of the last are the times known. Within each set retries count as much as others, so .5 suits where both are as frequent.
MODEL = Model(
    intercept=-4.16,
    coefficients={
        "word_set": 4.12,
        "unlike": 4.19,
        "swapped": -4.75,
        "length": 3.27,
        "corrects": 4.68,
        "expects": 2.56,
        "restricts": 2.52,
        "elliptical": 2.25,
        "in_trouble": 4.08,
        "has_code": -1.89,
        "spells_out": 1.22,
        "refers": 1.41,
        "follows_up": -1.3,
        "lateness": -1.56,
    },
)

_COLUMNS = (
    "interaction_id", "trace_id", "session_id", "user_id", "application", "prompt_name", "exposure", "prompt_text", "started_at",
    "ended_at", "error_type", "finish_reason",
)  # fmt: skip


class Verdicts(Struct, frozen=True, kw_only=True):
    """How likely each second request asks for the same as the first, and what spoke for it; by column."""

    probability: NDArray[numpy.float64]  # 0 where it is plainly another
    is_exact: NDArray[numpy.bool_]
    word_set: NDArray[numpy.float64]


def judge_retries(first: "pa.Array[Any]", second: "pa.Array[Any]", apart_s: ArrayLike | None = None) -> Verdicts:
    """Whether each second request asks for the same again; with the seconds between both where they are known."""
    pairs = read_pairs(first, second, apart_s)
    probability = numpy.where(pairs.is_exact, EXACT_PROBABILITY, MODEL.probability(pairs))
    return Verdicts(
        probability=numpy.where(probability < LEAST_PROBABILITY, 0.0, probability),
        is_exact=pairs.is_exact,
        word_set=numpy.where(pairs.is_exact, 1.0, pairs.word_set),
    )


def consecutive_requests(interactions: ibis.Table) -> ibis.Table:
    """Every request with the next one of its session, or else of its user, where that came within the gap."""
    asked = requests(interactions)
    asked = asked.select(*_COLUMNS, answer=_answer(asked))
    pairs = asked.mutate(**_next_by(asked, "session_id"), **_next_by(asked, "user_id"))
    in_session = _is_soon(pairs, "session_id")
    chosen = pairs.mutate(
        found_by=ibis.ifelse(in_session, "session_id", "user_id"),
        **{
            f"next_{name}": ibis.ifelse(in_session, pairs[f"{name}_by_session_id"], pairs[f"{name}_by_user_id"])
            for name in OF_NEXT
        },
    ).filter(in_session | (pairs.user_id.notnull() & _is_soon(pairs, "user_id")))
    return chosen.filter(*speaks_of_an_answer(chosen))


def _answer(interactions: ibis.Table) -> ibis.Value:
    """What became of the first answer: filtered, cut_off, empty or given."""
    return ibis.cases(
        (interactions.finish_reason == "content_filter", "filtered"),
        (interactions.finish_reason == "length", "cut_off"),
        (interactions.content_sampled.fill_null(True) & (interactions.response_text.fill_null("") == ""), "empty"),
        else_="given",
    )


def _next_by(asked: ibis.Table, who: str) -> dict[str, ibis.Value]:
    return {f"{name}_by_{who}": value for name, value in next_by(asked, who).items()}


def _is_soon(pairs: ibis.Table, who: str) -> ibis.Value:
    gap = ibis.interval(microseconds=int(RETRY_GAP_S * 1_000_000))
    return (pairs[f"started_at_by_{who}"] <= pairs.ended_at + gap).fill_null(False)


def _select(tables: Tables) -> ibis.Table:
    return consecutive_requests(tables.interactions).select(
        "interaction_id", "session_id", "prompt_text", "started_at", "ended_at", "answer",
        "next_interaction_id", "next_prompt_text", "next_started_at", "found_by",
    )  # fmt: skip


def _judge(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A finding about the first of every pair that may be a retry."""
    gap_s = _seconds_between(batch.column("ended_at"), batch.column("next_started_at"))
    apart_s = _seconds_between(batch.column("started_at"), batch.column("next_started_at"))
    verdicts = judge_retries(batch.column("prompt_text"), batch.column("next_prompt_text"), apart_s)
    found = numpy.flatnonzero(verdicts.probability > 0.0)
    is_exact = verdicts.is_exact[found]
    is_network = is_exact & (gap_s[found] < LEAST_GAP_S)
    rows = batch.take(pa.array(found, pa.int64()))
    columns: dict[str, Any] = {
        "target_kind": pa.repeat("interaction", len(found)),
        "target_id": rows.column("interaction_id"),
        "interaction_id": rows.column("interaction_id"),
        "session_id": rows.column("session_id"),
        "name": pa.repeat("retry", len(found)),
        "kind": pa.repeat(SignalKind.IMPLICIT.value, len(found)),
        "value": pa.array(verdicts.probability[found].round(6), mask=is_network),
        "occurred_at": rows.column("next_started_at"),
        "source": pa.repeat("behaviour", len(found)),
        "evidence_kind": pa.array(numpy.select([is_network, is_exact], ["network", "exact"], "rephrase").tolist(), pa.string()),
        "evidence_next_interaction_id": rows.column("next_interaction_id"),
        "evidence_similarity": _decimals(verdicts.word_set[found], 4),
        "evidence_gap_s": _decimals(gap_s[found], 3),
        "evidence_found_by": rows.column("found_by"),
        "evidence_answer": rows.column("answer"),
    }
    return pa.RecordBatch.from_pydict(columns)


def _seconds_between(earlier: "pa.Array[Any]", later: "pa.Array[Any]") -> NDArray[numpy.float64]:
    """Never below zero: a request may be sent while the answer still comes."""
    moments = [numpy.asarray(column.cast(pa.timestamp("us", "UTC")).cast(pa.int64())) for column in (earlier, later)]
    seconds: NDArray[numpy.float64] = numpy.maximum(0.0, (moments[1] - moments[0]) / 1e6)
    return seconds


def _decimals(values: NDArray[numpy.float64], digits: int) -> "pa.Array[Any]":
    return pa.array([f"{value:.{digits}f}" for value in values.tolist()], pa.string())


RETRY = BatchDefinition(name="retry", version=4, source="interactions", select=_select, judge=_judge)
