"""Matched feedback as signal definitions see it, and which names of reports mean what.

Of several reports of one kind on one target the one that happened last counts: accepted and then reverted is reverted.
"""

from collections.abc import Sequence
from typing import Any

import ibis

RATING_NAMES = ("rating", "thumb", "thumbs", "thumbs_up", "thumbs_down", "score", "stars")
COPY_NAMES = ("copy", "copied", "copy_event")
ACCEPTANCE_NAMES = (
    "acceptance", "suggestion", "offer", "offered", "shown", "accept", "accepted", "reject", "rejected", "dismiss", "dismissed",
    "revert", "reverted", "edit", "edited",
)  # fmt: skip
SILENT_NAMES = ("silent", "silence")
OUTCOME_PREFIX = "outcome."

# A report named `acceptance` may say in its text that the model chose to offer nothing.
_SILENT_TEXT = "silent"


def rating_reports(reports: ibis.Table) -> ibis.Table:
    """Reports by which a person says how good it was; the last per target."""
    return latest(reports.filter(reports.name.lower().isin(RATING_NAMES)))


def copy_reports(reports: ibis.Table) -> ibis.Table:
    """Reports that a response, or a part of it, was copied; the last per target."""
    return latest(reports.filter(reports.name.lower().isin(COPY_NAMES)))


def acceptance_reports(reports: ibis.Table) -> ibis.Table:
    """Reports of a suggestion's fate; the last verdict per target, and `offered` only where there is none."""
    chosen = reports.filter(reports.name.lower().isin(ACCEPTANCE_NAMES), ~_says_silent(reports))
    state = ibis.ifelse(chosen.name.lower().isin(("acceptance", "suggestion")), chosen.text.lower(), chosen.name.lower())
    only_offered = state.isin(("offer", "offered", "shown")).fill_null(False)
    return latest(chosen.mutate(rank=ibis.ifelse(only_offered, 0, 1)), "rank")


def silent_reports(reports: ibis.Table) -> ibis.Table:
    """Reports that the model chose to offer nothing; the last per target."""
    return latest(reports.filter(reports.name.lower().isin(SILENT_NAMES) | _says_silent(reports)))


def outcome_reports(reports: ibis.Table) -> ibis.Table:
    """Reports of what became of it later; the last per target and outcome."""
    return latest(reports.filter(reports.name.startswith(OUTCOME_PREFIX)), by=("target_id", "name"))


def other_reports(reports: ibis.Table) -> ibis.Table:
    """Reports under any other name; the last per target and name."""
    known = (*RATING_NAMES, *COPY_NAMES, *ACCEPTANCE_NAMES, *SILENT_NAMES)
    rest = reports.filter(~reports.name.lower().isin(known), ~reports.name.startswith(OUTCOME_PREFIX))
    return latest(rest, by=("target_id", "name"))


def latest(reports: ibis.Table, *before_time: str, by: Sequence[str] = ("target_id",)) -> ibis.Table:
    """Per target the report that happened last; columns named in `before_time` outrank the time."""
    order: list[Any] = [reports[name].desc() for name in before_time]
    order += [reports.occurred_at.desc(), reports.known_at.desc(), reports.feedback_id.desc()]
    place = ibis.row_number().over(ibis.window(group_by=list(by), order_by=order))
    numbered = reports.mutate(place=place)
    return numbered.filter(numbered.place == 0)


def _says_silent(reports: ibis.Table) -> Any:
    named = reports.name.lower().isin(("acceptance", "suggestion"))
    return (named & (reports.text.lower() == _SILENT_TEXT)).fill_null(False)
