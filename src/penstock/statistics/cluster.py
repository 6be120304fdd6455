"""Rates per interaction when users were randomised: the ratio of per-user sums, with its delta-method variance.

Interactions of one user are not independent, so the user is the unit; treating interactions as units makes intervals too
narrow and tests too eager. Six sums per arm are all that is needed, so that a query can add them up where the data lies.
"""

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike

from penstock.statistics.intervals import Estimate


class ClusterSums(Struct, frozen=True, kw_only=True):
    """Sums over the units (users) of one arm."""

    units: int
    total: float  # sum of the unit's amounts, for example its rewards
    count: float  # sum of the unit's counts, for example its interactions
    total_squared: float
    count_squared: float
    product: float  # of a unit's amount and count


NO_UNITS = ClusterSums(units=0, total=0.0, count=0.0, total_squared=0.0, count_squared=0.0, product=0.0)


def cluster_sums(totals: ArrayLike, counts: ArrayLike) -> ClusterSums:
    """The sums over units, given each unit's amount and count."""
    amount, count = numpy.asarray(totals, dtype=float), numpy.asarray(counts, dtype=float)
    return ClusterSums(
        units=len(amount),
        total=float(amount.sum()),
        count=float(count.sum()),
        total_squared=float((amount * amount).sum()),
        count_squared=float((count * count).sum()),
        product=float((amount * count).sum()),
    )


def ratio(sums: ClusterSums) -> Estimate:
    """The amount per count, for example the mean reward per interaction; of no units, 0 with infinite variance."""
    if sums.units < 2 or sums.count == 0:
        value = sums.total / sums.count if sums.count else 0.0
        return Estimate(value=value, variance=float("inf"), units=sums.units)
    value = sums.total / sums.count
    squares = sums.total_squared - 2 * value * sums.product + value * value * sums.count_squared
    variance = sums.units / (sums.units - 1) * max(squares, 0.0) / (sums.count * sums.count)
    return Estimate(value=value, variance=variance, units=sums.units)


def difference(candidate: Estimate, stable: Estimate) -> Estimate:
    """Candidate minus stable, the two being independent."""
    return Estimate(
        value=candidate.value - stable.value,
        variance=candidate.variance + stable.variance,
        units=candidate.units + stable.units,
    )
