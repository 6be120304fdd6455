"""outcome.<name>: what became of it later, outside. The value as sent. From reports named outcome.<name>, by any target.

Typical are outcome.tests (1 passed, 0 failed) and outcome.reopened; a later report of the same outcome amends the earlier one.
"""

from collections.abc import Mapping
from typing import Any

from penstock.records.signal import SignalKind
from penstock.signals.definition import Finding, RowDefinition, Tables, from_report
from penstock.signals.reports import outcome_reports


def _select(tables: Tables) -> Any:
    return outcome_reports(tables.reports)


def _judge(row: Mapping[str, Any]) -> Finding:
    return from_report(row, row["name"], SignalKind.OUTCOME, row["value"], text=row["text"])


OUTCOME = RowDefinition(name="outcome", version=1, select=_select, judge=_judge)
