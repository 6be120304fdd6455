"""Topical-Chat: two people talk, and each rates every message of the other; does what they say next show it?

A message with its rating, and the next one, by the person who rated it. Nothing was tuned on it.
"""

import json
import lzma
from itertools import pairwise
from pathlib import Path

import numpy
import pyarrow as pa
from benchmarks.signal_accuracy.figures import Section, Table
from benchmarks.signal_accuracy.pairs import COLUMNS, Floats, marked, row
from msgspec import Struct
from scipy.stats import spearmanr

from penstock.signals.feedback_reading import read_feedback
from penstock.signals.natural_feedback import values_of
from penstock.signals.retry import judge_retries

RATINGS = ("Poor", "Not Good", "Passable", "Good", "Excellent")


class Rated(Struct, frozen=True, kw_only=True):
    """One message, what was said before and after it, and how the next speaker rated it."""

    conversation: str
    before: str
    after: str
    rating: int  # a place in RATINGS


def rated_of(data: Path) -> list[Rated]:
    """Every rated message that the other person answered."""
    conversations = json.loads(lzma.decompress((data / "topical_chat" / "valid_freq.json.xz").read_bytes()))
    found = []
    for name, conversation in conversations.items():
        said = [{"message": "", "agent": None, "turn_rating": ""}, *conversation["content"]]
        for before, (message, after) in zip(said, pairwise(said[1:]), strict=False):
            if message["turn_rating"] in RATINGS and message["agent"] != after["agent"]:
                rating = RATINGS.index(message["turn_rating"])
                found.append(Rated(conversation=name, before=before["message"], after=after["message"], rating=rating))
    return found


def measure(data: Path) -> Section:
    """How well what is said next finds the messages rated badly."""
    rated = rated_of(data)
    groups = [one.conversation for one in rated]
    low = marked((one.rating <= RATINGS.index("Passable") for one in rated), groups)
    value, retry = _feedback(rated), _retry(rated)
    rows = (
        row("feedback, -0.5 or less", low, -value),
        row("feedback, -1", low, -value, 1.0),
        row("retry", low, retry),
    )
    rating = numpy.array([one.rating for one in rated], dtype=float)
    counted = [numpy.flatnonzero(rating == place) for place in range(len(RATINGS))]
    shares = tuple(
        (
            name,
            str(len(places)),
            *(f"{share:.3f}" for share in (numpy.mean(value[places] <= -0.5), numpy.mean(value[places] >= 0.5))),
        )
        for name, places in zip(RATINGS, counted, strict=True)
    )
    return Section(
        title="Topical-Chat",
        text=_TEXT.format(spearman=_spearman(value, rating, groups)),
        tables=(
            Table(title="Messages rated Passable or worse, found by what the rater says next", columns=COLUMNS, rows=rows),
            Table(
                title="What the rater says next, by rating", columns=("rating", "messages", "complains", "praises"), rows=shares
            ),
        ),
    )


_TEXT = """
Messages of people to people, each rated by the one who answers it; bad (positive) is Passable or worse. Nothing was tuned on
these conversations. Rank correlation of `feedback` with the rating: {spearman}. There is next to nothing in it: people who
chat for the sake of it do not say what they think of a message, and what sounds like praise is politeness. `feedback` is made
for those who want something done, as in RealHumanEval; on small talk it should not be used.
"""


def _feedback(rated: list[Rated]) -> Floats:
    reading = read_feedback(pa.array([one.before for one in rated]), pa.array([one.after for one in rated]))
    values = values_of(reading.code, reading.is_sure)
    return numpy.array([value or 0.0 for value in values.to_pylist()])


def _retry(rated: list[Rated]) -> Floats:
    return judge_retries(pa.array([one.before for one in rated]), pa.array([one.after for one in rated])).probability


def _spearman(value: Floats, rating: Floats, groups: list[str]) -> str:
    """With an interval from whole conversations drawn again."""
    _, number = numpy.unique(groups, return_inverse=True)
    rng = numpy.random.default_rng(20_190)
    members = [numpy.flatnonzero(number == place) for place in range(number.max() + 1)]
    draws = []
    for _ in range(200):
        drawn = numpy.concatenate([members[place] for place in rng.integers(0, len(members), len(members))])
        draws.append(float(spearmanr(value[drawn], rating[drawn]).statistic))
    low, high = numpy.quantile(draws, (0.025, 0.975))
    return f"{float(spearmanr(value, rating).statistic):.3f} ({low:.3f}-{high:.3f})"
