"""regenerate: another answer to the very same request was asked for. Always 1. Implicit.

From reports named regenerate, which 0 takes back; and from behaviour: the next request of the session has the same words, and the
same number of input tokens where the same model counts them, so that what is said twice with more history is none; nor is "go
on". It is told apart from a network retry, which follows a failure, within two seconds of the answer or even before it, or in one
trace. In the codes of Don-Yehiya et al. (arXiv 2407.10944) it is a repeat (UR1) of which no word was changed.
"""

from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from penstock.records.signal import SignalKind
from penstock.signals.definition import SESSION_QUIET_S, BatchDefinition, ExpressionDefinition, Tables
from penstock.signals.next_turn import LEAST_GAP_S, OF_NEXT, TOOL_CALLS, next_by, requests
from penstock.signals.reports import findings_of, regenerate_reports
from penstock.signals.request_cues import continues

_NEXT = (*OF_NEXT, "input_tokens", "response_model")


def _from_reports(tables: Tables) -> ir.Table:
    told = regenerate_reports(tables.reports)
    standing = told.filter(told.value.isnull() | (told.value > 0))
    return findings_of(standing, SignalKind.IMPLICIT, name="regenerate", value=1.0, text=standing.text, found_by="report")


def _from_behaviour(tables: Tables) -> ir.Table:
    asked = requests(tables.interactions)
    pairs = asked.select(
        "interaction_id", "session_id", "trace_id", "prompt_text", "ended_at", "error_type", "finish_reason",
        "input_tokens", "response_model",
        **{f"next_{name}": value for name, value in next_by(asked, "session_id", _NEXT).items()},
    )  # fmt: skip
    is_counted_alike = (pairs.response_model == pairs.next_response_model).fill_null(False)
    has_grown = is_counted_alike & (pairs.input_tokens != pairs.next_input_tokens).fill_null(False)
    again = pairs.filter(
        (pairs.prompt_text == pairs.next_prompt_text) & (pairs.prompt_text != ""),
        pairs.trace_id != pairs.next_trace_id,
        pairs.error_type.isnull() & ~pairs.finish_reason.isin(TOOL_CALLS).fill_null(False),
        ~has_grown,
        pairs.next_started_at >= pairs.ended_at + _seconds(LEAST_GAP_S),
        pairs.next_started_at <= pairs.ended_at + _seconds(SESSION_QUIET_S),
    )
    return again.select(
        "interaction_id", "session_id", "prompt_text",
        target_id=again.interaction_id, occurred_at=again.next_started_at, value=1.0,
        **{name: ibis.literal(said) for name, said in _FIXED.items()},
        evidence_next_interaction_id=again.next_interaction_id,
    )  # fmt: skip


def _without_going_on(batch: pa.RecordBatch) -> pa.RecordBatch:
    said: Any = pc.utf8_lower(batch.column("prompt_text"))
    return batch.filter(pa.array(~continues(said))).drop_columns(["prompt_text"])


_FIXED = {
    "target_kind": "interaction",
    "name": "regenerate",
    "kind": SignalKind.IMPLICIT.value,
    "source": "behaviour",
    "evidence_found_by": "behaviour",
}


def _seconds(count: float) -> ir.IntervalScalar:
    return ibis.interval(microseconds=int(count * 1_000_000))


REGENERATE = BatchDefinition(name="regenerate", version=2, source="interactions", select=_from_behaviour, judge=_without_going_on)
REGENERATE_REPORT = ExpressionDefinition(name="regenerate_report", version=1, source="reports", select=_from_reports)
