"""The rate that a young cohort will reach, when some of its outcomes are still to come.

Of all cases a share p gets an outcome, after a delay whose distribution is fitted together with p: a case of age e without
one is either never to get it or waiting, with probability 1 - p + p (1 - F(e)) (Chapelle 2014, KDD, 1097-1105). Delays are
exponential or, where they speak for it, Weibull or lognormal. What lies beyond the oldest age rests on that shape alone, so
the result says how much of the delays was seen, and how far the shape is from the curve that assumes none.
"""

import math
from collections.abc import Callable

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit
from scipy.stats import chi2

from penstock.errors import BadInputError
from penstock.statistics.delay_shapes import SHAPES, Shape, delay_quantile, delay_terms, mean_delay
from penstock.statistics.intervals import Estimate, Interval, two_sided_quantile, wilson_interval
from penstock.statistics.outcome_delays import Floats, OutcomeDelays, arrival_curve, share_arrived

MATURE = 0.9  # a cohort that has this share of its outcomes needs no correction
FEWEST_OUTCOMES = 10  # fewer do not tell a shape
HARDLY_WORSE = 1.0  # of BIC / -2: less is no more than a bare mention (Kass and Raftery 1995, JASA 90, 773-795)
_NO_TIME = 1e-100
_PRIOR_DEVIATIONS = numpy.array([20.0, 10.0, 3.0])  # of logit, log scale and second parameter: they keep the likelihood bounded
_FARTHEST = numpy.array([100.0, 30.0, 4.0])
_MOST_LOGIT = 30.0
_PLACES = 10_000  # more times than this are taken together where they lie next to each other


class DelayedRate(Struct, frozen=True, kw_only=True):
    """The rate that will be reached, and what it rests on; times are in the unit of the input."""

    rate: float
    interval: Interval  # by profile likelihood, over the shapes that are credible
    naive: float  # the share that has an outcome now
    shape: Shape
    spread: float  # the exponent of a Weibull, 1 for an exponential; the standard deviation of a lognormal's logarithm
    mean_delay: float
    arrived: float  # the share of this cohort's outcomes that has come
    oldest_arrived: float  # F at the oldest age; what is beyond was never seen
    mature_age: float  # the age at which 90 % of the outcomes have come
    misfit: float  # the largest distance between the fitted and the observed curve of arrivals, as a share of all cases
    provisional: bool  # fewer than 90 % have come, so that it rests on the shape
    cases: float
    converged: bool


class _Times(Struct, frozen=True, kw_only=True):
    """Times, each of which stands for several next to each other."""

    log: Floats
    log_end: Floats  # of the time plus what it was rounded down by at most
    number: Floats


class _Fit(Struct, frozen=True, kw_only=True):
    shape: Shape
    logit: float  # of the rate
    log_scale: float
    second: float  # as `delay_terms` has it
    log_likelihood: float
    converged: bool


def delayed_rate(cases: OutcomeDelays, *, shape: Shape | None = None, confidence: float = 0.95) -> DelayedRate:
    """The rate with its interval; without `shape`, the one that delays and waiting cases speak for by BIC.

    The interval takes in those of every shape that the cases hardly refuse.
    `BadInputError` where no outcome has come: nothing then tells how late they are.
    """
    came = ~numpy.isnan(cases.delay)
    if shape not in (None, *SHAPES):
        raise BadInputError(f"The shape {shape!r} is none of {', '.join(SHAPES)}.")
    if not bool(came.any()):
        raise BadInputError(
            f"None of {len(came)} cases has an outcome yet, so nothing tells how late outcomes come; wait, or use "
            "`rate_given_delays` with those of older cases."
        )
    outcomes = float(cases.weight[came].sum())
    unit = float(numpy.average(cases.delay[came], weights=cases.weight[came])) or float(cases.age.max()) or 1.0
    arrived = _arrived(cases, came, unit)
    waiting = _times(_positive(cases.age[~came] + cases.resolution / 2.0) / unit, cases.weight[~came])
    tried = (shape,) if shape else SHAPES if round(outcomes, 6) >= FEWEST_OUTCOMES else ("exponential",)
    fits = _sensible([_fit(arrived, waiting, one) for one in tried], cases, unit)
    scores = [fit.log_likelihood - 0.5 * math.log(outcomes) * (fit.shape != "exponential") for fit in fits]
    credible = [fit for fit, score in zip(fits, scores, strict=True) if score >= max(scores) - HARDLY_WORSE]
    intervals = [_profile_interval(arrived, waiting, fit, confidence) for fit in credible]
    interval = Interval(low=min(one.low for one in intervals), high=max(one.high for one in intervals))
    return _described(cases, fits[scores.index(max(scores))], unit, interval)


