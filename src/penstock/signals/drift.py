"""Whether a signal is what it was a period ago: how often it is there, and which values it has.

A change is told only where it would hardly come about by chance, users being the unit and all signals being looked at at once
(Benjamini and Hochberg 1995); how large it is, is another matter and is told beside it. What several targets share counts once
among the values.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import duckdb
import numpy
from msgspec import Struct
from scipy.stats import norm

from penstock.signals.coverage import Key
from penstock.signals.traffic import ALL, fetch
from penstock.statistics.cluster import ClusterSums, difference, ratio
from penstock.statistics.population_stability import BINS, LARGE, SLIGHT, Stability, design_effect, population_stability

FALSE_SHARE = 0.05  # of the changes that are told, so many may be none

_MOVED = """
CREATE OR REPLACE TABLE moved AS SELECT segment, kind, code, who, value, share, slot & {after} > 0 AS is_after
FROM votes JOIN targets USING (n) WHERE slot & ({before} | {after}) > 0
"""
_BINNED = """
CREATE OR REPLACE TABLE binned AS WITH deciles AS (
  SELECT kind, code, quantile_disc(value, [{cuts}]) AS cuts FROM moved WHERE NOT is_after GROUP BY ALL
), edged AS (
  SELECT kind, code, list_distinct(cuts) AS edges,
    [cuts[nth] FOR nth IN range(2, len(cuts) + 1) IF cuts[nth] = cuts[nth - 1]] AS again
  FROM deciles
)
SELECT segment, kind, code, who, is_after, sum(share) AS number,
  len([edge FOR edge IN edges IF edge < value]) + len([edge FOR edge IN list_distinct(again) IF edge <= value]) AS bin
FROM moved JOIN edged USING (kind, code) GROUP BY ALL
"""
_HISTOGRAMS = """
WITH part AS (
  SELECT {segment} AS segment, kind, code, is_after, who, bin, sum(number)::DOUBLE AS number FROM binned GROUP BY ALL
),
whole AS (SELECT segment, kind, code, is_after, who, sum(number) AS number FROM part GROUP BY ALL),
squares AS (SELECT segment, kind, code, is_after, sum(number * number) AS squared FROM whole GROUP BY ALL)
SELECT segment, kind, code, is_after, bin, sum(part.number) AS number, sum(part.number * part.number) AS squared,
  sum(part.number * whole.number) AS product, any_value(squares.squared) AS count_squared
