"""outcome.<name>: what became of it later, outside. The value as sent. From reports named outcome.<name>, by any target.

Typical are outcome.tests (1 passed, 0 failed) and outcome.reopened; a later report of the same outcome amends the earlier one.
Where an outcome is about several interactions each has a signal with the value as sent, and its share of the outcome in evidence
(`weight`); the shares of one report sum to 1.
"""

import ibis.expr.types as ir

from penstock.records.signal import SignalKind
from penstock.signals.definition import ExpressionDefinition, Tables
from penstock.signals.reports import findings_of, outcome_reports, weight_in_words


def _select(tables: Tables) -> ir.Table:
    told = outcome_reports(tables.reports)
    return findings_of(told, SignalKind.OUTCOME, name=told.name, value=told.value, text=told.text, weight=weight_in_words(told))


OUTCOME = ExpressionDefinition(name="outcome", version=1, source="reports", select=_select)
