"""Matched feedback as signal definitions see it, and which names of reports mean what.

Of several reports of one kind on one target the one that happened last counts: accepted and then reverted is reverted.
"""

from collections.abc import Sequence
from typing import Any

import ibis
import ibis.expr.types as ir

from penstock.lake.portable import map_value
from penstock.records.feedback import OUTCOME_PREFIX
from penstock.records.signal import SignalKind
from penstock.signals.definition import EVIDENCE

RATING_NAMES = ("rating", "thumb", "thumbs", "thumbs_up", "thumbs_down", "score", "stars")
COMMENT_NAMES = ("comment", "comments", "note")
COPY_NAMES = ("copy", "copied", "copy_event")
OFFERED_NAMES = ("offer", "offered", "shown")
ACCEPTANCE_NAMES = (
    "acceptance", "suggestion", *OFFERED_NAMES, "accept", "accepted", "partial", "partly_accepted", "partially_accepted",
    "reject", "rejected", "dismiss", "dismissed", "ignore", "ignored", "revert", "reverted", "edit", "edited",
)  # fmt: skip
STATE_IN_TEXT = ("acceptance", "suggestion")  # names whose text is the state
EDIT_NAMES = ("edit", "edited")
FINAL_NAMES = ("final_text", "sent", "published", "submitted")  # with a text, what went out in the end
SILENT_NAMES = ("silent", "silence")
RETENTION_NAMES = ("retention", "retained")
DWELL_NAMES = ("dwell",)
REGENERATE_NAMES = ("regenerate", "regenerated", "regeneration")
DELAY = "delay_s"  # in a retention's metadata: whole seconds since the suggestion was taken

# A report named `acceptance` may say in its text that the model chose to offer nothing.
_SILENT_TEXT = "silent"
_KNOWN = (
    *RATING_NAMES, *COMMENT_NAMES, *COPY_NAMES, *ACCEPTANCE_NAMES, *SILENT_NAMES, *RETENTION_NAMES, *DWELL_NAMES,
    *REGENERATE_NAMES,
)  # fmt: skip


def rating_reports(reports: ir.Table) -> ir.Table:
    """Reports by which a person says how good it was; the last per target."""
    return latest(reports.filter(named(reports, RATING_NAMES)))


def comment_reports(reports: ir.Table, verdicts: Sequence[str]) -> ir.Table:
    """Reports in which a person says something, by itself or with a rating, as `comment`; the last per target.

    A rating whose text is one of the verdicts says nothing beyond itself.
    """
    said = reports.mutate(comment=ibis.coalesce(map_value(reports.metadata, "comment"), reports.text))
    words = said.comment.strip().lower()
    is_comment = named(said, COMMENT_NAMES) | (named(said, RATING_NAMES) & ~words.isin(verdicts))
    return latest(said.filter((is_comment & (words != "")).fill_null(False)))


def copy_reports(reports: ir.Table) -> ir.Table:
    """Reports that a response, or a part of it, was copied; the last per target."""
    return latest(reports.filter(named(reports, COPY_NAMES)))


def acceptance_reports(reports: ir.Table) -> ir.Table:
    """Reports of a suggestion's fate, each with its `state`; the last verdict per target.

    `ignored` counts only where there is no other verdict, and `offered` where there is none at all.
    """
    chosen = reports.filter(named(reports, ACCEPTANCE_NAMES), ~_says_silent(reports))
    stated = chosen.mutate(state=_state(chosen))
    rank = stated.state.cases(("offered", 0), ("ignored", 1), else_=2).fill_null(2)
    return latest(stated.mutate(rank=rank), "rank")


def edit_reports(reports: ir.Table) -> ir.Table:
    """Reports of what was kept in the end, with its text or the share that was kept as `share`; the last per target.

    `edited` that is false kept all of it; one that is true tells no share.
    """
    share = ibis.ifelse(is_truth(reports), ibis.ifelse(reports.value == 0.0, 1.0, None), reports.value)
    told = reports.mutate(share=share)
    has_final = named(told, (*EDIT_NAMES, *FINAL_NAMES)) & told.text.notnull()
    has_share = named(told, EDIT_NAMES) & told.share.notnull()
    return latest(told.filter(has_final | has_share))


def silent_reports(reports: ir.Table) -> ir.Table:
    """Reports that the model chose to offer nothing; the last per target."""
    return latest(reports.filter(named(reports, SILENT_NAMES) | _says_silent(reports)))


