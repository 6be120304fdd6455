"""dwell: for how long somebody had the answer before their eyes. Seconds. Implicit; from reports named dwell.

The beacon counts only while a part of the answer is in view of a visible page, and sends one report per page load, which grows;
the signal is their sum. More than half an hour on one page counts as half an hour: nobody was reading. That longer is better
holds for what was looked for and found (Fox et al., ACM TOIS 23(2), 2005), and not for what has to be puzzled out; so it has no
sign.
"""

import ibis
import ibis.expr.types as ir

from penstock.records.signal import SignalKind
from penstock.signals.definition import ExpressionDefinition, Tables
from penstock.signals.reports import DWELL_NAMES, findings_of, latest, named

MOST_S = 1800.0  # on one page


def _select(tables: Tables) -> ir.Table:
    reports = tables.reports.filter(named(tables.reports, DWELL_NAMES))
    is_time = (reports.value >= 0).fill_null(False)
    seconds = ibis.ifelse(is_time, reports.value, None)
    counted = reports.mutate(seconds=seconds, capped=ibis.ifelse(seconds > MOST_S, MOST_S, seconds))
    everything = ibis.window(group_by="target_id")
    summed = counted.mutate(
        seen_s=counted.capped.sum().over(everything),
        told_s=counted.seconds.sum().over(everything),
        pages=counted.seconds.count().over(everything),
    )
    last = latest(summed)
    return findings_of(
        last,
        SignalKind.IMPLICIT,
        name="dwell",
        value=last.seen_s.round(3),  # the sum of the same numbers in another order may differ in its last digits
        pages=last.pages.cast("string"),
        told_s=ibis.ifelse(last.told_s > last.seen_s, last.told_s.round().cast("int64").cast("string"), None),
        reason=ibis.ifelse(last.seen_s.isnull(), "no number of seconds, from 0 up", None),
    )


DWELL = ExpressionDefinition(name="dwell", version=2, source="reports", select=_select)
