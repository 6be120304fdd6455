"""How many of the positives a score finds when a fixed share of the negatives may be flagged with them.

The threshold is part of the estimate: it is the lowest score above which no more than that share of the negatives lies, and it
is found anew in every resample. Units (users, cards, accounts) are resampled whole, since rows of one unit are not independent.
Two scores of the same rows are compared on the same resamples, so that what both find or miss adds nothing to the interval.
"""

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from penstock.errors import BadInputError
from penstock.statistics.intervals import Interval

Floats = NDArray[numpy.float64]
RESAMPLES = 400
_CELLS = 4_000_000  # resamples times rows that are in memory at once


class Detection(Struct, frozen=True, kw_only=True):
    """The share of positives found at a false-positive rate, with its bootstrap interval."""

    detected: float
    interval: Interval
    threshold: float  # what lies above it is flagged
    false_positives: float  # the share of negatives above it; at most the rate asked for


class DetectionGain(Struct, frozen=True, kw_only=True):
    """A score beside a baseline on the same rows."""

    candidate: Detection
    baseline: Detection
    difference: float
    interval: Interval
    resampled: Floats  # the difference in each resample


class _Ranked(Struct, frozen=True, kw_only=True):
    """Rows from the highest score down; `ends` are the last rows of runs of equal scores, which are flagged together."""

    order: NDArray[numpy.int64]
    ends: NDArray[numpy.int64]
    score: Floats


