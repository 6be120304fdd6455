"""retention.<delay>: how much of an accepted suggestion still stands after that long, such as retention.30s. 0 to 1. Implicit.

From reports named retention, with metadata delay_s; usual are 30 s and 2, 5 and 10 minutes (Ziegler et al., 2205.06537). The
share is the reported value, or is worked out where the report has the text that stands by then. `reading` says what that study
would: unchanged, mostly unchanged (edit distance below a third) or changed; by characters, or by the share that is gone.
"""

import math

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from penstock.records.signal import SignalKind
from penstock.signals.compared_texts import numbers_of, text_pairs, with_found
from penstock.signals.definition import EVIDENCE, BatchDefinition, Tables
from penstock.signals.reports import findings_of, retention_reports
from penstock.signals.text_edit import changed_characters, kept_shares

MOSTLY_UNCHANGED_BELOW = 0.33
_OFFERED, _READING, _REASON = (f"{EVIDENCE}{name}" for name in ("offered", "reading", "reason"))


def _select(tables: Tables) -> ir.Table:
    told = retention_reports(tables.reports)
    is_timed = told.delay_s != ""
    return findings_of(
        told,
        SignalKind.IMPLICIT,
        name=ibis.ifelse(is_timed, ibis.literal("retention.").concat(told.delay_s, "s"), "retention"),
        value=ibis.ifelse(told.value.between(0.0, 1.0).fill_null(False), told.value, None),
        text=told.text,
        delay_s=ibis.ifelse(is_timed, told.delay_s, None),
        offered=told.response_text,
    )


def _judge(batch: pa.RecordBatch) -> pa.RecordBatch:
    pairs, share = text_pairs(batch, _OFFERED, "text"), numbers_of(batch, "value")
    share[pairs.is_there] = kept_shares(pairs.offered, pairs.final)
    changed = 1.0 - share
    changed[pairs.is_there] = changed_characters(pairs.offered, pairs.final)
    evidence = {_READING: [_read(one) for one in changed.tolist()], _REASON: [_ask(one) for one in changed.tolist()]}
    return with_found(batch, share, evidence, without=[_OFFERED])


def _read(changed: float) -> str | None:
    if math.isnan(changed):
        return None
    return "unchanged" if changed == 0.0 else "mostly unchanged" if changed < MOSTLY_UNCHANGED_BELOW else "changed"


def _ask(changed: float) -> str | None:
    return "neither a share of 0 to 1 nor the text that stands, with the one offered" if math.isnan(changed) else None


RETENTION = BatchDefinition(name="retention", version=2, source="reports", select=_select, judge=_judge)
