"""How many times as often something happens in one group as in another, when both may hold cases of the same user."""

import math

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from penstock.statistics.intervals import Interval, two_sided_quantile

Floats = NDArray[numpy.float64]


class RateRatio(Struct, frozen=True, kw_only=True):
    """The first group's rate divided by the second's."""

    first: float
    second: float
    value: float  # NaN where the second rate is 0 or a group is empty
    interval: Interval  # on the scale of its logarithm; 0 to infinity where nothing can be said


def rate_ratio(first_totals: ArrayLike, first_counts: ArrayLike, second_totals: ArrayLike, second_counts: ArrayLike) -> RateRatio:
    """Given what every user, in the same order, has of either group: the amount and the number of cases, 0 where none.

    The delta method on the logarithm, with the user as the unit, so that whoever is in both groups counts as one.
    """
    parts = [numpy.asarray(column, dtype=float) for column in (first_totals, first_counts, second_totals, second_counts)]
    total, count, other_total, other_count = parts
    first = _rate(total, count)
    second = _rate(other_total, other_count)
    unknown = RateRatio(first=first, second=second, value=float("nan"), interval=Interval(low=0.0, high=math.inf))
    if not second > 0.0 or math.isnan(first):
        return unknown
    if first == 0.0:
        return RateRatio(first=first, second=second, value=0.0, interval=unknown.interval)
    influence = (total - first * count) / total.sum() - (other_total - second * other_count) / other_total.sum()
    units = len(influence)
    error = math.sqrt(units / max(units - 1, 1) * float((influence * influence).sum()))
    reach = math.exp(min(two_sided_quantile(0.95) * error, 700.0))
    value = first / second
    return RateRatio(first=first, second=second, value=value, interval=Interval(low=value / reach, high=value * reach))


def _rate(total: Floats, count: Floats) -> float:
    return float(total.sum() / count.sum()) if count.sum() > 0.0 else float("nan")
