"""silent: the model chose to offer nothing. Always 1. Implicit; from reports named silent, or acceptance with the text `silent`.

Only the client knows that an answer meant "nothing to offer", so it says so; no marker in the text is guessed at. Without it a
policy that learns when to keep quiet, as Cursor's Tab does (cursor.com/blog/tab-rl), has nothing to learn from.
"""

import ibis.expr.types as ir

from penstock.records.signal import SignalKind
from penstock.signals.definition import ExpressionDefinition, Tables
from penstock.signals.reports import findings_of, silent_reports


def _select(tables: Tables) -> ir.Table:
    told = silent_reports(tables.reports)
    return findings_of(told.filter(told.value.isnull() | (told.value > 0)), SignalKind.IMPLICIT, name="silent", value=1.0)


SILENT = ExpressionDefinition(name="silent", version=1, source="reports", select=_select)
