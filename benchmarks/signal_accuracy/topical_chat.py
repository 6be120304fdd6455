"""Topical-Chat: two people talk, and each rates every message of the other; does what they say next show it?

A message with its rating, and the next one, by the person who rated it. Nothing was tuned on it; every file is measured whole.
"""

import json
from itertools import pairwise
from pathlib import Path

import numpy
import pyarrow as pa
from benchmarks.signal_accuracy.figures import Section, Table
from benchmarks.signal_accuracy.files import content_of, files_of, missing, name_of
from benchmarks.signal_accuracy.pairs import COLUMNS, Floats, marked, row
from msgspec import Struct
from scipy.stats import spearmanr

from penstock.signals.feedback_reading import read_feedback
from penstock.signals.natural_feedback import values_of
from penstock.signals.retry import judge_retries

RATINGS = ("Poor", "Not Good", "Passable", "Good", "Excellent")
Row = tuple[str, ...]


class Rated(Struct, frozen=True, kw_only=True):
    """One message, what was said before and after it, and how the next speaker rated it."""

    conversation: str
    before: str
    after: str
    rating: int  # a place in RATINGS


def rated_of(path: Path) -> list[Rated]:
    """Every rated message of a file that the other person answered."""
    found = []
    for name, conversation in json.loads(content_of(path)).items():
        said = [{"message": "", "agent": None, "turn_rating": ""}, *conversation.get("content", ())]
        for before, (message, after) in zip(said, pairwise(said[1:]), strict=False):
            if message["turn_rating"] in RATINGS and message["agent"] != after["agent"]:
                rating = RATINGS.index(message["turn_rating"])
                found.append(Rated(conversation=name, before=before["message"], after=after["message"], rating=rating))
    return found


def measure(data: Path) -> Section:
    """How well what is said next finds the messages rated badly, in every file."""
    folder = data / "topical_chat"
    paths = files_of(folder, ".json")
    found, agreement, by_rating = [], [], []
    for path in paths:
        if rated := rated_of(path):
            name, value = name_of(path), _feedback(rated)
            found += _found(name, rated, value)
            agreement.append((name, str(len(rated)), _spearman(value, rated)))
            by_rating += _by_rating(name, rated, value)
    return Section(
        title="Topical-Chat",
        text=_TEXT,
        tables=(
            Table(title=_TITLE, columns=("file", *COLUMNS), rows=tuple(found)),
            Table(title="`feedback` and the rating", columns=("file", "messages", "rank correlation"), rows=tuple(agreement)),
            Table(title="What the rater says next, by rating", columns=_BY_RATING, rows=tuple(by_rating)),
        ),
        missing=missing(folder, ("valid_freq",), paths),
    )


_TITLE = "Messages rated Passable or worse, found by what the rater says next"
_BY_RATING = ("file", "rating", "messages", "complains", "praises")
_TEXT = """
Messages of people to people, each rated by the one who answers it; bad (positive) is Passable or worse. Nothing was tuned on
these conversations, and every file is measured whole. There is next to nothing in what is said next: people who chat for the
sake of it do not say what they think of a message, and what sounds like praise is politeness. `feedback` is made for those who
want something done, as in RealHumanEval; on small talk it should not be used.
"""


def _found(name: str, rated: list[Rated], value: Floats) -> list[Row]:
    low = marked((one.rating <= RATINGS.index("Passable") for one in rated), [one.conversation for one in rated])
    rows = (row("feedback, -0.5 or less", low, -value), row("feedback, -1", low, -value, 1.0), row("retry", low, _retry(rated)))
    return [(name, *line) for line in rows]


def _by_rating(name: str, rated: list[Rated], value: Floats) -> list[Row]:
    rows = []
    for place, rating in enumerate(RATINGS):
        said = value[numpy.array([one.rating == place for one in rated])]
        shares = (f"{is_so.mean():.3f}" if len(said) else "-" for is_so in (said <= -0.5, said >= 0.5))
        rows.append((name, rating, str(len(said)), *shares))
    return rows


def _feedback(rated: list[Rated]) -> Floats:
    reading = read_feedback(pa.array([one.before for one in rated]), pa.array([one.after for one in rated]))
    values = values_of(reading.code, reading.is_sure)
    return numpy.array([value or 0.0 for value in values.to_pylist()])


def _retry(rated: list[Rated]) -> Floats:
    return judge_retries(pa.array([one.before for one in rated]), pa.array([one.after for one in rated])).probability


def _spearman(value: Floats, rated: list[Rated]) -> str:
    """With an interval from whole conversations drawn again; a dash where either is the same everywhere."""
    rating = numpy.array([one.rating for one in rated], dtype=float)
    if not (numpy.ptp(value) and numpy.ptp(rating)):
        return "-"
    _, number = numpy.unique([one.conversation for one in rated], return_inverse=True)
    rng = numpy.random.default_rng(20_190)
    members = [numpy.flatnonzero(number == place) for place in range(number.max() + 1)]
    draws = []
    for _ in range(200):
        drawn = numpy.concatenate([members[place] for place in rng.integers(0, len(members), len(members))])
        if numpy.ptp(value[drawn]) and numpy.ptp(rating[drawn]):
            draws.append(float(spearmanr(value[drawn], rating[drawn]).statistic))
    low, high = numpy.quantile(draws, (0.025, 0.975)) if draws else (float("nan"),) * 2
    return f"{float(spearmanr(value, rating).statistic):.3f} ({low:.3f}-{high:.3f})"
