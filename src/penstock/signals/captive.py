"""Segments that cannot leave: their ratings say nothing bad, and their behaviour does.

Who has no choice rates neutrally or not at all. So a segment is flagged where ratings are no lower than elsewhere, or around
neutral, or missing, while something that people do is worse there than elsewhere by more than chance and by enough to matter.
"""

import math
from collections.abc import Sequence

import numpy
from msgspec import Struct
from numpy.typing import NDArray
from scipy.stats import norm

from penstock.signals.covariates import Cases
from penstock.signals.rates import Rate
from penstock.statistics.cluster import cluster_sums, difference, ratio
from penstock.statistics.intervals import Estimate

MATTERS = 1.2  # times as often as elsewhere, or as rarely
FALSE_FLAGS = 0.05  # probability of any at all where nothing differs (Holm 1979)
_NEUTRAL = 0.2  # of ratings from -1 to 1
_LEAST_USERS = 20

Bools = NDArray[numpy.bool_]


class Captive(Struct, frozen=True, kw_only=True):
    """One segment, and what people do there that their ratings do not tell."""

    segment: str
    rating: float  # NaN where nobody rates
    rating_elsewhere: float
    behaviour: str
    rate: float
    rate_elsewhere: float
    p_value: float  # corrected for how many were looked at


def find_captive(cases: Cases, rates: Sequence[Rate], rating: Rate | None) -> list[Captive]:
    """The segments that are flagged, the worst behaviour of each; none where traffic is not told apart."""
    compared: list[tuple[int, Rate, Estimate, Estimate, float]] = []
    for code in range(len(cases.segments)):
        inside = cases.segment == code
        for rate in rates:
            if rate.higher_is_better is None:
                continue
            here, elsewhere = _means(cases, rate, inside)
            if min(here.units, elsewhere.units) >= _LEAST_USERS:
                compared.append((code, rate, here, elsewhere, _p_worse(rate, here, elsewhere)))
    flagged: dict[int, Captive] = {}
    judged = zip(compared, holm([one[4] for one in compared]), strict=True)
    for (code, rate, here, elsewhere, _), corrected in sorted(judged, key=lambda pair: pair[0][4]):
        if corrected > FALSE_FLAGS or not _matters(rate, here.value, elsewhere.value) or code in flagged:
            continue
        rated, others = _ratings(cases, rating, cases.segment == code)
        if not _says_nothing(rated, others):
            continue
        flagged[code] = Captive(
            segment=cases.segments[code],
            rating=rated.value if rated.units else math.nan,
            rating_elsewhere=others.value if others.units else math.nan,
            behaviour=rate.name,
            rate=here.value,
            rate_elsewhere=elsewhere.value,
            p_value=corrected,
        )
    return list(flagged.values())


def holm(p_values: Sequence[float]) -> list[float]:
    """The same, corrected so that any below a level is false at most so often (Holm 1979)."""
    order = numpy.argsort(p_values, kind="stable")
    corrected = numpy.ones(len(p_values))
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[int(place)]))
        corrected[place] = highest
    return [float(value) for value in corrected]


def _means(cases: Cases, rate: Rate, inside: Bools) -> tuple[Estimate, Estimate]:
    known = numpy.isfinite(rate.outcome) & rate.among
    return _mean(cases, rate, known & inside), _mean(cases, rate, known & ~inside)


def _mean(cases: Cases, rate: Rate, where: Bools) -> Estimate:
    if not where.any():
        return Estimate(value=math.nan, variance=math.inf, units=0)
    user = numpy.unique(cases.user[where], return_inverse=True)[1]
    weight = cases.weight[where] * rate.share[where]
    return ratio(cluster_sums(numpy.bincount(user, rate.outcome[where] * weight), numpy.bincount(user, weight)))


def _p_worse(rate: Rate, here: Estimate, elsewhere: Estimate) -> float:
    """The probability of being so much worse by chance."""
    change = difference(here, elsewhere)
    worse = -change.value if rate.higher_is_better else change.value
    if not math.isfinite(change.variance) or change.variance <= 0.0:
        return 1.0
    return float(norm.sf(worse / math.sqrt(change.variance)))


def _matters(rate: Rate, here: float, elsewhere: float) -> bool:
    low, high = (here, elsewhere) if rate.higher_is_better else (elsewhere, here)
    return high - low >= (MATTERS - 1.0) * max(abs(low), 1e-12) if low > 0.0 else high > low


def _ratings(cases: Cases, rating: Rate | None, inside: Bools) -> tuple[Estimate, Estimate]:
    nobody = Estimate(value=math.nan, variance=math.inf, units=0)
    return (nobody, nobody) if rating is None else _means(cases, rating, inside)


def _says_nothing(here: Estimate, elsewhere: Estimate) -> bool:
    """Whether ratings hide it: there are hardly any, they are around neutral, or no lower than elsewhere."""
    if here.units < 2 or abs(here.value) <= _NEUTRAL:
        return True
    change = difference(here, elsewhere)
    return not math.isfinite(change.variance) or change.value + 1.645 * math.sqrt(max(change.variance, 0.0)) >= 0.0
