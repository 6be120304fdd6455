"""Rates of an outcome by cohort: mature ones as they are, immature ones corrected for what has not come yet. Pure.

The rate is the share of cases that get the outcome with a value above 0; of a case that is several interactions' together each
counts in part, and so do their outcomes, delays and intervals. An outcome without a value says nothing and is in no rate. How
many of a cohort's outcomes have come follows from the delays of cases that are old enough to have all theirs or, where these
are too few, from a distribution fitted to all.
"""

from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import numpy
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from penstock.errors import BadInputError
from penstock.lake.arrow_values import column_values
from penstock.outcome_settings import OutcomeSettings
from penstock.statistics.delayed_outcomes import FEWEST_OUTCOMES, MATURE, delayed_rate, fitted_delays, rate_given_delays
from penstock.statistics.intervals import Interval, wilson_interval
from penstock.statistics.outcome_delays import OutcomeDelays, outcome_delays, share_arrived

COHORTS = ("day", "week", "all")
ENOUGH_KNOWN = 100  # outcomes of mature cases, whose delays then need no fitted shape
_SLIP = 1e-6
_FITTED = 1000  # delays that stand for a fitted distribution

Floats = NDArray[numpy.float64]


class CohortRate(Struct, frozen=True, kw_only=True):
    """One cohort's rate."""

    cohort: str  # its first day, or all
    by: str | None  # the value of the dimension that cohorts were split by
    cases: float  # a whole number but where a case's interactions lie in several cohorts
    outcomes: float  # that have come, of any value
    arrived: float | None  # the share of this cohort's outcomes that has come; None where nothing tells
    naive: float  # as if nothing were to come any more
    rate: float | None  # None where nothing tells
    low: float | None
    high: float | None
    mean_value: float | None  # of the outcomes; with mature_after_h also of the cases of that age without one, as 0
    provisional: bool  # corrected for what has not come; it will change


def cohort_rates(cases: pa.Table, settings: OutcomeSettings, cohort: str, by: str | None = None) -> list[CohortRate]:
    """The rate of each cohort (`day`, `week` or `all`) and each value of a dimension, oldest first.

    `cases` are those of `outcome_cases.read_cases`. Raises BadInputError for another cohort.
    """
    if cohort not in COHORTS:
        raise BadInputError(f"{cohort!r} is no cohort; use {', '.join(COHORTS)}.")
    if cases.num_rows == 0:
        return []
    horizon = max(settings.mature_after_h, settings.window_h)  # outcomes are attributed as long as the window is
    all_of_them = _columns(cases, horizon)
    known = _known_delays(all_of_them, horizon)
    groups = _places(cases, cohort, by)
    found = []
    for (name, part), places in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        chosen = all_of_them.at(numpy.array(places))
        rate = _rate(chosen, known, horizon, is_whole=len(groups) == 1)
        mean = _mean_value(chosen, settings.mature_after_h)
        number, outcomes = _whole(chosen.number), _whole(float(chosen.weight[chosen.came].sum()))
        found.append(CohortRate(cohort=name, by=part, cases=number, outcomes=outcomes, mean_value=mean, **rate))
    return found


def _whole(number: float) -> float:
    """Without what adding up parts leaves in the last places."""
    return round(number) if abs(number - round(number)) < _SLIP else number


class _Cases(Struct, frozen=True, kw_only=True):
    came: NDArray[numpy.bool_]  # whether an outcome has come, of any value
    value: Floats  # of the outcome; NaN where none came, or came without one
    age: Floats  # in hours, watched up to the horizon
    delay: Floats  # of outcomes above 0, at most the horizon; NaN where there is none
    weight: Floats  # how much of a case it is

    def at(self, places: NDArray[numpy.int64]) -> "_Cases":
        """Some of them."""
        return _Cases(**{name: column[places] for name, column in msgspec.structs.asdict(self).items()})

    @property
    def number(self) -> float:
        """How many cases they are, parts being added up."""
        return float(self.weight.sum())

    @property
    def arrived(self) -> float:
        """How many have an outcome above 0."""
        return float(self.weight[~numpy.isnan(self.delay)].sum())

    def delays(self) -> OutcomeDelays:
        """For the statistics of delays."""
        return outcome_delays(self.delay, self.age, weight=self.weight)


class _Known(Struct, frozen=True, kw_only=True):
    """How late outcomes come."""

    delay: Floats  # ascending
    weight: Floats  # how much of an outcome each is


