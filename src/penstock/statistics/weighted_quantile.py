"""A quantile of values that stand for unequal parts of cases, between which it interpolates as of whole ones."""

import numpy
from numpy.typing import ArrayLike


def weighted_quantile(values: ArrayLike, weights: ArrayLike, share: float) -> float:
    """The value below which this share lies; with equal weights numpy's own (Hyndman and Fan 1996, type 7), of nothing NaN."""
    value, weight = numpy.asarray(values, dtype=float), numpy.asarray(weights, dtype=float)
    if len(value) == 0:
        return float("nan")
    order = numpy.argsort(value, kind="stable")
    place = numpy.concatenate(([0.0], numpy.cumsum(weight[order])[:-1]))
    return float(numpy.interp(share * place[-1], place, value[order]))