FROM part JOIN whole USING (segment, kind, code, is_after, who) JOIN squares USING (segment, kind, code, is_after)
GROUP BY ALL ORDER BY ALL
"""


class Drift(Struct, frozen=True, kw_only=True):
    """A signal in this period and in the one before."""

    share_before: float
    share: float
    share_p: float  # NaN where it cannot be said
    psi: float
    psi_p: float
    word: str


NO_DRIFT = Drift(share_before=math.nan, share=math.nan, share_p=math.nan, psi=math.nan, psi_p=math.nan, word="in neither period")


def find_drift(
    connection: duckdb.DuckDBPyConnection,
    sums_before: Mapping[Key, ClusterSums],
    sums_after: Mapping[Key, ClusterSums],
    bits: tuple[int, int],
) -> dict[Key, Drift]:
    """For every signal that is there in either period; `bits` are the slots of the period before and of this one."""
    keys = list(dict.fromkeys((*sums_before, *sums_after)))
    values = _stabilities(connection, bits)
    shares = {key: _share_change(sums_before.get(key), sums_after.get(key)) for key in keys}
    told = told_changes([shares[key][2] for key in keys] + [values[key].p_value if key in values else math.nan for key in keys])
    found = {}
    for at, key in enumerate(keys):
        before, after, probability = shares[key]
        stability = values.get(key, Stability(index=math.nan, p_value=math.nan))
        found[key] = Drift(
            share_before=before,
            share=after,
            share_p=probability,
            psi=stability.index,
            psi_p=stability.p_value,
            word=_word(before, after, told[at], stability, told[len(keys) + at]),
        )
    return found


def told_changes(p_values: Sequence[float], false_share: float = FALSE_SHARE) -> list[bool]:
    """Which of many changes to believe, so that at most this share of those told is none; NaN is never told."""
    values = numpy.asarray(p_values, dtype=float)
    known = numpy.flatnonzero(numpy.isfinite(values))
    order = known[numpy.argsort(values[known], kind="stable")]
    passes = values[order] <= false_share * numpy.arange(1, len(order) + 1) / max(len(order), 1)
    told = numpy.zeros(len(values), dtype=bool)
    if passes.any():
        told[order[: int(numpy.flatnonzero(passes).max()) + 1]] = True
    return [bool(one) for one in told]


def _share_change(before: ClusterSums | None, after: ClusterSums | None) -> tuple[float, float, float]:
    """The share in either period, NaN where there was no traffic, and the p-value of the difference."""
    if before is None or after is None:
        shares = [math.nan if sums is None else sums.total / sums.count for sums in (before, after)]
        return shares[0], shares[1], math.nan
    changed = difference(ratio(after), ratio(before))
    if changed.variance == 0.0 or not math.isfinite(changed.variance):
        probability = 1.0 if changed.value == 0.0 else math.nan
    else:
        probability = float(2.0 * norm.sf(abs(changed.value) / math.sqrt(changed.variance)))
    return before.total / before.count, after.total / after.count, probability


def _word(before: float, after: float, share_told: bool, values: Stability, values_told: bool) -> str:
    if math.isnan(before) or math.isnan(after):
        return "no period to compare with"
    if before == 0.0 and after > 0.0:
        return "new"
    if after == 0.0 and before > 0.0:
        return "gone"
    words = []
    if share_told:
        words.append("rarer" if after < before else "more frequent")
    if values_told:
        words.append(f"values moved {_size(values.index)}")
    return ", ".join(words) or "steady"


def _size(index: float) -> str:
    if index < SLIGHT:
        return "slightly"
    return "a little" if index < LARGE else "much"


def _stabilities(connection: duckdb.DuckDBPyConnection, bits: tuple[int, int]) -> dict[Key, Stability]:
    """The index of every signal, all segments together and each alone, over deciles of the period before.

    Where a decile is one value again and again, that value is a bin of its own.
    """
    before, after = bits
    cuts = ", ".join(f"{at / BINS:g}" for at in range(1, BINS))
    connection.execute(_MOVED.format(before=before, after=after))
    connection.execute(_BINNED.format(cuts=cuts))
    found: dict[Key, Stability] = {}
    for segment in (f"'{ALL}'", "segment"):
        found.update(_indexes(fetch(connection, _HISTOGRAMS.format(segment=segment)).to_pylist()))
    return found


def _indexes(rows: Iterable[Mapping[str, object]]) -> dict[Key, Stability]:
    histograms: dict[Key, dict[bool, dict[int, Mapping[str, float]]]] = {}
    for row in rows:
        key = (str(row["segment"]), str(row["kind"]), int(str(row["code"])))
        sides = histograms.setdefault(key, {False: {}, True: {}})
        numbers = {name: float(str(row[name])) for name in ("number", "squared", "product", "count_squared")}
        sides[bool(row["is_after"])][int(str(row["bin"]))] = numbers
    return {key: _stability(sides) for key, sides in histograms.items()}


def _stability(sides: Mapping[bool, Mapping[int, Mapping[str, float]]]) -> Stability:
    bins = sorted({*sides[False], *sides[True]})
    counts, effects = [], []
    for side in (sides[False], sides[True]):
        columns = {
            name: numpy.array([side[one][name] if one in side else 0.0 for one in bins])
            for name in ("number", "squared", "product")
        }
        total = float(columns["number"].sum())
        squared = max((row["count_squared"] for row in side.values()), default=0.0)
        share = columns["number"] / total if total else columns["number"]
        counts.append(columns["number"])
        effects.append(design_effect(share, columns["squared"], columns["product"], total, squared))
    return population_stability(counts[0], counts[1], design_effect_before=effects[0], design_effect_after=effects[1])