def _columns(cases: pa.Table, horizon: float) -> _Cases:
    came = numpy.array([moment is not None for moment in cases.column("happened_at").to_pylist()])
    value = _floats(cases.column("value"))
    age, delay = _floats(cases.column("age_h")), _floats(cases.column("delay_h"))
    counts = came & (value > 0.0) & (delay <= age)
    # One that names its interaction may come after the horizon: it is there all the same, so it stands at its end.
    delay = numpy.where(counts, numpy.minimum(delay, horizon), numpy.nan)
    return _Cases(came=came, value=value, age=numpy.minimum(age, horizon), delay=delay, weight=_floats(cases.column("weight")))


def _floats(column: "pa.ChunkedArray[Any]") -> Floats:
    return numpy.array(column.cast(pa.float64()).to_numpy(), dtype=float)


def _places(cases: pa.Table, cohort: str, by: str | None) -> dict[tuple[str, str | None], list[int]]:
    """Where the cases of each cohort and value of the dimension stand."""
    labels = [_label(moment, cohort) for moment in column_values(cases.column("started_at"))]
    split = cases.column(by).to_pylist() if by else [None] * cases.num_rows
    groups: dict[tuple[str, str | None], list[int]] = {}
    for place, group in enumerate(zip(labels, split, strict=True)):
        groups.setdefault(group, []).append(place)
    return groups


def _label(moment: datetime, cohort: str) -> str:
    day: date = moment.date()
    if cohort == "all":
        return "all"
    return (day - timedelta(days=day.weekday()) if cohort == "week" else day).isoformat()


def _known_delays(cases: _Cases, horizon: float) -> _Known | None:
    """Delays as they are where all have come, or as a fit to all cases expects them; None where nothing tells."""
    old = cases.at(numpy.flatnonzero((cases.age >= horizon) & ~numpy.isnan(cases.delay)))
    if old.number >= ENOUGH_KNOWN - _SLIP:
        order = numpy.argsort(old.delay, kind="stable")
        return _Known(delay=old.delay[order], weight=old.weight[order])
    if cases.arrived < FEWEST_OUTCOMES - _SLIP:
        return None
    fitted = fitted_delays(delayed_rate(cases.delays()), _FITTED)
    within = fitted[fitted <= horizon]  # what would come later is never attributed
    return _Known(delay=within, weight=numpy.ones(len(within))) if len(within) else None


def _rate(cases: _Cases, known: _Known | None, horizon: float, *, is_whole: bool) -> dict[str, Any]:
    number, came = cases.number, min(cases.arrived, cases.number)
    naive = came / number
    is_over = cases.age >= horizon
    if not bool(is_over.all()) and known is None:
        return _told(None, naive, None, None, provisional=True)
    seen = share_arrived(known.delay, known.weight, cases.age) if known is not None else 1.0
    arrived = float(numpy.average(numpy.where(is_over, 1.0, seen), weights=cases.weight))
    if known is None or arrived >= MATURE:
        return _told(arrived, naive, naive, wilson_interval(came, number), provisional=False)
    delays = cases.delays()
    if is_whole and came >= FEWEST_OUTCOMES - _SLIP:
        return _fitted(delays, horizon, naive)
    return _given(delays, known, arrived, naive)


def _fitted(cases: OutcomeDelays, horizon: float, naive: float) -> dict[str, Any]:
    """By the distribution that is fitted to these very cases, as far as it lies within the horizon."""
    fitted = delayed_rate(cases)
    within = float((fitted_delays(fitted, _FITTED) <= horizon).mean())
    interval = Interval(low=fitted.interval.low * within, high=fitted.interval.high * within)
    arrived = min(1.0, fitted.arrived / within) if within else 0.0
    return _told(arrived, naive, max(fitted.rate * within, naive), interval, provisional=True)


def _given(cases: OutcomeDelays, known: _Known, arrived: float, naive: float) -> dict[str, Any]:
    try:
        estimate, interval = rate_given_delays(cases, known.delay, known_weights=known.weight)
    except BadInputError:  # all cases are younger than the shortest delay: nothing can have come yet
        return _told(0.0, naive, None, None, provisional=True)
    return _told(arrived, naive, estimate.value, interval, provisional=True)


def _told(
    arrived: float | None, naive: float, rate: float | None, interval: Interval | None, *, provisional: bool
) -> dict[str, Any]:
    low, high = (interval.low, interval.high) if interval else (None, None)
    return {"arrived": arrived, "naive": naive, "rate": rate, "low": low, "high": high, "provisional": provisional}


def _mean_value(cases: _Cases, mature_after_h: float) -> float | None:
    counts = ~numpy.isnan(cases.value)
    if mature_after_h:
        counts |= ~cases.came & (cases.age >= mature_after_h)
    weight = cases.weight[counts]
    return float((numpy.nan_to_num(cases.value[counts]) * weight).sum() / weight.sum()) if len(weight) else None
