"""feedback.<name>: a report under a name that no definition reads. The value as sent, in the sender's unit. Explicit.

Nothing that was reported is lost: evaluator scores and home-grown names become signals of their own, which no rule trusts.
"""

import ibis
import ibis.expr.types as ir

from penstock.records.signal import SignalKind
from penstock.signals.definition import ExpressionDefinition, Tables
from penstock.signals.reports import findings_of, other_reports


def _select(tables: Tables) -> ir.Table:
    told = other_reports(tables.reports)
    name = ibis.literal("feedback.").concat(told.name)
    return findings_of(told, SignalKind.EXPLICIT, name=name, value=told.value, text=told.text)


OTHER_FEEDBACK = ExpressionDefinition(name="other_feedback", version=1, source="reports", select=_select)