def fitted_delays(fitted: DelayedRate, number: int) -> Floats:
    """So many delays as the fit expects them, evenly spread over their distribution, for `rate_given_delays` of other cases."""
    second = math.log(fitted.spread)
    to_mature = fitted.mature_age / delay_quantile(fitted.shape, MATURE, 0.0, second)
    shares = (numpy.arange(number) + 0.5) / number
    return numpy.array([to_mature * delay_quantile(fitted.shape, float(share), 0.0, second) for share in shares])


def rate_given_delays(
    cases: OutcomeDelays, known_delays: ArrayLike, confidence: float = 0.95, *, known_weights: ArrayLike | None = None
) -> tuple[Estimate, Interval]:
    """The rate when delays are known from cases old enough to have all theirs: the outcomes over the sum of F(age).

    Its variance has a part of the cases and one of the known delays, which may be of parts of outcomes. `BadInputError` for no
    known delay or a negative one, or where every case is younger than all of them.
    """
    known = numpy.asarray(known_delays, dtype=float).ravel()
    parts = numpy.ones(len(known)) if known_weights is None else numpy.asarray(known_weights, dtype=float)
    order = numpy.argsort(known, kind="stable")
    known, parts = known[order], parts[order]
    if len(known) == 0 or not bool(numpy.all(numpy.isfinite(known) & (known >= 0.0))):
        raise BadInputError(f"{len(known)} known delays, the least {known.min(initial=0.0)}; give finite ones of at least 0.")
    came = ~numpy.isnan(cases.delay)
    seen = share_arrived(known, parts, cases.age)
    expected = float((cases.weight * seen).sum())
    if expected == 0.0:
        raise BadInputError(
            f"The oldest case is {cases.age.max()}, the shortest known delay {known[0]}; nothing can have come yet."
        )
    number = cases.number
    rate = min(float(cases.weight[came].sum()) / expected, 1.0)
    of_cases = float((cases.weight * (came - rate * seen) ** 2).sum()) / expected**2
    by_age = numpy.argsort(cases.age, kind="stable")
    younger = numpy.concatenate(([0.0], numpy.cumsum(cases.weight[by_age])))
    reached = 1.0 - younger[numpy.searchsorted(cases.age[by_age], known, side="left")] / number  # the share that saw each delay
    spread = float(numpy.average((reached - numpy.average(reached, weights=parts)) ** 2, weights=parts))
    of_delays = rate * rate * spread / float(parts.sum()) / (expected / number) ** 2
    estimate = Estimate(value=rate, variance=of_cases + of_delays, units=max(round(number), 1))
    return estimate, _share_interval(estimate, expected, confidence)


def _share_interval(estimate: Estimate, trials: float, confidence: float) -> Interval:
    """Wilson's, with as many trials as the variance is worth."""
    spread = estimate.value * (1.0 - estimate.value)
    worth = spread / estimate.variance if spread > 0.0 and estimate.variance > 0.0 else trials
    return wilson_interval(estimate.value * worth, worth, confidence)


def _sensible(fits: list[_Fit], cases: OutcomeDelays, unit: float) -> list[_Fit]:
    """Without the lognormal where another shape is nearer to the curve of arrivals.

    Its likelihood rests much on the shortest delays, which rounding and clocks distort, and its rate can be far off.
    """
    misfits = {fit.shape: _misfit(fit, cases, unit) for fit in fits}
    least = min(misfits.values())
    return [fit for fit in fits if fit.shape != "lognormal" or misfits[fit.shape] <= least]


