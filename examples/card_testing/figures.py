"""The figures of a run, every one of them out of the lakes of its arms, and their means and intervals over seeds."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy
from examples.card_testing.stream import ArmResult
from msgspec import Struct
from scipy.special import stdtrit

from penstock.app import Penstock
from penstock.settings import Settings

FIGURES_FILE = "figures.sql"


class TurnFigures(Struct, frozen=True, kw_only=True):
    """Detection by what served after a turn, until the next; turn 0 is the first model."""

    turn: int
    frauds: int
    honest: int
    detected: float
    detected_of_newest: float | None  # of the attempts whose pattern was the newest; None where there were none
    detected_by_first: float  # of all attempts, had the first checkpoint never been replaced
    false_positives: float


class Mean(Struct, frozen=True, kw_only=True):
    """Over seeds, with the 95 % interval of the mean by Student's t; of one seed there is none."""

    value: float
    low: float | None
    high: float | None


def figures_query() -> str:
    """The query, as it is also left beside the homes."""
    return files("examples.card_testing").joinpath(FIGURES_FILE).read_text(encoding="utf-8")


def read_figures(home: Path) -> list[TurnFigures]:
    """What served in one arm, turn by turn."""
    penstock = Penstock(Settings(home=str(home)))
    connection = penstock.lake.sql_connection()
    rows = connection.select(figures_query()).to_pylist()
    connection.close()
    return [TurnFigures(**{name: row[name] for name in TurnFigures.__struct_fields__}) for row in rows]


def means(by_seed: Sequence[Sequence[float]]) -> list[Mean]:
    """Turn by turn over the seeds of one arm."""
    return [mean_of([one[turn] for one in by_seed]) for turn in range(min(len(one) for one in by_seed))]


def mean_of_known(values: Sequence[float | None]) -> Mean | None:
    """The mean of those seeds of which something is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return mean_of(known) if known else None


def mean_of(values: Sequence[float]) -> Mean:
    """The mean of some seeds; its interval stays within 0 and 1."""
    given = numpy.asarray(values, dtype=float)
    value, number = float(given.mean()), len(given)
    if number < 2:
        return Mean(value=value, low=None, high=None)
    half = float(stdtrit(number - 1, 0.975) * given.std(ddof=1) / number**0.5)
    return Mean(value=value, low=max(0.0, value - half), high=min(1.0, value + half))


def summary(results: Sequence[ArmResult], figures: Sequence[Sequence[TurnFigures]]) -> dict[str, Any]:
    """One arm over its seeds, as --json has it."""
    averaged = means([[one.detected for one in each] for each in figures])
    return {
        "arm": results[0].arm,
        "seeds": [one.seed for one in results],
        "homes": [one.home for one in results],
        "detection": [{"turn": turn, "mean": one.value, "low": one.low, "high": one.high} for turn, one in enumerate(averaged)],
        "by_seed": [[one.detected for one in each] for each in figures],
        "of_newest_by_seed": [[one.detected_of_newest for one in each] for each in figures],
        "by_first_by_seed": [[one.detected_by_first for one in each] for each in figures],
        "released": [sum(turn.state == "released" for turn in one.turns) for one in results],
        "states": [[turn.state for turn in one.turns] for one in results],
        "reasons": [[turn.reason for turn in one.turns] for one in results],
        "findings": [one.findings for one in results],
        "expert_answers": [one.expert_answers for one in results],
    }
