"""rating: how good a person said it was. -1 (bad) to 1 (good). Explicit; from reports named rating, thumbs, score or stars.

A rating is taken as sent, -1 to 1. A thumb is 1 or -1. A score runs from 0 to 1 and stars from 1 to 5, both stretched to -1..1;
metadata `minimum` and `maximum` give another scale. What fits no scale is kept without a value, with the reason.
"""

from collections.abc import Mapping
from typing import Any

from penstock.records.signal import SignalKind
from penstock.signals.definition import Finding, RowDefinition, Tables, from_report
from penstock.signals.reports import rating_reports

_GOOD = frozenset({"up", "thumbs_up", "like", "good", "positive", "yes", "true", "+1"})
_BAD = frozenset({"down", "thumbs_down", "dislike", "bad", "negative", "no", "false", "-1"})
VERDICTS = tuple(sorted(_GOOD | _BAD))  # texts that are a rating, and no words about one
_SCALES = {"score": (0.0, 1.0), "stars": (1.0, 5.0)}
_DEFAULT_SCALE = (-1.0, 1.0)


def rate(name: str, value: float | None, text: str | None, metadata: Mapping[str, str]) -> tuple[float | None, str | None]:
    """The rating in -1..1, or None and why there is none."""
    name = name.lower()
    if name in ("thumbs_up", "thumbs_down"):
        sign = 1.0 if name == "thumbs_up" else -1.0
        return (sign, None) if value is None or value > 0 else (None, f"{name} was taken back")
    if value is None:
        return _rate_text(text)
    if name in ("thumb", "thumbs"):
        return (1.0 if value > 0 else -1.0), None
    low, high = _scale(name, metadata)
    if not low <= value <= high:
        return None, f"{value:g} is outside {low:g}..{high:g}; send metadata minimum and maximum"
    return 2.0 * (value - low) / (high - low) - 1.0, None


def _rate_text(text: str | None) -> tuple[float | None, str | None]:
    word = (text or "").strip().lower()
    if word in _GOOD:
        return 1.0, None
    return (-1.0, None) if word in _BAD else (None, "it has no value")


def _scale(name: str, metadata: Mapping[str, str]) -> tuple[float, float]:
    try:
        low, high = float(metadata["minimum"]), float(metadata["maximum"])
    except (KeyError, ValueError):
        return _SCALES.get(name, _DEFAULT_SCALE)
    return (low, high) if low < high else _SCALES.get(name, _DEFAULT_SCALE)


def _select(tables: Tables) -> Any:
    return rating_reports(tables.reports)


def _judge(row: Mapping[str, Any]) -> Finding:
    value, reason = rate(row["name"], row["value"], row["text"], row["metadata"])
    return from_report(row, "rating", SignalKind.EXPLICIT, value, text=row["text"], evidence={"reason": reason})


RATING = RowDefinition(name="rating", version=1, select=_select, judge=_judge)