def _misfit(fit: _Fit, cases: OutcomeDelays, unit: float) -> float:
    time, observed = arrival_curve(cases)
    return float(numpy.abs(_share(fit.logit) * _arrived_by(fit, time + cases.resolution, unit) - observed).max())


def _arrived_by(fit: _Fit, time: Floats, unit: float) -> Floats:
    """The share of the outcomes that come within each time."""
    terms = delay_terms(fit.shape, numpy.log(numpy.maximum(time / unit, _NO_TIME)), fit.log_scale, fit.second)
    reached: Floats = -numpy.expm1(terms.log_survival)
    return reached


def _described(cases: OutcomeDelays, fit: _Fit, unit: float, interval: Interval) -> DelayedRate:
    log_scale = fit.log_scale + math.log(unit)
    arrived = float(numpy.average(_arrived_by(fit, cases.age + cases.resolution / 2.0, unit), weights=cases.weight))
    return DelayedRate(
        rate=_share(fit.logit),
        interval=interval,
        naive=float(numpy.average(~numpy.isnan(cases.delay), weights=cases.weight)),
        shape=fit.shape,
        spread=math.exp(fit.second),
        mean_delay=mean_delay(fit.shape, log_scale, fit.second),
        arrived=arrived,
        oldest_arrived=float(_arrived_by(fit, cases.age.max(keepdims=True), unit)[0]),
        mature_age=delay_quantile(fit.shape, MATURE, log_scale, fit.second),
        misfit=_misfit(fit, cases, unit),
        provisional=arrived < MATURE,
        cases=cases.number,
        converged=fit.converged,
    )


def _fit(arrived: _Times, waiting: _Times, shape: Shape, logit: float | None = None, start: _Fit | None = None) -> _Fit:
    """The likeliest parameters; with `logit`, the likeliest delays under that rate."""
    total = float(arrived.number.sum() + waiting.number.sum())
    share = float(arrived.number.sum()) / total
    first = numpy.array(
        [start.logit, start.log_scale, start.second] if start else [_logit(min(1.5 * share, 0.5 + share / 2)), 0.0, 0.0]
    )
    free = numpy.array([logit is None, True, shape != "exponential"])
    if logit is not None:
        first[0] = logit

    def loss(freed: Floats) -> tuple[float, Floats]:
        parameters = first.copy()
        parameters[free] = freed
        within = numpy.clip(parameters, -_FARTHEST, _FARTHEST)  # a line search may try anything
        value, slope = _log_likelihood(within, arrived, waiting, shape)
        value -= 0.5 * float(((parameters / _PRIOR_DEVIATIONS) ** 2).sum())
        return -value / total, (parameters / _PRIOR_DEVIATIONS**2 - slope)[free] / total

    found = minimize(loss, first[free], jac=True, method="BFGS", options={"gtol": 1e-7})
    best = first.copy()
    best[free] = found.x
    return _Fit(
        shape=shape,
        logit=float(best[0]),
        log_scale=float(best[1]),
        second=float(best[2]),
        log_likelihood=-float(found.fun) * total,
        converged=bool(numpy.abs(found.jac).max() < 1e-5),
    )


def _log_likelihood(parameters: Floats, arrived: _Times, waiting: _Times, shape: Shape) -> tuple[float, Floats]:
    """Of the logit of the rate and the two parameters of the delays; and its slope."""
    logit, log_scale, second = (float(parameter) for parameter in parameters)
    rate, outcomes = _share(logit), float(arrived.number.sum())
    log_come, come_by_scale, come_by_second = _arrival_terms(shape, arrived, log_scale, second)
    open_ = delay_terms(shape, waiting.log, log_scale, second)
    log_any = float(numpy.logaddexp(0.0, logit))  # of 1 / (1 - p)
    of_waiting = numpy.logaddexp(0.0, logit + open_.log_survival) - log_any
    value = outcomes * (logit - log_any) + float((arrived.number * log_come).sum() + (waiting.number * of_waiting).sum())
    pending = waiting.number * expit(logit + open_.log_survival)  # those that will get an outcome
    by_logit = outcomes * (1.0 - rate) + float(pending.sum()) - rate * float(waiting.number.sum())
    by_scale = float((arrived.number * come_by_scale).sum() + (pending * open_.survival_by_scale).sum())
    by_second = float((arrived.number * come_by_second).sum() + (pending * open_.survival_by_second).sum())
    return value, numpy.array([by_logit, by_scale, by_second])


