"""acceptance: what became of a suggestion. 1 accepted, 0 rejected, reverted or ignored, between them the share kept. Implicit.

From reports named acceptance (state in the text, or a value), or by the state: offered, accepted, partly_accepted, rejected,
ignored, reverted, edited. `offered` alone is no verdict and has no value. Once its session went on without one and is over, the
state is `ignored` and the evidence says that this was inferred; it still has no value, for silence is no rejection. Where the
client says `ignored`, it is 0. A verdict that still comes takes its place. `accepted` with the value 0, and any verdict with
the value false, is taken back: no verdict. That the model chose to offer nothing is the signal `silent`. What is neither clear
nor consistent is kept without a value, with the reason. Of all that Ziegler et al. (arXiv 2205.06537) looked at, the share of
suggestions accepted told best how productive people felt.
"""

import ibis
import ibis.expr.types as ir
import numpy
import pyarrow as pa

from penstock.records.signal import SignalKind
from penstock.signals.compared_texts import numbers_of, text_pairs, texts_of, with_found
from penstock.signals.definition import EVIDENCE, BatchDefinition, Tables
from penstock.signals.reports import STATE_IN_TEXT, acceptance_reports, findings_of, is_truth, named
from penstock.signals.session_ends import in_sessions, quiet_since
from penstock.signals.text_edit import kept_shares

_STATE, _REASON, _OFFERED, _FINAL = (f"{EVIDENCE}{name}" for name in ("state", "reason", "offered", "final"))
_CLEAR = {"accepted": 1.0, "rejected": 0.0, "reverted": 0.0, "ignored": 0.0}
_SHARED = ("edited", "partly accepted")  # their value is the share kept
_MISSING = "the offered or the final text is missing"


def _select(tables: Tables) -> ir.Table:
    told = acceptance_reports(tables.reports)
    went_on = _sessions_over(tables)
    told = told.left_join(went_on, told.session_id == went_on.of_session).drop("of_session")
    is_ignored = (told.state == "offered") & told.interaction_id.notnull() & (told.last_started > told.occurred_at)
    inferred = is_ignored.fill_null(False)
    # That it was edited is no share of it.
    is_share = told.value.between(0.0, 1.0).fill_null(False) & (named(told, STATE_IN_TEXT) | ~is_truth(told))
    by_value = ibis.cases((told.value == 0.0, "rejected"), (told.value == 1.0, "accepted"), else_="partly accepted")
    unknown = ibis.cases((told.value.isnull(), "neither a state nor a value"), (is_share, None), else_="a value outside 0..1")
    taken_back = _is_taken_back(told)
    state = ibis.cases(
        (taken_back, "taken back"),
        (inferred, "ignored"),
        (told.state.notnull(), told.state),
        (is_share, by_value),
        else_="unknown",
    )
    clear = ibis.ifelse(inferred, None, state.cases(*_CLEAR.items(), else_=None))
    share = ibis.ifelse(is_share & state.isin((*_SHARED, "unknown")), told.value, None)
    return findings_of(
        told,
        SignalKind.IMPLICIT,
        name="acceptance",
        value=ibis.coalesce(clear, share),
        state=state,
        reason=ibis.cases((taken_back, told.name.lower() + " was taken back"), (told.state.isnull(), unknown), else_=None),
        inferred=ibis.ifelse(inferred, "its session went on without a verdict", None),
        offered=ibis.ifelse(state.isin(_SHARED), told.response_text, None),
        final=ibis.ifelse(state.isin(_SHARED) & ~named(told, STATE_IN_TEXT), told.text, None),
    )


def _is_taken_back(told: ir.Table) -> ir.BooleanValue:
    """Whether a report named by its state says that it is not so; a 0 says so of `accepted` alone."""
    is_denied = (told.state == "accepted") | is_truth(told)
    return ((told.value == 0.0) & ~named(told, STATE_IN_TEXT) & is_denied).fill_null(False)


def _sessions_over(tables: Tables) -> ir.Table:
    """Sessions that have been quiet for long, with when their last turn started."""
    turns = in_sessions(tables.interactions)
    sessions = turns.group_by(of_session=turns.session_id).aggregate(
        last_started=turns.started_at.max(), last_ended=turns.ended_at.max()
    )
    return sessions.filter(sessions.last_ended <= quiet_since(tables)).drop("last_ended")


def _judge(batch: pa.RecordBatch) -> pa.RecordBatch:
    """With the share kept where both texts are there, and the reason where there is neither that nor a value."""
    pairs, value = text_pairs(batch, _OFFERED, _FINAL), numbers_of(batch, "value")
    value[pairs.is_there] = kept_shares(pairs.offered, pairs.final)
    rows = zip(texts_of(batch, _STATE), texts_of(batch, _REASON), numpy.isnan(value).tolist(), strict=True)
    reasons = [_MISSING if state in _SHARED and is_missing else reason for state, reason, is_missing in rows]
    return with_found(batch, value, {_REASON: reasons}, without=[_OFFERED, _FINAL])


ACCEPTANCE = BatchDefinition(name="acceptance", version=5, source="reports", select=_select, judge=_judge, awaits_quiet=True)