def detection(
    score: ArrayLike,
    positive: ArrayLike,
    rate: float,
    *,
    weight: ArrayLike | None = None,
    unit: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Detection:
    """Detection at a false-positive rate. `positive` may be a probability: such a row counts in part on either side.

    `BadInputError` for columns of different lengths, values out of range, or rows that are all positive or all negative.
    """
    scores = _column(score, "scores")
    sides = _sides(scores, positive, weight, rate)
    return _found(scores, sides, rate, _units(unit, len(scores)), confidence)[0]


def compare_detection(
    candidate: ArrayLike,
    baseline: ArrayLike,
    positive: ArrayLike,
    rate: float,
    *,
    weight: ArrayLike | None = None,
    unit: ArrayLike | None = None,
    confidence: float = 0.95,
) -> DetectionGain:
    """Two scores of the same rows, each at its own threshold. `BadInputError` as `detection` has it."""
    ours, theirs = _column(candidate, "candidate's scores"), _column(baseline, "baseline's scores")
    sides, units = _sides(ours, positive, weight, rate), _units(unit, len(ours))
    _same_length(theirs, len(ours), "baseline's scores")
    first, first_resampled = _found(ours, sides, rate, units, confidence)
    second, second_resampled = _found(theirs, sides, rate, units, confidence)
    resampled = first_resampled - second_resampled
    return DetectionGain(
        candidate=first,
        baseline=second,
        difference=first.detected - second.detected,
        interval=_interval(resampled, confidence),
        resampled=resampled,
    )


def _found(
    scores: Floats, sides: tuple[Floats, Floats], rate: float, units: NDArray[numpy.int64], confidence: float
) -> tuple[Detection, Floats]:
    order = numpy.argsort(-scores, kind="stable")
    ranked = _Ranked(order=order, ends=_ends(scores[order]), score=scores[order])
    positive, negative = (side[order] for side in sides)
    share, flagged, at = _at_rate(ranked, positive[None, :], negative[None, :], rate)
    resampled = _resample(ranked, positive, negative, units[order], rate)
    found = Detection(
        detected=float(share[0]),
        interval=_interval(resampled, confidence),
        threshold=_threshold(ranked, int(at[0])),
        false_positives=float(flagged[0]),
    )
    return found, resampled


def _threshold(ranked: _Ranked, last_run: int) -> float:
    """The score of the run below the last one that is flagged; the highest score where even that run has too many negatives."""
    below = 0 if last_run < 0 else int(ranked.ends[last_run]) + 1
    return float(ranked.score[below]) if below < len(ranked.score) else float("-inf")


def _at_rate(ranked: _Ranked, positive: Floats, negative: Floats, rate: float) -> tuple[Floats, Floats, NDArray[numpy.int64]]:
    """Per resample the share of positives and of negatives flagged, and the last run flagged (-1: none)."""
    negatives = numpy.cumsum(negative, axis=1)
    positives = numpy.cumsum(positive, axis=1)
    at_ends = negatives[:, ranked.ends]
    allowed = rate * negatives[:, -1:] * (1 + 1e-12)
    last = (at_ends <= allowed).sum(axis=1) - 1
    rows = numpy.arange(len(last))
    place = ranked.ends[numpy.maximum(last, 0)]
    with numpy.errstate(invalid="ignore", divide="ignore"):
        found = numpy.where(last >= 0, positives[rows, place], 0.0) / positives[:, -1]
        flagged = numpy.where(last >= 0, negatives[rows, place], 0.0) / negatives[:, -1]
    return found, flagged, last


def _resample(ranked: _Ranked, positive: Floats, negative: Floats, units: NDArray[numpy.int64], rate: float) -> Floats:
    """The detection in each resample of whole units; the same resamples for every score of the same rows."""
    number = int(units.max()) + 1
    draw = numpy.random.default_rng(0)
    chunk = max(1, _CELLS // len(positive))
    found: list[Floats] = []
    for start in range(0, RESAMPLES, chunk):
        times = draw.multinomial(number, numpy.full(number, 1 / number), size=min(chunk, RESAMPLES - start))
        drawn = times[:, units]
        found.append(_at_rate(ranked, drawn * positive, drawn * negative, rate)[0])
    return numpy.concatenate(found)


def _interval(resampled: Floats, confidence: float) -> Interval:
    known = resampled[numpy.isfinite(resampled)]
    if len(known) == 0:
        return Interval(low=float("-inf"), high=float("inf"))
    tail = (1 - confidence) / 2
    low, high = numpy.quantile(known, [tail, 1 - tail])
    return Interval(low=float(low), high=float(high))


def _ends(ordered: Floats) -> NDArray[numpy.int64]:
    changes = numpy.nonzero(ordered[1:] != ordered[:-1])[0]
    return numpy.append(changes, len(ordered) - 1).astype(numpy.int64)


def _sides(scores: Floats, positive: ArrayLike, weight: ArrayLike | None, rate: float) -> tuple[Floats, Floats]:
    """The weight of each row as a positive and as a negative."""
    if not 0.0 < rate < 1.0:
        raise BadInputError(f"The false-positive rate is {rate}; give more than 0 and less than 1, such as 0.005.")
    share = _column(positive, "classes")
    _same_length(share, len(scores), "classes")
    weights = numpy.ones(len(scores)) if weight is None else _column(weight, "weights")
    _same_length(weights, len(scores), "weights")
    if share.min() < 0 or share.max() > 1 or weights.min() < 0:
        raise BadInputError("A class is a number from 0 (negative) to 1 (positive), and no weight is below 0.")
    sides = weights * share, weights * (1 - share)
    if min(float(side.sum()) for side in sides) <= 0:
        raise BadInputError(f"All {len(scores)} rows are on one side; detection needs positives and negatives.")
    return sides


def _units(unit: ArrayLike | None, rows: int) -> NDArray[numpy.int64]:
    if unit is None:
        return numpy.arange(rows)
    named = numpy.asarray(unit)
    if named.shape != (rows,):
        raise BadInputError(f"The units have shape {named.shape}; give one for each of {rows} rows.")
    # In order of first appearance, so that the resamples do not hang on how units are named.
    _names, first, which = numpy.unique(named, return_index=True, return_inverse=True)
    place = numpy.empty(len(first), dtype=numpy.int64)
    place[numpy.argsort(first)] = numpy.arange(len(first))
    return place[which]


def _column(values: ArrayLike, what: str) -> Floats:
    column = numpy.asarray(values, dtype=float)
    if column.ndim != 1 or len(column) == 0 or not bool(numpy.isfinite(column).all()):
        raise BadInputError(f"The {what} have shape {column.shape} or hold NaN; give one finite number per row.")
    return column


def _same_length(column: Floats, rows: int, what: str) -> None:
    if len(column) != rows:
        raise BadInputError(f"There are {len(column)} {what} for {rows} rows; give one each.")