def _arrival_terms(shape: Shape, arrived: _Times, log_scale: float, second: float) -> tuple[Floats, Floats, Floats]:
    """The logarithm of how probably an outcome comes at each time, or in the unit that begins there, and its slopes."""
    start = delay_terms(shape, arrived.log, log_scale, second)
    if numpy.array_equal(arrived.log, arrived.log_end):
        return start.log_density, start.density_by_scale, start.density_by_second
    end = delay_terms(shape, arrived.log_end, log_scale, second)
    before, after = numpy.exp(start.log_survival), numpy.exp(end.log_survival)
    within = numpy.maximum(before - after, 1e-300)
    return (
        numpy.log(within),
        (before * start.survival_by_scale - after * end.survival_by_scale) / within,
        (before * start.survival_by_second - after * end.survival_by_second) / within,
    )


def _profile_interval(arrived: _Times, waiting: _Times, fit: _Fit, confidence: float) -> Interval:
    """The rates that the likelihood ratio does not refuse, with the likeliest delays under each."""
    allowed = float(chi2.ppf(confidence, 1)) / 2.0

    def excess(logit: float) -> float:
        return fit.log_likelihood - _fit(arrived, waiting, fit.shape, logit, fit).log_likelihood - allowed

    step = two_sided_quantile(confidence) / math.sqrt(max(float(arrived.number.sum()) * (1.0 - _share(fit.logit)), 1.0))
    return Interval(low=_share(_crossing(excess, fit.logit, -step)), high=_share(_crossing(excess, fit.logit, step)))


def _crossing(excess: Callable[[float], float], start: float, step: float) -> float:
    """Where the function leaves zero upwards, going from `start` in growing steps; the end of the range if it never does."""
    inner, outer = start, start + step
    while excess(outer) < 0.0:
        inner, step = outer, 2.0 * step
        outer = inner + step
        if abs(outer) > _MOST_LOGIT:
            return math.copysign(math.inf, step)
    return float(brentq(excess, inner, outer, xtol=1e-6))


def _arrived(cases: OutcomeDelays, came: NDArray[numpy.bool_], unit: float) -> _Times:
    """When outcomes came: at a time or, on a grid, within the unit that begins there, in which it may be now."""
    delays, weights = cases.delay[came], cases.weight[came]
    if cases.resolution == 0.0:
        return _times(_positive(delays) / unit, weights)
    now = cases.age[came] + cases.resolution / 2.0
    spans = numpy.stack((delays, numpy.minimum(delays + cases.resolution, now)), axis=1)
    distinct, place = numpy.unique(spans, axis=0, return_inverse=True)
    start, end = numpy.log(numpy.maximum(distinct / unit, _NO_TIME)).T
    return _Times(log=start, log_end=end, number=numpy.bincount(place.ravel(), weights, len(distinct)).astype(float))


def _times(times: Floats, weights: Floats) -> _Times:
    if len(times) == 0:
        return _Times(log=times, log_end=times, number=times)
    order = numpy.argsort(times, kind="stable")
    starts = numpy.unique(numpy.linspace(0, len(order), min(len(order), _PLACES), endpoint=False).astype(int))
    number = numpy.add.reduceat(weights[order], starts)
    log = numpy.log(numpy.add.reduceat((times * weights)[order], starts) / number)
    return _Times(log=log, log_end=log, number=number)


def _positive(times: Floats) -> Floats:
    """Times of 0 as half of the least that is not, for a density at 0 can be infinite."""
    positive = times[times > 0.0]
    return numpy.maximum(times, positive.min() / 2.0 if len(positive) else 1e-9)


def _logit(share: float) -> float:
    bounded = min(max(share, 1e-9), 1.0 - 1e-9)
    return math.log(bounded / (1.0 - bounded))


def _share(logit: float) -> float:
    return float(expit(logit))
