"""TREC CAsT 2019: a question and its rewrite ask the same, a question and the one after it in the conversation do not.

The turns after are the hard negatives, for they are about the same and share its words. They come twice: as people typed
them, and as rewritten so that each stands alone, which shares still more.
"""

import gzip
import json
from itertools import pairwise
from pathlib import Path

from benchmarks.signal_accuracy.figures import Section, Table
from benchmarks.signal_accuracy.pairs import COLUMNS, best_threshold, marked, row
from msgspec import Struct
from rapidfuzz import fuzz

from penstock.signals.retry import judge_retry


class Pair(Struct, frozen=True, kw_only=True):
    """Two questions of one topic."""

    topic: int
    first: str
    second: str
    is_same: bool
    is_typed: bool  # as typed, or as rewritten; only a question that is another


def pairs_of(data: Path) -> list[Pair]:
    """Every question that has another wording, and every two questions that follow each other."""
    folder = data / "cast19"
    topics = json.loads(gzip.decompress((folder / "evaluation_topics_v1.0.json.gz").read_bytes()))
    rewrites = dict(line.split("\t") for line in (folder / "resolved_v1.0.tsv").read_text(encoding="utf-8").splitlines())
    found = []
    for topic in topics:
        number = topic["number"]
        typed = [turn["raw_utterance"].strip() for turn in topic["turn"]]
        alone = [rewrites.get(f"{number}_{turn}", text).strip() for turn, text in enumerate(typed, start=1)]
        again = [(one, other) for one, other in zip(typed, alone, strict=True) if one.lower() != other.lower()]
        for group, is_same, is_typed in ((again, True, True), (pairwise(typed), False, True), (pairwise(alone), False, False)):
            found += [Pair(topic=number, first=one, second=other, is_same=is_same, is_typed=is_typed) for one, other in group]
    return found


def is_test(pair: Pair) -> bool:
    """Whether tuning must not see it: the topics with odd numbers."""
    return pair.topic % 2 == 1


def measure(data: Path) -> Section:
    """Retry on rewrites against both kinds of next turns."""
    pairs = pairs_of(data)
    tables = []
    for title, kept in (
        ("Rewrites against the next turn as typed", [pair for pair in pairs if pair.is_typed]),
        (
            "Rewrites against the next turn, rewritten to stand alone",
            [pair for pair in pairs if pair.is_same or not pair.is_typed],
        ),
    ):
        training = [pair for pair in kept if not is_test(pair)]
        held_out = [pair for pair in kept if is_test(pair)]
        threshold = best_threshold(_marked(training), _lexical(training))
        truth = _marked(held_out)
        rows = (
            row("retry", truth, _retry(held_out)),
            row(f"token_set_ratio from {threshold:.2f}", truth, _lexical(held_out), threshold),
        )
        tables.append(Table(title=title, columns=COLUMNS, rows=rows))
    return Section(title="TREC CAsT 2019", text=_TEXT, tables=tuple(tables))


_TEXT = """
Questions with their rewrites by people, which ask the same (positive), and with the question after them, which is a follow-up.
Figures are of the 25 topics with odd numbers; the baseline's threshold was tuned on the 25 with even ones.
Rewrites that differ in nothing but case are left out.
"""


def _marked(pairs: list[Pair]):
    return marked((pair.is_same for pair in pairs), [pair.topic for pair in pairs])


def _lexical(pairs: list[Pair]) -> list[float]:
    return [fuzz.token_set_ratio(pair.first.lower(), pair.second.lower()) / 100 for pair in pairs]


def _retry(pairs: list[Pair]) -> list[float]:
    verdicts = [judge_retry(pair.first, pair.second) for pair in pairs]
    return [verdict.probability if verdict else 0.0 for verdict in verdicts]
