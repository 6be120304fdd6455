"""Users who came in the earlier half of a period and not in the later one: what later rates would be had they stayed.

Later figures are those of who stayed. Weighted by the inverse probability of staying, given how the earlier half went, they speak
for the others too, as far as leaving depends on what was seen of it; bounds suppose nothing.
"""

import numpy
from msgspec import Struct
from numpy.typing import NDArray

from penstock.signals.covariates import Cases

Floats = NDArray[numpy.float64]


class Leavers(Struct, frozen=True, kw_only=True):
    """Users of the earlier half as cases of one length."""

    outcome: Floats  # the mean over their later turns; NaN of who left
    features: Floats  # how the earlier half went
    weight: Floats


def find_leavers(cases: Cases, outcome: Floats, share: Floats | None = None) -> Leavers | None:
    """The users of the earlier half with their later mean of an outcome by case; None where nobody came in both halves.

    `share` is by case how much of an outcome it is, where several share one.
    """
    middle = (cases.started_s.min() + cases.started_s.max()) / 2.0
    early = cases.started_s < middle
    users = int(cases.user.max()) + 1
    known = numpy.isfinite(outcome)
    part = numpy.ones(cases.number) if share is None else share
    value = numpy.nan_to_num(outcome) * part

    def sums(where: NDArray[numpy.bool_], amount: Floats) -> Floats:
        return numpy.bincount(cases.user[where], amount[where], users).astype(float)

    turns, later = sums(early, numpy.ones(cases.number)), sums(~early & known, part)
    there = turns > 0.0
    if not there.any() or not (there & (later > 0.0)).any():
        return None
    mean_later = numpy.where(later > 0.0, sums(~early & known, value) / numpy.where(later > 0.0, later, 1.0), numpy.nan)
    mean_later = numpy.clip(mean_later, outcome[known].min(), outcome[known].max())
    seen = sums(early & known, part)
    features = [sums(early, cases.matrix[:, place]) / numpy.maximum(turns, 1.0) for place in range(cases.matrix.shape[1])]
    features += [numpy.log1p(turns), sums(early & known, value) / numpy.where(seen > 0.0, seen, 1.0), (seen > 0.0).astype(float)]
    weight = sums(early, cases.weight) / numpy.maximum(turns, 1.0)
    return Leavers(
        outcome=mean_later[there], features=numpy.column_stack(features)[there], weight=numpy.maximum(weight[there], 1e-9)
    )
