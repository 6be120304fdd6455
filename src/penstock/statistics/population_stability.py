"""Whether values are distributed as they were: the population stability index, and how probable it is if nothing has changed.

The folk rule (.1 is slight, .25 is large) says how large a change is, and depends on nothing; whether it is a change at all
depends on how many values there are, so the index is never told without its p-value.
"""

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike
from scipy.stats import chi2

from penstock.errors import BadInputError

SLIGHT, LARGE = 0.1, 0.25  # the folk rule
BINS = 10


class Stability(Struct, frozen=True, kw_only=True):
    """The index, and the probability of one at least as large without any change."""

    index: float
    p_value: float  # NaN where there is one bin, or a period without values


def population_stability(
    before: ArrayLike, after: ArrayLike, *, design_effect_before: float = 1.0, design_effect_after: float = 1.0
) -> Stability:
    """The index of two histograms over the same bins, best those of deciles of the first.

    Without a change it is (1 / n + 1 / m) times a chi square with one degree of freedom less than bins; values of one user are
    alike, and a design effect says by how much they count for fewer (Rao and Scott 1981). Half a case is added to every bin.
    """
    counts = [numpy.asarray(column, dtype=float) for column in (before, after)]
    if counts[0].shape != counts[1].shape or counts[0].ndim != 1:
        raise BadInputError(f"The histograms have shapes {counts[0].shape} and {counts[1].shape}; give both over the same bins.")
    bins, number, other = len(counts[0]), counts[0].sum(), counts[1].sum()
    if bins < 2 or not number or not other:
        return Stability(index=0.0 if number and other else float("nan"), p_value=float("nan"))
    old, new = ((column + 0.5) / (column.sum() + 0.5 * bins) for column in counts)
    index = float(((new - old) * numpy.log(new / old)).sum())
    scale = design_effect_before / number + design_effect_after / other
    return Stability(index=index, p_value=float(chi2.sf(index / scale, bins - 1)))


def design_effect(shares: ArrayLike, squares: ArrayLike, products: ArrayLike, count: float, count_squared: float) -> float:
    """By how much values of one user, being alike, count for fewer: the mean over bins of clustered to plain variance.

    `shares` are those of the bins, `squares` the sums over users of the squared number in each, `products` those of the number
    in the bin and in all, `count_squared` those of the squared number in all. At least 1.
    """
    share, square, product = (numpy.asarray(column, dtype=float) for column in (shares, squares, products))
    inside = (share > 0.0) & (share < 1.0)
    if not bool(inside.any()) or count <= 0.0:
        return 1.0
    clustered = square - 2.0 * share * product + share * share * count_squared
    return max(1.0, float((clustered[inside] / (count * share[inside] * (1.0 - share[inside]))).mean()))
