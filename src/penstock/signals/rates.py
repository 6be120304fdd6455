"""The rates that can be told of traffic, signal by signal: of which cases each is known, and why not of the others.

Some signals are a mean over who was heard: a rating, an outcome. Others are there or not: a copy, a retry. Where an application
never reports one, nothing is known of it, and it is left out; a retry can only be seen of who stays for another turn.
"""

from collections.abc import Mapping

import numpy
from msgspec import Struct
from numpy.typing import NDArray

from penstock.records.feedback import OUTCOME_PREFIX
from penstock.signals.covariates import Cases
from penstock.signals.definition import SESSION_QUIET_S
from penstock.signals.readings import Reading, reading_of
from penstock.signals.traffic import shares_by_case

Floats = NDArray[numpy.float64]
Bools = NDArray[numpy.bool_]

RATING, RETRY = "rating", "retry"
RATES, STAYS, REPORTS, COMES = "who rates", "who stays", "who reports", "whose outcome has come"
_MEANS = {"rating": (-1.0, 1.0), "feedback": (-1.0, 1.0), "acceptance": (0.0, 1.0), "retention": (0.0, 1.0), "edit": (0.0, 1.0),
          "completion": (0.0, 1.0)}  # fmt: skip


class Rate(Struct, frozen=True, kw_only=True):
    """One rate over cases."""

    name: str
    signal: str
    heard: str  # who is: by what cases with an outcome differ from those without
    outcome: Floats  # by case, NaN where it is not known
    among: Bools  # the cases that it is of
    share: Floats  # by case, how much of an outcome it is: below 1 where several share one
    lowest: float
    highest: float
    higher_is_better: bool | None
    is_share: bool  # of cases in which something happened, and not a mean of values
    outside: float  # share of the traffic that never reports it
    pending: int  # cases that may still go on
    note: str = ""


def find_rate(
    name: str, values: Floats, cases: Cases, readings: Mapping[str, Reading], shares: Floats | None = None
) -> Rate | None:
    """What can be told of a signal with these values by case, and shares where any is below 1; None where it is nowhere."""
    there = numpy.isfinite(values)
    if not there.any():
        return None
    reading = reading_of(name, readings)
    reporting = numpy.isin(cases.application, numpy.unique(cases.application[there]))
    is_retry = name == RETRY
    among = reporting & (there | ~_may_go_on(cases)) if is_retry else reporting
    is_share = _mean_of(name) is None and _is_there_or_not(name, values[there], reading)
    if is_share:
        seen = there | (cases.has_next & cases.has_words) if is_retry else reporting
        outcome, (lowest, highest, note) = _happened(values, reading).astype(float), (0.0, 1.0, "")
        outcome = numpy.where(seen, outcome, numpy.nan)
    else:
        outcome, (lowest, highest, note) = values, _range(name, values[there])
    return Rate(
        name=f"{name} rate" if is_share else f"mean {name}",
        signal=name,
        heard=STAYS if is_retry else RATES if name == RATING else COMES if name.startswith(OUTCOME_PREFIX) else REPORTS,
        outcome=outcome,
        among=among,
        share=numpy.ones(cases.number) if shares is None else shares_by_case(numpy.where(among, shares, numpy.nan), cases.weight),
        lowest=lowest,
        highest=highest,
        higher_is_better=None if reading is None else reading.higher_is_better,
        is_share=is_share,
        outside=float(cases.weight[~reporting].sum() / cases.weight.sum()),
        pending=int((reporting & ~among).sum()),
        note=note,
    )


def happened_in(name: str, values: Floats, readings: Mapping[str, Reading]) -> Bools:
    """The cases in which a signal says what it is there to say."""
    return _happened(values, reading_of(name, readings))


def _is_there_or_not(name: str, values: Floats, reading: Reading | None) -> bool:
    """Whether a signal is an event: it says only one thing, or has only one value."""
    one_sided = reading is not None and (reading.good is None or reading.bad is None)
    return one_sided or bool((values == values[0]).all() and values[0] > 0.0 and not name.startswith(OUTCOME_PREFIX))


def _mean_of(name: str) -> tuple[float, float] | None:
    """Between what a signal lies that is known by its mean: by its name or that of its family, as retention.30s."""
    return _MEANS.get(name.partition(".")[0])


def _happened(values: Floats, reading: Reading | None) -> Bools:
    there: Bools = numpy.isfinite(values)
    if reading is None:
        return there
    (_, bound), *_rest = reading.bounds()
    said: Bools = there & bound.holds(values)
    return said


def _range(name: str, values: Floats) -> tuple[float, float, str]:
    """The lowest and the highest that a value can be, and what to say where that is not known."""
    low, high = float(values.min()), float(values.max())
    whole = _mean_of(name)
    if whole is not None and whole[0] <= low and high <= whole[1]:
        return (*whole, "")
    if low >= 0.0 and high <= 1.0:
        return 0.0, 1.0, ""
    return low, high if high > low else low + 1.0, f"bounds are of the values seen, {low:g} to {high:g}"


def _may_go_on(cases: Cases) -> Bools:
    """Last turns of sessions that were not quiet for long enough to be over."""
    newest = cases.started_s.max(initial=0.0)
    still: Bools = ~cases.has_next & (cases.started_s > newest - SESSION_QUIET_S)
    return still