def retention_reports(reports: ir.Table) -> ir.Table:
    """Reports of how much of a suggestion still stands, with `delay_s` after how long (empty where unsaid); the last of each."""
    chosen = reports.filter(named(reports, RETENTION_NAMES))
    said = map_value(chosen.metadata, DELAY, "").strip()
    return latest(chosen.mutate(delay_s=said.re_extract(r"^(\d{1,7})(\.\d*)?$", 1)), by=("target_id", "delay_s"))


def regenerate_reports(reports: ir.Table) -> ir.Table:
    """Reports that another answer to the same request was asked for; the last per target."""
    return latest(reports.filter(named(reports, REGENERATE_NAMES)))


def outcome_reports(reports: ir.Table) -> ir.Table:
    """Reports of what became of it later; the last per target and outcome."""
    return latest(reports.filter(reports.name.startswith(OUTCOME_PREFIX)), by=("target_id", "name"))


def other_reports(reports: ir.Table) -> ir.Table:
    """Reports under any other name; the last per target and name."""
    is_final = named(reports, FINAL_NAMES) & reports.text.notnull()
    rest = reports.filter(~named(reports, _KNOWN), ~is_final, ~reports.name.startswith(OUTCOME_PREFIX))
    return latest(rest, by=("target_id", "name"))


def named(reports: ir.Table, names: Sequence[str]) -> ir.BooleanValue:
    """Whether a report has one of these names, whatever the case of its letters."""
    return reports.name.lower().isin(names)


def is_truth(reports: ir.Table) -> ir.BooleanValue:
    """Whether a report came with true or false, and not with a number: the scale beside its value says so."""
    scale = (map_value(reports.metadata, "minimum") == "0") & (map_value(reports.metadata, "maximum") == "1")
    return (scale & reports.value.isin((0.0, 1.0))).fill_null(False)


def latest(reports: ir.Table, *before_time: str, by: Sequence[str] = ("target_id",)) -> ir.Table:
    """Per target the report that happened last; columns named in `before_time` outrank the time."""
    order: list[Any] = [reports[name].desc() for name in before_time]
    order += [reports.occurred_at.desc(), reports.known_at.desc(), reports.feedback_id.desc()]
    place = ibis.row_number().over(ibis.window(group_by=list(by), order_by=order))
    numbered = reports.mutate(place=place)
    return numbered.filter(numbered.place == 0)


def findings_of(reports: ir.Table, kind: SignalKind, *, name: Any, value: Any, text: Any = None, **evidence: Any) -> ir.Table:
    """The columns of findings about the targets of these reports, pointing back to them; of `evidence`, what is not NULL."""
    told = {"name": name, "kind": kind.value, f"{EVIDENCE}reported_as": reports.name}
    told |= {f"{EVIDENCE}{key}": content for key, content in evidence.items()} | ({} if text is None else {"text": text})
    written = {key: ibis.literal(content) if isinstance(content, str) else content for key, content in told.items()}
    about = ("target_kind", "target_id", "interaction_id", "session_id", "occurred_at", "source", "feedback_id")
    return reports.select(*about, value=value, **written)


def weight_in_words(reports: ir.Table) -> ir.Value:
    """The share of an outcome that several interactions share, to six places, for evidence; NULL where it is whole.

    Engines write floats as text each in its own way.
    """
    millionths = ibis.least((reports.weight * 1_000_000).round().cast("int64"), 999_999).cast("string")
    return (reports.weight < 1.0).ifelse(ibis.literal("0.") + millionths.lpad(6, "0"), None)


def _says_silent(reports: ir.Table) -> ir.BooleanValue:
    return (named(reports, STATE_IN_TEXT) & (reports.text.lower() == _SILENT_TEXT)).fill_null(False)


_STATES = {
    "offer": "offered", "offered": "offered", "shown": "offered",
    "accept": "accepted", "accepted": "accepted",
    "partial": "partly accepted", "partly_accepted": "partly accepted", "partially_accepted": "partly accepted",
    "partly accepted": "partly accepted", "partially accepted": "partly accepted",
    "reject": "rejected", "rejected": "rejected", "dismiss": "rejected", "dismissed": "rejected",
    "ignore": "ignored", "ignored": "ignored",
    "revert": "reverted", "reverted": "reverted",
    "edit": "edited", "edited": "edited",
}  # fmt: skip


def _state(reports: ir.Table) -> ir.Value:
    """What a report says became of a suggestion, by its name or by its text; NULL where neither does."""
    name = reports.name.lower()
    said = ibis.ifelse(name.isin(STATE_IN_TEXT), reports.text.strip().lower(), name)
    return said.cases(*_STATES.items(), else_=None)
