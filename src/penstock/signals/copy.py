"""copy: the response, or a part of it, was copied. Always 1. Implicit; from reports named copy, copied or copy_event.

That nothing was copied is no signal: absence is not evidence here. A report with the value 0 takes an earlier one back.
"""

from collections.abc import Mapping
from typing import Any

from penstock.records.signal import SignalKind
from penstock.signals.definition import Finding, RowDefinition, Tables, from_report
from penstock.signals.reports import copy_reports


def _select(tables: Tables) -> Any:
    return copy_reports(tables.reports)


def _judge(row: Mapping[str, Any]) -> Finding | None:
    if row["value"] is not None and row["value"] <= 0:
        return None
    return from_report(row, "copy", SignalKind.IMPLICIT, 1.0, text=row["text"])


COPY = RowDefinition(name="copy", version=1, select=_select, judge=_judge)
