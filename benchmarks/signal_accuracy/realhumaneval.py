"""RealHumanEval: programmers at work with a chat model, consecutive requests that were judged by reading both.

realhumaneval_pairs.csv has the rows of both requests (0 is the first after the header), the label, the stratum, and the
probability with which the pair was drawn; the texts stay where they are. exact, rephrase and correction ask for the same again.
realhumaneval_sealed.csv has as much of 100 pairs of the rest, labelled when the signal was done: nothing may be tuned on them.
"""

import csv
import io
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from benchmarks.signal_accuracy.chats import Row, labelled_rows, last_request, missing_of, other_chats
from benchmarks.signal_accuracy.figures import Section, Table, share
from benchmarks.signal_accuracy.pairs import COLUMNS, Pair, lexical_score, retry_rows, retry_score, tuned_threshold

from penstock.signals.definition import RETRY_GAP_S

LABELS = Path(__file__).with_name("realhumaneval_pairs.csv")
SEALED = Path(__file__).with_name("realhumaneval_sealed.csv")
SAME = frozenset({"exact", "rephrase", "correction"})
SEED = 20240607
TAKEN = {"0.70 to 1": 124, "0.50 to 0.70": 100, "0 to 0.50": 75, "other task": 25}  # pairs drawn of each stratum
SEALED_SEED = 20_261_130
SEALED_TAKEN = {"0.50 to 0.70": 30, "0 to 0.50": 50, "other task": 20}  # of the pairs that were left; of the first stratum none
Drawn = tuple[int, int, str, float]

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

`sealed` is 100 of the 624 pairs that had not been drawn, drawn by the same strata with another seed (`draw_sealed`) and labelled
by one reader, by the same guide and without a second opinion, when the signal was done and before it was run on them; nothing was
changed after. All programmers are in it. The pairs that share most words had all been drawn before, so it stands for the other
624 alone; the test part without such pairs (`unlike`) is what to hold it against. 49 of its pairs share a request with a pair
that was drawn before, and 44 had been read for `feedback`, with another question. It finds far fewer of the retries than the
test part says, corrections above all: their cues were written after reading those of the test part, and this reader found more
of them (24 of 80 pairs within a task ask again, 33 of 175 of the same strata did before). Of what it does find more is right,
but that is of 12 pairs.
"""


def measure(data: Path) -> Section:
    """Retry on judged pairs, and how often each kind of positive is found."""
    pairs, sealed = judged(data), judged(data, SEALED)
    held_out = {label: [pair for pair in found if pair.is_test] for label, found in pairs.items()}
    threshold = tuned_threshold([pair for found in pairs.values() for pair in found if not pair.is_test])
    unlike = {label: [pair for pair in found if pair.weight > 1.0] for label, found in held_out.items()}
    rows, kinds = [], []
    for part, labelled in (("test part", held_out), ("test part, unlike", unlike), ("sealed", sealed)):
        rows += retry_rows(part, [pair for found in labelled.values() for pair in found], threshold, RETRY_GAP_S)
        kinds += [
            (part, label, str(len(found)), share(int((retry_score(found) >= 0.5).sum()), len(found)))
            for label, found in sorted(labelled.items())
            if found
        ]
    return Section(
        title="RealHumanEval",
        text=_TEXT,
        tables=(
            Table(title="Consecutive requests of programmers", columns=("part", *COLUMNS), rows=tuple(rows)),
            Table(title="Taken for a retry, of the pairs as drawn", columns=_KINDS, rows=tuple(kinds)),
            Table(title="Files without labels: taken for a retry", columns=_UNLABELLED, rows=_unlabelled(data)),
        ),
        missing=missing_of(data),
    )


_KINDS = ("part", "label", "pairs", "share")
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


def judged(data: Path, labels: Path = LABELS) -> dict[str, list[Pair]]:
    """The judged pairs by label; none where the rows that were judged are not there."""
    rows = labelled_rows(data)
    found: dict[str, list[Pair]] = defaultdict(list)
    if not rows:
        return found
    for line in csv.DictReader(io.StringIO(labels.read_text(encoding="utf-8"))):
        before, after = rows[int(line["first"])], rows[int(line["second"])]
        found[line["label"]].append(_pair(before, after, line["label"] in SAME, 1.0 / float(line["probability"])))
    return found


def draw(data: Path) -> list[Drawn]:
    """Which pairs were judged: the rows of both requests, the stratum, and the probability of being drawn."""
    return _drawn(_strata(data), SEED, TAKEN)


def draw_sealed(data: Path) -> list[Drawn]:
    """Which pairs are sealed, of those that were not judged before; the probability is that among these."""
    before = {drawn[:2] for drawn in draw(data)}
    left = {name: [pair for pair in pairs if pair not in before] for name, pairs in _strata(data).items()}
    return _drawn(left, SEALED_SEED, SEALED_TAKEN)


def _drawn(strata: Mapping[str, Sequence[tuple[int, int]]], seed: int, taken: Mapping[str, int]) -> list[Drawn]:
    chance = random.Random(seed)
    return sorted(
        (*pair, name, round(taken[name] / len(pairs), 6))
        for name, pairs in sorted(strata.items())
        if name in taken
        for pair in chance.sample(pairs, taken[name])
    )


def _strata(data: Path) -> dict[str, list[tuple[int, int]]]:
    strata: dict[str, list[tuple[int, int]]] = defaultdict(list)
    rows = labelled_rows(data)
    for first, second in consecutive(rows):
        strata[_stratum(rows[first], rows[second])].append((first, second))
    return strata


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
