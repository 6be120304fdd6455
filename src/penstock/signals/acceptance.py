"""acceptance: what became of a suggestion. 1 accepted, 0 rejected, in between the share kept after an edit. Implicit.

From reports named acceptance (state in the text, or a value), or by the state: offered, accepted, rejected, edited, reverted.
`offered` alone is no verdict and has no value. What is neither clear nor consistent is kept without a value, with the reason.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from penstock.records.signal import SignalKind
from penstock.signals.definition import Finding, RowDefinition, Tables, from_report
from penstock.signals.edit import kept_share
from penstock.signals.reports import acceptance_reports

_STATES = {
    "offer": "offered", "offered": "offered", "shown": "offered",
    "accept": "accepted", "accepted": "accepted",
    "reject": "rejected", "rejected": "rejected", "dismiss": "rejected", "dismissed": "rejected",
    "revert": "rejected", "reverted": "rejected",
    "edit": "edited", "edited": "edited",
}  # fmt: skip


class Fate(Struct, frozen=True, kw_only=True):
    """What became of a suggestion."""

    state: str  # offered, accepted, rejected, edited, or unknown
    value: float | None
    reason: str | None = None  # why there is no value


def fate(name: str, value: float | None, text: str | None, offered: str | None) -> Fate:
    """Read one report; `offered` is the text of the suggestion it is about."""
    named = _STATES.get(name.lower())
    state = named or _STATES.get((text or "").strip().lower())
    if state is None:
        return _from_value(value)
    if state == "offered":
        return Fate(state=state, value=None)
    if state == "edited":
        return _edited(value, text if named else None, offered)
    return Fate(state=state, value=1.0 if state == "accepted" else 0.0)


def _from_value(value: float | None) -> Fate:
    if value is None:
        return Fate(state="unknown", value=None, reason="neither a state nor a value")
    if not 0.0 <= value <= 1.0:
        return Fate(state="unknown", value=None, reason=f"{value:g} is outside 0..1")
    return Fate(state={0.0: "rejected", 1.0: "accepted"}.get(value, "edited"), value=value)


def _edited(value: float | None, final: str | None, offered: str | None) -> Fate:
    if final is not None and offered:
        return Fate(state="edited", value=kept_share(offered, final))
    if value is not None and 0.0 <= value <= 1.0:
        return Fate(state="edited", value=value)
    return Fate(state="edited", value=None, reason="the offered or the final text is missing")


def _select(tables: Tables) -> Any:
    return acceptance_reports(tables.reports)


def _judge(row: Mapping[str, Any]) -> Finding:
    found = fate(row["name"], row["value"], row["text"], row["response_text"])
    evidence = {"state": found.state, "reason": found.reason}
    return from_report(row, "acceptance", SignalKind.IMPLICIT, found.value, evidence=evidence)


ACCEPTANCE = RowDefinition(name="acceptance", version=1, select=_select, judge=_judge)
