"""TREC CAsT 2019: a question and its rewrite ask the same, a question and the one after it in the conversation do not.

The turns after are the hard negatives, for they are about the same and share its words. They come twice: as people typed
them, and as rewritten so that each stands alone, which shares still more.
"""

import gzip
import json
from itertools import pairwise
from pathlib import Path

from benchmarks.signal_accuracy.figures import Section
from benchmarks.signal_accuracy.pairs import Pair, retry_table

_TEXT = """
Questions with their rewrites by people, which ask the same (positive), and with the question after them, which is a follow-up.
Figures are of the 25 topics with odd numbers; the model and the baseline's threshold were tuned on the 25 with even ones.
Rewrites that differ in nothing but case are left out. A rewrite mostly puts a name in the place of a pronoun, which people who
ask again do less often: the figures are of telling both apart, not of how retries look in life, and no times are known. Figures
of the test part were looked at while the method was made, those of this set, of SemEval and of RealHumanEval four times; what
followed from a look is said there.
"""


def measure(data: Path) -> Section:
    """Retry on rewrites against both kinds of next turns."""
    rewrites, typed, alone = rewrites_of(data), follow_ups(data, alone=False), follow_ups(data, alone=True)
    tables = []
    for title, pairs in (
        ("Rewrites against the next turn as typed", rewrites + typed),
        ("Rewrites against the next turn, rewritten to stand alone", rewrites + alone),
    ):
        tuned_on = [pair for pair in pairs if not pair.is_test]
        tables.append(retry_table(title, [pair for pair in pairs if pair.is_test], tuned_on))
    return Section(title="TREC CAsT 2019", text=_TEXT, tables=tuple(tables))


def rewrites_of(data: Path) -> list[Pair]:
    """Every question with its other wording."""
    return [
        _pair(topic, typed, alone, is_same=True)
        for topic, turns in conversations(data)
        for typed, alone in turns
        if typed.lower() != alone.lower()
    ]


def follow_ups(data: Path, *, alone: bool) -> list[Pair]:
    """Every question with the one after it, both as typed or both as rewritten."""
    return [
        _pair(topic, before[alone], after[alone], is_same=False)
        for topic, turns in conversations(data)
        for before, after in pairwise(turns)
    ]


def conversations(data: Path) -> list[tuple[int, list[tuple[str, str]]]]:
    """The number of each topic, and its questions as typed and as rewritten."""
    folder = data / "cast19"
    topics = json.loads(gzip.decompress((folder / "evaluation_topics_v1.0.json.gz").read_bytes()))
    rewrites = dict(line.split("\t") for line in (folder / "resolved_v1.0.tsv").read_text(encoding="utf-8").splitlines())
    return [
        (
            topic["number"],
            [
                (turn["raw_utterance"].strip(), rewrites.get(f"{topic['number']}_{place}", turn["raw_utterance"]).strip())
                for place, turn in enumerate(topic["turn"], start=1)
            ],
        )
        for topic in topics
    ]


def _pair(topic: int, first: str, second: str, *, is_same: bool) -> Pair:
    return Pair(group=str(topic), first=first, second=second, is_same=is_same, is_test=topic % 2 == 1)
