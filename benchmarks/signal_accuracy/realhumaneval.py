"""RealHumanEval: programmers at work with a chat model, consecutive requests that were judged by reading both.

realhumaneval_pairs.csv has the rows of both requests (0 is the first after the header), the label, the stratum, and the
probability with which the pair was drawn; the texts stay where they are. exact, rephrase and correction ask for the same again.
"""

import csv
import io
import random
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from benchmarks.signal_accuracy.chats import Row, labelled_rows, last_request, missing_of, other_chats
from benchmarks.signal_accuracy.figures import Section, Table, share
from benchmarks.signal_accuracy.pairs import COLUMNS, Pair, lexical_score, retry_rows, retry_score, tuned_threshold

from penstock.signals.definition import RETRY_GAP_S

LABELS = Path(__file__).with_name("realhumaneval_pairs.csv")
SAME = frozenset({"exact", "rephrase", "correction"})
SEED = 20240607
TAKEN = {"0.70 to 1": 124, "0.50 to 0.70": 100, "0 to 0.50": 75, "other task": 25}  # pairs drawn of each stratum

_TEXT = """
324 of the 948 pairs of consecutive requests of one programmer, drawn by similarity and task (`draw` in its file, with its seed)
and judged by one person who read both texts with the gap between them, and saw neither similarity nor signal. A request asks
for the same again (positive) where it repeats the one before, puts it in other words, adds what was missing in it, or says that
the answer is wrong or was not what was meant; the next step, another question, a changed piece of code and a pasted error
message do not. Every pair counts for as many as it stands for. Figures are of the programmers whose number has an odd SHA-256;
the model and the baseline's threshold were tuned on the others. The cues of correction were written after reading all pairs,
those of the test part among them, and the choice of features was made on the tuning part alone. Without a time of the answer,
the gap is that between both requests; the signal as it runs looks no further than 90 s, and half of the pairs are further
apart. Labels are of the rows of one content of `chat_data`; of any other file there are none, and all that is measured is how
often consecutive requests are taken for a retry.
"""


def measure(data: Path) -> Section:
    """Retry on judged pairs, and how often each kind of positive is found."""
    pairs = judged(data)
    held_out = {label: [pair for pair in found if pair.is_test] for label, found in pairs.items()}
    everything = [pair for found in held_out.values() for pair in found]
    threshold = tuned_threshold([pair for found in pairs.values() for pair in found if not pair.is_test])
    rows = retry_rows("test part", everything, threshold, RETRY_GAP_S)
    kinds = tuple(
        (label, str(len(found)), share(int((retry_score(found) >= 0.5).sum()), len(found)))
        for label, found in sorted(held_out.items())
    )
    return Section(
        title="RealHumanEval",
        text=_TEXT,
        tables=(
            Table(title="Consecutive requests of programmers", columns=("part", *COLUMNS), rows=tuple(rows)),
            Table(title="Taken for a retry, of the pairs as drawn", columns=("label", "pairs", "share"), rows=kinds),
            Table(title="Files without labels: taken for a retry", columns=_UNLABELLED, rows=_unlabelled(data)),
        ),
        missing=missing_of(data),
    )


_UNLABELLED = ("file", "pairs", "at any distance", f"within {RETRY_GAP_S:.0f} s")


def _unlabelled(data: Path) -> tuple[tuple[str, ...], ...]:
    """Nobody read these, so how often there is a signal is all there is to say."""
    lines = []
    for name, rows in other_chats(data).items():
        pairs = [_pair(rows[first], rows[second], False, 1.0) for first, second in consecutive(rows)]
        if pairs:
            is_found = retry_score(pairs) >= 0.5
            soon = [found for found, pair in zip(is_found, pairs, strict=True) if pair.apart_s <= RETRY_GAP_S]
            lines.append((name, str(len(pairs)), share(int(is_found.sum()), len(pairs)), share(sum(soon), len(soon))))
    return tuple(lines)


def judged(data: Path) -> dict[str, list[Pair]]:
    """The judged pairs by label; none where the rows that were judged are not there."""
    rows = labelled_rows(data)
    found: dict[str, list[Pair]] = defaultdict(list)
    if not rows:
        return found
    for line in csv.DictReader(io.StringIO(LABELS.read_text(encoding="utf-8"))):
        before, after = rows[int(line["first"])], rows[int(line["second"])]
        found[line["label"]].append(_pair(before, after, line["label"] in SAME, 1.0 / float(line["probability"])))
    return found


def draw(data: Path) -> list[tuple[int, int, str, float]]:
    """Which pairs were judged: the rows of both requests, the stratum, and the probability of being drawn."""
    strata: dict[str, list[tuple[int, int]]] = defaultdict(list)
    rows = labelled_rows(data)
    for first, second in consecutive(rows):
        strata[_stratum(rows[first], rows[second])].append((first, second))
    chance = random.Random(SEED)
    return sorted(
        (*pair, name, round(TAKEN[name] / len(pairs), 6))
        for name, pairs in sorted(strata.items())
        for pair in chance.sample(pairs, TAKEN[name])
    )


def consecutive(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """The rows of every two requests of one programmer, one after the other."""
    by_programmer: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        by_programmer[row["programmer_id"]].append(place)
    return [pair for places in by_programmer.values() for pair in pairwise(places)]


def _stratum(before: Row, after: Row) -> str:
    if before["task_name"] != after["task_name"]:
        return "other task"
    similarity = lexical_score([_pair(before, after, False, 1.0)])[0]
    return "0.70 to 1" if similarity >= 0.7 else "0.50 to 0.70" if similarity >= 0.5 else "0 to 0.50"


def _pair(before: Row, after: Row, is_same: bool, weight: float) -> Pair:
    return Pair(
        group=before["programmer_id"],
        first=last_request(before),
        second=last_request(after),
        is_same=is_same,
        is_test=sha256(before["programmer_id"].encode()).digest()[-1] % 2 == 1,
        apart_s=float(after["timestamp"]) - float(before["timestamp"]),
        weight=weight,
    )
