"""What a signal is taken to say: good at some values, bad at others, and nothing in between or where it is absent.

Directions are those of the design's list of signals; thresholds are stated with every figure and can be set. A signal that is
sent from outside under a name of its own (a score) says nothing until somebody states how it is to be read; of an outcome its
definition does.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy
from msgspec import Struct
from numpy.typing import NDArray

from penstock.errors import BadInputError

GOOD, BAD = "good", "bad"
Floats = NDArray[numpy.float64]
Bools = NDArray[numpy.bool_]
_COMPARISONS: Mapping[str, Callable[[Any, float], Any]] = {
    ">=": numpy.greater_equal,
    ">": numpy.greater,
    "<=": numpy.less_equal,
    "<": numpy.less,
}
JUDGED_NAME = "feedback (judge)"  # as which a judge's answers stand beside what the cues say
_PART = re.compile(r"(good|bad)\s*(>=|<=|>|<)\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)")


class Bound(Struct, frozen=True, kw_only=True):
    """Values on one side of a threshold."""

    comparison: str  # >=, >, <=, <
    threshold: float

    def sql(self, column: str) -> str:
        """A SQL condition on this column."""
        return f"{column} {self.comparison} {self.threshold!r}"

    def holds(self, values: Floats) -> Bools:
        """Whether values lie there."""
        found: Bools = _COMPARISONS[self.comparison](values, self.threshold)
        return found

    def __str__(self) -> str:
        return f"{self.comparison}{self.threshold:g}"


class Reading(Struct, frozen=True, kw_only=True):
    """Where a signal says good, and where bad; one of them at least."""

    good: Bound | None = None
    bad: Bound | None = None

    @property
    def higher_is_better(self) -> bool:
        """The direction, which is that of either bound."""
        if self.good is not None:
            return self.good.comparison.startswith(">")
        return self.bad is not None and self.bad.comparison.startswith("<")

    def bounds(self) -> Iterable[tuple[str, Bound]]:
        """What it says, and where."""
        return [(says, bound) for says, bound in ((GOOD, self.good), (BAD, self.bad)) if bound is not None]

    def __str__(self) -> str:
        return ", ".join(f"{says} {bound}" for says, bound in self.bounds())


def _reading(text: str) -> Reading:
    bounds: dict[str, Bound] = {}
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        if found is None or found[1] in bounds or not math.isfinite(float(found[3])):
            raise ValueError(part)
        bounds[found[1]] = Bound(comparison=found[2], threshold=float(found[3]))
    good, bad = bounds.get(GOOD), bounds.get(BAD)
    if good is not None and bad is not None and _overlap(good, bad):
        raise ValueError(text)
    return Reading(good=good, bad=bad)


def _overlap(good: Bound, bad: Bound) -> bool:
    """Whether some value is both, which it always is where both point the same way."""
    if good.comparison[0] == bad.comparison[0]:
        return True
    upper, lower = (good, bad) if good.comparison[0] == ">" else (bad, good)
    touches = upper.comparison == ">=" and lower.comparison == "<="
    return upper.threshold < lower.threshold or (upper.threshold == lower.threshold and touches)


# The values are those of the design; an edit is light below .2 and a rewrite above .5 (docs/signals.md).
READINGS: Mapping[str, Reading] = {
    "rating": _reading("good>0,bad<0"),
    "copy": _reading("good>0"),
    "acceptance": _reading("good>=0.5,bad<0.5"),
    "retention.*": _reading("good>=0.67,bad<=0.33"),
    "completion": _reading("good>=0.5,bad<0.5"),
    "predicted_completion": _reading("good>=0.7,bad<=0.3"),  # from where its labelling functions vote
    JUDGED_NAME: _reading("good>0,bad<-0.2"),
    "feedback": _reading("good>0,bad<-0.2"),  # a question what it means is neither
    "edit": _reading("good<0.2,bad>0.5"),
    "retry": _reading("bad>=0.5"),
    "regenerate": _reading("bad>0"),
    "abandonment": _reading("bad>=0.5"),
}


def reading_of(name: str, readings: Mapping[str, Reading]) -> Reading | None:
    """How a signal is read: by its name, or that of its family, as `retention.*` for retention.30s; None for not at all."""
    return readings.get(name, readings.get(f"{name.partition('.')[0]}.*"))


def outcome_reading(good: str) -> Reading:
    """How an outcome is read of which a `high` value is good, or a `low` one: the border is 0, as in its rates."""
    return _reading("good>0,bad<=0" if good == "high" else "good<=0,bad>0")


def parse_readings(texts: Iterable[str], besides: Mapping[str, Reading] | None = None) -> dict[str, Reading]:
    """The readings that hold where some are set, each as `NAME:good>=0.5,bad<0.2`. Raises BadInputError.

    `besides` are others that hold unless they are set.
    """
    stated = {**READINGS, **(besides or {})}
    for text in texts:
        name, separator, said = text.partition(":")
        try:
            if not separator or not name.strip():
                raise ValueError(text)
            stated[name.strip()] = _reading(said)
        except ValueError as error:
            raise BadInputError(
                f"The reading {text!r} is none; write NAME:good>=0.5 or NAME:bad>=0.5 or NAME:good>=0.5,bad<0.2, where no value "
                "is both."
            ) from error
    return stated
