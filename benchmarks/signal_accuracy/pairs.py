"""Pairs of texts that people judged, and how well a score finds them: precision, recall, F1 and area under the curve.

Pairs that were drawn with a known probability count as many times as they stand for. Intervals of F1 and of the area come from
drawing whole groups (conversations, people) again with a fixed seed: what one person does is alike.
"""

from collections.abc import Iterable, Sequence

import numpy
import pyarrow as pa
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray
from rapidfuzz import fuzz

from penstock.signals.retry import judge_retries
from penstock.statistics.intervals import wilson_interval

COLUMNS = ("method", "pairs", "positive", "precision", "recall", "F1", "AUC")
LIKELY = 0.5  # where both are as frequent, it is a retry rather than not
SURE = 0.7  # from which a labelling function votes
DRAWS = 1_000
Floats = NDArray[numpy.float64]


class Pair(Struct, frozen=True, kw_only=True):
    """Two texts, one after the other."""

    group: str  # the conversation or the person
    first: str
    second: str
    is_same: bool  # whether the second asks for the same again, says a person
    is_test: bool  # tuning must not see it
    apart_s: float = float("nan")  # seconds between them, where known
    weight: float = 1.0  # one over the probability with which it was drawn


def retry_rows(part: str, pairs: Sequence[Pair], threshold: float | None, limit_s: float | None = None) -> list[tuple[str, ...]]:
    """The signal on the pairs of one part or file, beside rapidfuzz's token_set_ratio with this threshold; none without pairs.

    The signal from both thresholds. With a limit, one more line for it as it runs: what comes later is not looked at.
    """
    if not pairs:
        return []
    truth, score = marked_pairs(pairs), retry_score(pairs)
    rows = [row("retry", truth, score, LIKELY), row(f"retry from {SURE:.2f}", truth, score, SURE)]
    if limit_s is not None:
        is_soon = numpy.array([pair.apart_s <= limit_s for pair in pairs])
        rows.append(row(f"retry within {limit_s:.0f} s", truth, numpy.where(is_soon, score, 0.0)))
    if threshold is not None:
        rows.append(row(f"token_set_ratio from {threshold:.2f}", truth, lexical_score(pairs), threshold))
    return [(part, *line) for line in rows]


def tuned_threshold(tuned_on: Sequence[Pair]) -> float | None:
    """The baseline's threshold that is best where tuning may look; None where that part is missing."""
    return best_threshold(marked_pairs(tuned_on), lexical_score(tuned_on)) if tuned_on else None


def marked_pairs(pairs: Sequence[Pair]) -> "Marked":
    """What people said of these pairs."""
    return marked((pair.is_same for pair in pairs), [pair.group for pair in pairs], [pair.weight for pair in pairs])


def retry_score(pairs: Sequence[Pair]) -> Floats:
    """The signal's probability; 0 where there is no signal."""
    firsts, seconds = ([getattr(pair, name) for pair in pairs] for name in ("first", "second"))
    return judge_retries(pa.array(firsts), pa.array(seconds), [pair.apart_s for pair in pairs]).probability


def lexical_score(pairs: Sequence[Pair]) -> Floats:
    """The share of common words, 0 to 1."""
    return numpy.array([fuzz.token_set_ratio(_plain(pair.first), _plain(pair.second)) / 100 for pair in pairs])


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


class Marked(Struct, frozen=True, kw_only=True):
    """Pairs with what people said of them."""

    positive: NDArray[numpy.bool_]
    group: NDArray[numpy.int64]  # pairs of one group are not independent of each other
    weight: Floats  # one over the probability with which it was drawn


def marked(positive: Iterable[bool], group: Sequence[object], weight: ArrayLike | None = None) -> Marked:
    """Pairs, with groups named in whatever way; a weight of 1 each unless given."""
    truth = numpy.fromiter(positive, dtype=bool)
    _, numbers = numpy.unique(numpy.asarray([str(name) for name in group]), return_inverse=True)
    return Marked(
        positive=truth, group=numbers, weight=numpy.ones(len(truth)) if weight is None else numpy.asarray(weight, float)
    )


def row(method: str, pairs: Marked, score: ArrayLike, threshold: float = LIKELY) -> tuple[str, ...]:
    """One line of a table with COLUMNS: pairs whose score is at or above the threshold count as found."""
    scores = numpy.asarray(score, dtype=float)
    found = scores >= threshold
    f1_draws, auc_draws = [], []
    for weight in _drawn_again(pairs):
        f1_draws.append(f1(pairs.positive, found, weight))
        auc_draws.append(area(pairs.positive, scores, weight))
    return (
        method,
        str(len(scores)),
        str(int(pairs.positive.sum())),
        _share(pairs.positive, found, pairs.weight),
        _share(found, pairs.positive, pairs.weight),
        _with_draws(f1(pairs.positive, found, pairs.weight), f1_draws),
        _with_draws(area(pairs.positive, scores, pairs.weight), auc_draws),
    )


def f1(positive: NDArray[numpy.bool_], found: NDArray[numpy.bool_], weight: Floats) -> float:
    """The harmonic mean of precision and recall; 0 where nothing is right."""
    right = float(weight[positive & found].sum())
    return 2 * right / max(float(weight[positive].sum() + weight[found].sum()), 1e-12)


def area(positive: NDArray[numpy.bool_], score: Floats, weight: Floats) -> float:
    """The weighted share of pairs of a positive and a negative in which the positive scores higher; ties count half."""
    values, place = numpy.unique(score, return_inverse=True)
    ups = numpy.bincount(place, weight * positive, len(values))
    downs = numpy.bincount(place, weight * ~positive, len(values))
    both = float(ups.sum() * downs.sum())
    return float((ups * (numpy.cumsum(downs) - downs / 2)).sum()) / both if both else float("nan")


def best_threshold(pairs: Marked, score: ArrayLike) -> float:
    """The score from which F1 is best on these pairs; for a baseline, on the part that tuning may see."""
    scores = numpy.asarray(score, dtype=float)
    candidates = numpy.unique(scores)
    return float(max(candidates, key=lambda least: f1(pairs.positive, scores >= least, pairs.weight)))


def _share(right: NDArray[numpy.bool_], of: NDArray[numpy.bool_], weight: Floats) -> str:
    """The weighted share of `of` that is right, its Wilson interval at the effective number of pairs."""
    counted = weight[of]
    if not len(counted):
        return "-"
    share = float(weight[of & right].sum() / counted.sum())
    effective = float(counted.sum() ** 2 / (counted**2).sum())
    bounds = wilson_interval(share * effective, effective)
    return f"{share:.3f} ({bounds.low:.3f}-{bounds.high:.3f})"


def _drawn_again(pairs: Marked) -> Iterable[Floats]:
    """The weights of DRAWS draws of as many groups as there are, with replacement."""
    groups = int(pairs.group.max(initial=-1)) + 1
    rng = numpy.random.default_rng(20_190)
    for _ in range(DRAWS):
        times = numpy.bincount(rng.integers(0, groups, groups), minlength=groups)
        yield pairs.weight * times[pairs.group]


def _with_draws(value: float, draws: Sequence[float]) -> str:
    known = [one for one in draws if one == one]
    if not known or value != value:
        return "-"
    low, high = numpy.quantile(known, (0.025, 0.975))
    return f"{value:.3f} ({low:.3f}-{high:.3f})"
