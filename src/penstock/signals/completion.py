"""completion: whether what was asked for got done, as was reported from outside. 1 done, 0 not, between them partly. Outcome.

From the reports listed below, all named `outcome.<name>`; the one that happened last counts, so what was resolved and then
reopened is not done. Of an outcome that several interactions share, `weight` in the evidence is this one's share. What a trace
lets one expect is `predicted_completion`, a signal of its own, which never stands in for this.
"""

from typing import Any

import ibis

from penstock.records.feedback import OUTCOME_PREFIX
from penstock.records.signal import SignalKind
from penstock.signals.definition import EVIDENCE, ExpressionDefinition, Tables
from penstock.signals.reports import latest, weight_in_words

# 1 says that it got done, 0 that it did not.
DONE = (
    "completed", "completion", "task_completed", "task_completion", "resolved", "solved", "success", "succeeded", "goal_reached",
    "merged", "tests",
)  # fmt: skip
# 1 says that it did not get done; 0, that this did not happen, says nothing.
NOT_DONE = ("reopened", "failed", "task_failed", "not_completed")

_OUT_OF_RANGE = "a completion lies between 0 and 1"
_NOTHING = "no value was given"


def select(tables: Tables) -> ibis.Table:
    """Per target the last report that says whether it got done, as a finding."""
    reports = tables.reports.mutate(said=tables.reports.name.lower())
    undone = reports.said.isin(_named(NOT_DONE))
    told = latest(reports.filter(reports.said.isin(_named(DONE)) | (undone & ~(reports.value <= 0).fill_null(False))))
    undone = told.said.isin(_named(NOT_DONE))
    value = undone.ifelse(1.0 - told.value.fill_null(1.0), told.value)
    is_known = value.between(0.0, 1.0).fill_null(False)
    reason = value.isnull().ifelse(_NOTHING, _OUT_OF_RANGE)
    return told.select(
        "target_kind", "target_id", "interaction_id", "session_id", "occurred_at", "source", "feedback_id",
        name=ibis.literal("completion"),
        kind=ibis.literal(SignalKind.OUTCOME.value),
        value=is_known.ifelse(value, None),
        **{
            f"{EVIDENCE}reported_as": told.name,
            f"{EVIDENCE}reason": is_known.ifelse(None, reason),
            f"{EVIDENCE}weight": weight_in_words(told),
        },
    )  # fmt: skip


def _named(names: tuple[str, ...]) -> list[Any]:
    return [f"{OUTCOME_PREFIX}{name}" for name in names]


COMPLETION = ExpressionDefinition(name="completion", version=1, source="reports", select=select)
