"""TREC CAsT: a question and its rewrite ask the same, a question and the one after it in the conversation do not.

The turns after are the hard negatives, for they are about the same and share its words. They come twice: as people typed
them, and as rewritten so that each stands alone, which shares still more.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.signal_accuracy.figures import Section, Table
from benchmarks.signal_accuracy.files import content_of, files_of, missing, name_of
from benchmarks.signal_accuracy.pairs import COLUMNS, Pair, retry_rows, tuned_threshold

TUNED_ON = "evaluation_topics_v1.0"
_REWRITES = "resolved_v1.0"  # of TUNED_ON; of other files they lie here, in another such file, or in the topics themselves

_TEXT = """
Questions with their rewrites by people, which ask the same (positive), and with the question after them, which is a follow-up.
`evaluation_topics_v1.0` is 2019: figures are of the 25 topics with odd numbers; the model and the baseline's threshold were tuned
on the 25 with even ones. Any other file is measured whole. Rewrites that differ in nothing but case are left out, and where a
file has none, there are no positives. A rewrite mostly puts a name in the place of a pronoun, which people who ask again do less
often: the figures are of telling both apart, not of how retries look in life, and no times are known. Figures of the test part
were looked at while the method was made, those of this set, of SemEval and of RealHumanEval four times; what followed from a look
is said there.
"""

Conversations = list[tuple[int, list[tuple[str, str]]]]


def measure(data: Path) -> Section:
    """Retry on rewrites against both kinds of next turns."""
    folder = data / "cast19"
    files = conversations(data)
    tables = []
    for title, alone in (
        ("Rewrites against the next turn as typed", False),
        ("Rewrites against the next turn, rewritten to stand alone", True),
    ):
        pairs = {name: rewrites_of(found) + follow_ups(found, alone=alone) for name, found in files.items()}
        threshold = tuned_threshold([pair for pair in pairs.get(TUNED_ON, ()) if not pair.is_test])
        rows = [
            line
            for name, found in pairs.items()
            for line in retry_rows(name, [pair for pair in found if pair.is_test or name != TUNED_ON], threshold)
        ]
        tables.append(Table(title=title, columns=("file", *COLUMNS), rows=tuple(rows)))
    return Section(title="TREC CAsT", text=_TEXT, tables=tuple(tables), missing=missing_of(folder))


def missing_of(folder: Path) -> tuple[str, ...]:
    """Which of the files of 2019 are not there."""
    found = [*files_of(folder, ".json"), *files_of(folder, ".tsv")]
    return missing(folder, (TUNED_ON, _REWRITES), found)


def tuning_pairs(data: Path) -> list[Pair]:
    """All pairs of 2019; half of the topics tuning may see."""
    found = conversations(data)[TUNED_ON]
    return rewrites_of(found) + follow_ups(found, alone=False) + follow_ups(found, alone=True)


def rewrites_of(found: Conversations) -> list[Pair]:
    """Every question with its other wording."""
    return [
        _pair(topic, typed, alone, is_same=True)
        for topic, turns in found
        for typed, alone in turns
        if typed.lower() != alone.lower()
    ]


def follow_ups(found: Conversations, *, alone: bool) -> list[Pair]:
    """Every question with the one after it, both as typed or both as rewritten."""
    return [
        _pair(topic, before[alone], after[alone], is_same=False) for topic, turns in found for before, after in pairwise(turns)
    ]


def conversations(data: Path) -> dict[str, Conversations]:
    """For each file the number of each topic, and its questions as typed and as rewritten by people."""
    folder = data / "cast19"
    lines = [line.split("\t") for path in files_of(folder, ".tsv") for line in content_of(path).decode().splitlines()]
    rewrites = {line[0]: line[1] for line in lines if len(line) == 2}
    return {
        name_of(path): [(topic["number"], _turns(topic, rewrites)) for topic in json.loads(content_of(path))]
        for path in files_of(folder, ".json")
    }


def _turns(topic: dict[str, Any], rewrites: dict[str, str]) -> list[tuple[str, str]]:
    turns = []
    for place, turn in enumerate(topic["turn"], start=1):
        typed = turn["raw_utterance"]
        alone = turn.get("manual_rewritten_utterance") or rewrites.get(f"{topic['number']}_{turn.get('number', place)}", typed)
        turns.append((typed.strip(), alone.strip()))
    return turns


def _pair(topic: int, first: str, second: str, *, is_same: bool) -> Pair:
    return Pair(group=str(topic), first=first, second=second, is_same=is_same, is_test=topic % 2 == 1)
