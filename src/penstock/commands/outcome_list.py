"""`penstock outcomes list`: which outcomes there are, how they are attributed, and what has become of their reports."""

from typing import Any

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_rows
from penstock.ingest.attribution import outcome_definitions
from penstock.lake.lake import Lake
from penstock.records.feedback import OUTCOME_PREFIX, FeedbackStatus

_SHOWN = (
    FeedbackStatus.ATTRIBUTED, FeedbackStatus.MATCHED, FeedbackStatus.SUPERSEDED, FeedbackStatus.PENDING,
    FeedbackStatus.AMBIGUOUS, FeedbackStatus.EXPIRED,
)  # fmt: skip
_NONE = "No outcome is defined and none has come; write [outcomes.NAME] into penstock.toml (docs/outcomes.md)."


def show_all(home: options.Home = None, json: options.Json = False) -> None:
    """List the outcomes that are defined and those that came without a definition, with what became of their reports.

    Reports count as attributed or matched, superseded by a later one, pending, ambiguous, or expired.
    """
    penstock = Penstock(options.load(home).settings)
    counts = _counts(penstock.lake)
    rows: list[dict[str, Any]] = []
    for one in outcome_definitions(penstock.settings.outcomes):
        of = one.settings
        told = {"keys": ", ".join(of.keys), "rule": of.rule, "window_h": of.window_h, "good": of.good}
        rows.append({"outcome": one.name, **told, **_shown(counts.pop(one.name, {}))})
    for name in sorted(counts):
        nothing = {"keys": None, "rule": None, "window_h": None, "good": None}
        rows.append({"outcome": name, **nothing, **_shown(counts[name])})
    print_rows(rows, as_json=json, empty=_NONE)


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
