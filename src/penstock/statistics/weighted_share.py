"""A share of cases that were drawn with unequal probabilities, and its interval.

Kish's effective number supposes that weights have nothing to do with what is counted; where the bad cases were drawn more often
than the good it is far off, either way. The linearised variance of the ratio is not, and it takes the user as the unit.
"""

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike

from penstock.statistics.cluster import ClusterSums, cluster_sums, ratio
from penstock.statistics.intervals import Interval, wilson_interval


class WeightedShare(Struct, frozen=True, kw_only=True):
    """A share from 0 to 1."""

    value: float  # NaN where there is no case
    interval: Interval
    effective_number: float  # how many cases, evenly drawn and independent, would say as much
    units: int


def weighted_share(hits: ArrayLike, weights: ArrayLike, units: ArrayLike | None = None) -> WeightedShare:
    """The share of the weight that hits (0 to 1) have; cases of one unit, such as a user, count as one."""
    weight = numpy.asarray(weights, dtype=float)
    amount = numpy.asarray(hits, dtype=float) * weight
    if units is not None and len(weight):
        unit = numpy.unique(numpy.asarray(units), return_inverse=True)[1]
        amount, weight = numpy.bincount(unit, amount), numpy.bincount(unit, weight)
    return share_of_sums(cluster_sums(amount, weight))


def share_of_sums(sums: ClusterSums) -> WeightedShare:
    """The share, given the sums over units of hits and of cases, each with its weight.

    Wilson's interval at the number of cases that would have the linearised variance (Hajek 1971; Korn and Graubard 1998, Survey
    Methodology 24, 193); where units are all alike, and so say nothing of how they vary, at Kish's number.
    """
    if sums.count <= 0.0:
        return WeightedShare(value=float("nan"), interval=Interval(low=0.0, high=1.0), effective_number=0.0, units=sums.units)
    estimate = ratio(sums)
    value = min(max(estimate.value, 0.0), 1.0)
    alike = sums.count * sums.count / sums.count_squared
    variance = estimate.variance * (sums.units - 1) / sums.units if sums.units > 1 else 0.0  # so that even draws give Wilson's
    effective = value * (1.0 - value) / variance if variance > 1e-12 else alike
    interval = wilson_interval(value * effective, effective)
    return WeightedShare(value=value, interval=interval, effective_number=effective, units=sums.units)
