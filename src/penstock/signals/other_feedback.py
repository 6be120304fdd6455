"""feedback.<name>: a report under a name that no definition reads. The value as sent, in the sender's unit. Explicit.

Nothing that was reported is lost: evaluator scores and home-grown names become signals of their own, which no rule trusts.
"""

from collections.abc import Mapping
from typing import Any

from penstock.records.signal import SignalKind
from penstock.signals.definition import Finding, RowDefinition, Tables, from_report
from penstock.signals.reports import other_reports


def _select(tables: Tables) -> Any:
    return other_reports(tables.reports)


def _judge(row: Mapping[str, Any]) -> Finding:
    return from_report(row, f"feedback.{row['name']}", SignalKind.EXPLICIT, row["value"], text=row["text"])


OTHER_FEEDBACK = RowDefinition(name="other_feedback", version=1, select=_select, judge=_judge)
