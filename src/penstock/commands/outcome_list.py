"""`penstock outcomes list`: which outcomes there are, how they are attributed, and what has become of their reports."""

from typing import Any

import pyarrow as pa

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_json, print_rows
from penstock.ingest.settle_outcomes import outcome_settling
from penstock.lake.lake import Lake
from penstock.outcomes.unexplained import COLUMNS, UNEXPLAINED, explain
from penstock.records.feedback import OUTCOME_PREFIX, FeedbackStatus

_SHOWN = (
    FeedbackStatus.ATTRIBUTED, FeedbackStatus.MATCHED, FeedbackStatus.SUPERSEDED, FeedbackStatus.PENDING,
    FeedbackStatus.AMBIGUOUS, FeedbackStatus.EXPIRED,
)  # fmt: skip
_NONE = "No outcome is defined and none has come; write [outcomes.NAME] into penstock.toml (docs/outcomes.md)."


def show_all(home: options.Home = None, json: options.Json = False) -> None:
    """List the outcomes that are defined and those that came without a definition, with what became of their reports.

    Reports count as attributed or matched, superseded by a later one, pending, ambiguous, or expired. Why some are pending or
    have expired stands below.
    """
    penstock = Penstock(options.load(home).settings)
    settling = outcome_settling(penstock.settings)
    counts = _counts(penstock.lake)
    rows: list[dict[str, Any]] = []
    for one in settling.definitions:
        of = one.settings
        told = {"keys": ", ".join(of.keys), "rule": of.rule, "window_h": of.window_h, "good": of.good}
        rows.append({"outcome": one.name, **told, **_shown(counts.pop(one.name, {}))})
    for name in sorted(counts):
        nothing = {"keys": None, "rule": None, "window_h": None, "good": None}
        rows.append({"outcome": name, **nothing, **_shown(counts[name])})
    unexplained = explain(penstock.lake, settling, _unexplained(penstock.lake))
    if json:
        reasons = {row["outcome"]: {one.reason: one.reports for one in unexplained if one.name == row["outcome"]} for row in rows}
        print_json([{**row, "unexplained": reasons[row["outcome"]]} for row in rows])
        return
    print_rows(rows, as_json=False, empty=_NONE)
    for found in unexplained:
        print(f"  {found.name}: {found.reports} pending or expired, {found.reason}")


def _unexplained(lake: Lake) -> pa.Table:
    reports = lake.current("feedback")
    waiting = reports.filter(reports.name.startswith(OUTCOME_PREFIX), reports.status.isin([str(one) for one in UNEXPLAINED]))
    found: pa.Table = waiting.select(*COLUMNS).to_pyarrow()
    return found


def _counts(lake: Lake) -> dict[str, dict[str, int]]:
    reports = lake.current("feedback")
    outcomes = reports.filter(reports.name.startswith(OUTCOME_PREFIX))
    found: dict[str, dict[str, int]] = {}
    for row in outcomes.group_by("name", "status").aggregate(number=outcomes.count()).to_pyarrow().to_pylist():
        found.setdefault(row["name"], {})[row["status"]] = row["number"]
    return found


def _shown(counts: dict[str, int]) -> dict[str, int]:
    """By status; what arrived and is not settled yet is pending too."""
    settled = {status.value: counts.get(status, 0) for status in _SHOWN}
    return {**settled, "pending": settled["pending"] + counts.get(FeedbackStatus.RECEIVED, 0)}
