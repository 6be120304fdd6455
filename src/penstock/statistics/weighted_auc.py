"""How well a graded value tells good cases from bad ones: the probability that a good one has the higher value (AUC).

Cases may have been drawn with unequal probabilities; the user is the unit of the interval.
"""

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from penstock.statistics.intervals import Estimate, Interval, normal_interval

Floats = NDArray[numpy.float64]


class Auc(Struct, frozen=True, kw_only=True):
    """Half is chance, and below it the lower values are the good ones."""

    value: float  # NaN where one class is missing
    interval: Interval


def weighted_auc(values: ArrayLike, is_good: ArrayLike, weights: ArrayLike, units: ArrayLike) -> Auc:
    """The AUC, ties counting half, with the variance of its influence function (DeLong, DeLong and Clarke-Pearson 1988)."""
    value, good = numpy.asarray(values, dtype=float), numpy.asarray(is_good, dtype=bool)
    weight = numpy.asarray(weights, dtype=float)
    if good.all() or not good.any():
        return Auc(value=float("nan"), interval=Interval(low=0.0, high=1.0))
    placed = numpy.where(good, _below(value, value[~good], weight[~good]), 1.0 - _below(value, value[good], weight[good]))
    total = numpy.where(good, weight[good].sum(), weight[~good].sum())
    area = float((placed * weight)[good].sum() / weight[good].sum())
    unit = numpy.unique(numpy.asarray(units), return_inverse=True)[1]
    influence = numpy.bincount(unit, weight * (placed - area) / total)
    number = len(influence)
    variance = number / max(number - 1, 1) * float((influence * influence).sum())
    reached = normal_interval(Estimate(value=area, variance=variance, units=number))
    return Auc(value=area, interval=Interval(low=max(reached.low, 0.0), high=min(reached.high, 1.0)))


def _below(value: Floats, others: Floats, weight: Floats) -> Floats:
    """The share of the others' weight that lies below each value, ties counting half."""
    order = numpy.argsort(others, kind="stable")
    sums = numpy.concatenate(([0.0], numpy.cumsum(weight[order])))
    left, right = (numpy.searchsorted(others[order], value, side=side) for side in ("left", "right"))
    share: Floats = (sums[left] + sums[right]) / (2.0 * sums[-1])
    return share
