"""When outcomes came, for those that have come; the others were watched up to an age and may still get one.

No outcome yet is no negative outcome. Without any assumption the curve of arrivals can be read up to the oldest age
(Kaplan and Meier 1958, JASA 53, 457-481): what has not come by then is open. Ages must not depend on outcomes.
"""

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from penstock.errors import BadInputError
from penstock.statistics.intervals import Interval, wilson_interval

Floats = NDArray[numpy.float64]


class OutcomeDelays(Struct, frozen=True, kw_only=True):
    """Cases as columns of one length, in any unit of time; made by `outcome_delays`, which checks them."""

    delay: Floats  # from the case to its outcome; NaN where none has come
    age: Floats  # from the case to now, or to when watching ended
    weight: Floats  # how much of a case each is; parts of one that sum to 1 say as much as one
    resolution: float  # times are multiples of it, rounded down; 0 where they are exact

    @property
    def number(self) -> float:
        """How many cases they are, parts being added up."""
        return float(self.weight.sum())


class RateWithin(Struct, frozen=True, kw_only=True):
    """The share of cases that get an outcome within a horizon."""

    rate: float
    interval: Interval
    horizon: float
    watched: float  # cases that were at risk up to the horizon


def outcome_delays(
    delay: ArrayLike, age: ArrayLike, resolution: float | None = None, *, weight: ArrayLike | None = None
) -> OutcomeDelays:
    """Checked columns; without `resolution`, the grid that times lie on, if they lie on one; without `weight`, whole cases.

    `BadInputError` for no cases, other lengths, an age that is none, a delay outside 0 to its age, a negative resolution, or a
    weight not above 0.
    """
    delays, ages = numpy.asarray(delay, dtype=float), numpy.asarray(age, dtype=float)
    if delays.ndim != 1 or delays.shape != ages.shape:
        raise BadInputError(f"The delays have shape {delays.shape} and the ages {ages.shape}; give one of each for every case.")
    if len(delays) == 0:
        raise BadInputError("There are 0 cases; a rate needs at least one.")
    impossible = ~(numpy.isfinite(ages) & (ages >= 0.0))
    if bool(impossible.any()):
        raise BadInputError(f"Case {impossible.argmax()} is {ages[impossible][0]} old; give a finite age of at least 0.")
    impossible = ~numpy.isnan(delays) & ~((delays >= 0.0) & (delays <= ages))
    if bool(impossible.any()):
        case = int(impossible.argmax())
        raise BadInputError(
            f"The outcome of case {case} came after {delays[case]}, at an age of {ages[case]}; a delay is from 0 to the age, and "
            "NaN where none has come."
        )
    if resolution is not None and not 0.0 <= resolution < float("inf"):
        raise BadInputError(f"The resolution is {resolution}; give the unit that times were rounded down to, or 0.")
    weights = numpy.ones(len(delays)) if weight is None else numpy.asarray(weight, dtype=float)
    if weights.shape != delays.shape or not bool((numpy.isfinite(weights) & (weights > 0.0)).all()):
        raise BadInputError(f"The weights have shape {weights.shape}; give one above 0 for each of {len(delays)} cases.")
    unit = _grid(numpy.concatenate((delays[~numpy.isnan(delays)], ages))) if resolution is None else resolution
    return OutcomeDelays(delay=delays, age=ages, weight=weights, resolution=unit)


def _grid(times: Floats) -> float:
    """The step of which all times are multiples, as whole hours are; 0 where most times differ from each other."""
    distinct = numpy.unique(times)
    if len(distinct) < 2 or 2 * len(distinct) > len(times):
        return 0.0
    step = float(numpy.diff(distinct).min())
    multiples = distinct / step
    return step if bool(numpy.all(numpy.abs(multiples - numpy.round(multiples)) < 1e-6)) else 0.0


def rate_within(cases: OutcomeDelays, horizon: float) -> RateWithin:
    """The share with an outcome within `horizon`, young cases included for as long as they were watched.

    The interval is Wilson's with as many cases as Greenwood's variance is worth. `BadInputError` for a horizon that nobody was
    watched for.
    """
    oldest = float(cases.age.max())
    if not 0.0 <= horizon <= oldest:
        raise BadInputError(f"Nobody was watched for {horizon}: the oldest case is {oldest}. Give a horizon from 0 to that.")
    time, arrived, at_risk = _arrivals(cases)
    within = time <= horizon
    survival = float(numpy.prod(1.0 - arrived[within] / at_risk[within]))
    ended = numpy.where(numpy.isnan(cases.delay), cases.age, cases.delay)
    watched = float(cases.weight[ended >= horizon].sum())
    rate = 1.0 - survival
    left = at_risk[within] - arrived[within]
    # Greenwood 1926; where everybody got an outcome nobody is left to divide by
    relative = float((arrived[within] / (at_risk[within] * numpy.where(left > 0.0, left, 1.0))).sum())
    variance = survival * survival * relative
    worth = rate * survival / variance if variance > 0.0 and survival > 0.0 else max(watched, 1.0)
    return RateWithin(rate=rate, interval=wilson_interval(rate * worth, worth), horizon=horizon, watched=watched)


def share_arrived(delays: Floats, weights: Floats, age: Floats) -> Floats:
    """The share of these delays, ascending, that is over at each age."""
    over = numpy.concatenate(([0.0], numpy.cumsum(weights)))
    share: Floats = over[numpy.searchsorted(delays, age, side="right")] / over[-1]
    return share


def arrival_curve(cases: OutcomeDelays) -> tuple[Floats, Floats]:
    """The delays that occurred, ascending, and the share of all cases with an outcome by each."""
    time, arrived, at_risk = _arrivals(cases)
    share: Floats = 1.0 - numpy.cumprod(1.0 - arrived / at_risk, dtype=numpy.float64)
    return time, share


def _arrivals(cases: OutcomeDelays) -> tuple[Floats, Floats, Floats]:
    """The distinct delays, how many outcomes came then, and how many cases were still watched and without one."""
    came = ~numpy.isnan(cases.delay)
    time, place = numpy.unique(cases.delay[came], return_inverse=True)
    arrived = numpy.bincount(place, cases.weight[came], len(time))
    ended = numpy.where(came, cases.delay, cases.age)
    order = numpy.argsort(ended, kind="stable")
    watched = numpy.cumsum(cases.weight[order][::-1])[::-1]  # from each on
    at_risk = watched[numpy.searchsorted(ended[order], time, side="left")]
    return time, numpy.minimum(arrived, at_risk), at_risk
