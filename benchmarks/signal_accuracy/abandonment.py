"""Returns made of TREC CAsT: a conversation is cut short, and its user comes back with a request of it or of another.

What was said before the cut is as people typed it; who comes back speaks in whole sentences, as rewritten to stand alone. There
is no set of sessions whose users said why they left, so whether a return means that they were unsatisfied is measured nowhere.
"""

import random
from pathlib import Path

import pyarrow as pa
from benchmarks.signal_accuracy.cast19 import TUNED_ON, Conversations, conversations, missing_of
from benchmarks.signal_accuracy.figures import Section, Table
from benchmarks.signal_accuracy.pairs import COLUMNS, marked, row
from msgspec import Struct

from penstock.signals.session_ends import EARLIER_REQUESTS
from penstock.signals.topic import topics_of

_SEED = 20_190
_LEAST_TURNS = 2  # before the cut


class Return(Struct, frozen=True, kw_only=True):
    """What a user had asked last, what came next, and whether both are of one topic."""

    topic: int
    earlier: list[str]
    request: str
    is_same: bool


def returns_of(conversations: Conversations) -> list[Return]:
    """Every cut of every conversation, once with a later request of it and once with one of another."""
    chance = random.Random(_SEED)
    topics = dict(conversations)
    if len(topics) < 2:  # there is no other
        return []
    found = []
    for number, turns in topics.items():
        for cut in range(_LEAST_TURNS, len(turns)):
            other = topics[chance.choice([one for one in topics if one != number])]
            for (_, request), is_same in ((chance.choice(turns[cut:]), True), (chance.choice(other), False)):
                earlier = [typed for typed, _ in turns[:cut]]
                found.append(Return(topic=number, earlier=earlier, request=request, is_same=is_same))
    return found


def measure(data: Path) -> Section:
    """How often a return to the same topic is seen, in every file on the topics that tuning did not see."""
    rows = [
        _row(name, returns)
        for name, found in conversations(data).items()
        if (returns := [one for one in returns_of(found) if one.topic % 2 == 1 or name != TUNED_ON])
    ]
    table = Table(title="A return to the same topic against one to another", columns=("file", *COLUMNS[:6]), rows=tuple(rows))
    return Section(title="Returns made of TREC CAsT", text=_TEXT, tables=(table,), missing=missing_of(data / "cast19"))


def _row(name: str, returns: list[Return]) -> tuple[str, ...]:
    back = range(1, EARLIER_REQUESTS + 2)
    earlier = [
        pa.array([one.earlier[-place] if place <= len(one.earlier) else None for one in returns], pa.string()) for place in back
    ]
    topics = topics_of(earlier, pa.array([one.request for one in returns]))
    truth = marked((one.is_same for one in returns), [one.topic for one in returns])
    return (name, *row("same topic", truth, topics.is_same.astype(float))[:6])


_TEXT = """
What `abandonment` rests on: conversations cut short, after which a later request of the same one (positive) or of another comes,
as rewritten to stand alone. Of 2019 (`evaluation_topics_v1.0`) the 25 topics with odd numbers; how much has to be shared was
chosen with an eye on all 50. Any other file is measured whole. Topics here have little in common, those of one product have more,
so precision will be lower there. Whether whoever came back had been unsatisfied was asked of nobody: of `abandonment` itself
there is no labelled set, and its probabilities are set by hand.
"""
