"""copy: the response, or a part of it, was copied. Always 1. Implicit; from reports named copy, copied or copy_event.

That nothing was copied is no signal: absence is not evidence here. A report with the value 0 takes an earlier one back. Copying
as the implicit yes of somebody who says nothing is after RealHumanEval (Mozannar et al., arXiv 2404.02806).
"""

import ibis.expr.types as ir

from penstock.records.signal import SignalKind
from penstock.signals.definition import ExpressionDefinition, Tables
from penstock.signals.reports import copy_reports, findings_of


def _select(tables: Tables) -> ir.Table:
    copies = copy_reports(tables.reports)
    standing = copies.filter(copies.value.isnull() | (copies.value > 0))
    return findings_of(standing, SignalKind.IMPLICIT, name="copy", value=1.0, text=standing.text)


COPY = ExpressionDefinition(name="copy", version=1, source="reports", select=_select)
