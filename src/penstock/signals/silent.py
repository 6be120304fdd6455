"""silent: the model chose to offer nothing. Always 1. Implicit; from reports named silent, or acceptance with the text `silent`.

Only the client knows that an answer meant "nothing to offer", so it says so; no marker in the text is guessed at.
"""

from collections.abc import Mapping
from typing import Any

from penstock.records.signal import SignalKind
from penstock.signals.definition import Finding, RowDefinition, Tables, from_report
from penstock.signals.reports import silent_reports


def _select(tables: Tables) -> Any:
    return silent_reports(tables.reports)


def _judge(row: Mapping[str, Any]) -> Finding | None:
    if row["value"] is not None and row["value"] <= 0:
        return None
    return from_report(row, "silent", SignalKind.IMPLICIT, 1.0)


SILENT = RowDefinition(name="silent", version=1, select=_select, judge=_judge)
