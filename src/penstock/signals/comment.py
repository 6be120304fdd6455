"""comment: what a person said of the answer in words, which are the text; the value is that of the rating it came with, or none.

Explicit; from reports named comment or note, and from ratings with words of their own. A rating that is itself a word is none.
"""

from collections.abc import Mapping
from typing import Any

import ibis.expr.types as ir

from penstock.records.signal import SignalKind
from penstock.signals.definition import Finding, RowDefinition, Tables, from_report
from penstock.signals.rating import VERDICTS, rate
from penstock.signals.reports import RATING_NAMES, comment_reports


def _select(tables: Tables) -> ir.Table:
    return comment_reports(tables.reports, VERDICTS)


def _judge(row: Mapping[str, Any]) -> Finding:
    if row["name"].lower() not in RATING_NAMES:
        return from_report(row, "comment", SignalKind.EXPLICIT, None, text=row["comment"])
    value, reason = rate(row["name"], row["value"], row["text"], row["metadata"])
    return from_report(row, "comment", SignalKind.EXPLICIT, value, text=row["comment"], evidence={"reason": reason})


COMMENT = RowDefinition(name="comment", version=1, select=_select, judge=_judge)
