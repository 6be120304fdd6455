"""Consecutive requests of RealHumanEval that were judged by reading both: which pairs, drawn how, and what readers said.

A file of labels has the rows of both requests (0 is the first after the header), the label, the stratum, and the probability with
which the pair was taken; the texts stay where they are. exact, rephrase and correction ask for the same again, follow_up and
other (of another task) do not.

    realhumaneval_pairs.csv         324 pairs of all programmers, by the first reader
    realhumaneval_sealed.csv        100 pairs of the rest, by another; nothing may be tuned on them
    realhumaneval_tuning.csv        every pair of the programmers for tuning that shows no second request of a sealed pair, by a
                                    third; 130 of them had been read by the first
    realhumaneval_tuning_again.csv  60 of those once more, in another order, without the labels
"""

import csv
import io
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from benchmarks.signal_accuracy.chats import Row, labelled_rows, last_request
from benchmarks.signal_accuracy.pairs import Pair, lexical_score
from msgspec.structs import replace

LABELS = Path(__file__).with_name("realhumaneval_pairs.csv")
SEALED = Path(__file__).with_name("realhumaneval_sealed.csv")
TUNING = Path(__file__).with_name("realhumaneval_tuning.csv")
TUNING_AGAIN = Path(__file__).with_name("realhumaneval_tuning_again.csv")
SAME = frozenset({"exact", "rephrase", "correction"})
SEED = 20240607
TAKEN = {"0.70 to 1": 124, "0.50 to 0.70": 100, "0 to 0.50": 75, "other task": 25}  # pairs drawn of each stratum
SEALED_SEED = 20_261_130
SEALED_TAKEN = {"0.50 to 0.70": 30, "0 to 0.50": 50, "other task": 20}  # of the pairs that were left; of the first stratum none
Drawn = tuple[int, int, str, float]
Rows = tuple[int, int]


def judged(data: Path, labels: Path = LABELS) -> dict[str, list[Pair]]:
    """The judged pairs by label; none where the rows that were judged are not there."""
    rows = labelled_rows(data)
    found: dict[str, list[Pair]] = defaultdict(list)
    for line in _lines(labels) if rows else ():
        before, after = rows[int(line["first"])], rows[int(line["second"])]
        found[line["label"]].append(pair_of(before, after, line["label"] in SAME, 1.0 / float(line["probability"])))
    return found


def tuning_pairs(data: Path) -> list[Pair]:
    """What the model is fitted on: of a pair that two readers judged each judgement counts half."""
    rows = labelled_rows(data)
    first_reading = read_labels(LABELS)
    found = []
    for line in _lines(TUNING) if rows else ():
        places = int(line["first"]), int(line["second"])
        pair = pair_of(rows[places[0]], rows[places[1]], line["label"] in SAME, 1.0 / float(line["probability"]))
        if places in first_reading:
            half = replace(pair, weight=pair.weight / 2)
            found += [half, replace(half, is_same=first_reading[places] in SAME)]
        else:
            found.append(pair)
    return found


def read_labels(labels: Path) -> dict[Rows, str]:
    """The label of each pair of a file."""
    return {(int(line["first"]), int(line["second"])): line["label"] for line in _lines(labels)}


def readings(one: Path, other: Path) -> list[tuple[bool, bool]]:
    """Of the pairs in both files, whether each reader says that it is the same again."""
    first, second = read_labels(one), read_labels(other)
    return [(label in SAME, second[pair] in SAME) for pair, label in first.items() if pair in second]


def draw(data: Path) -> list[Drawn]:
    """Which pairs the first reader judged: the rows of both requests, the stratum, and the probability of being drawn."""
    return _drawn(_strata(data), SEED, TAKEN)


def draw_sealed(data: Path) -> list[Drawn]:
    """Which pairs are sealed, of those that were not judged before; the probability is that among these."""
    before = {drawn[:2] for drawn in draw(data)}
    left = {name: [pair for pair in pairs if pair not in before] for name, pairs in _strata(data).items()}
    return _drawn(left, SEALED_SEED, SEALED_TAKEN)


def draw_tuning(data: Path) -> list[Drawn]:
    """Every pair of the programmers for tuning but those that would show what a sealed pair says second."""
    rows, hidden = labelled_rows(data), {drawn[1] for drawn in draw_sealed(data)}
    taken: list[Drawn] = []
    for name, pairs in _strata(data).items():
        of_part = [pair for pair in pairs if not is_of_test(rows[pair[0]]["programmer_id"])]
        shown = [pair for pair in of_part if hidden.isdisjoint(pair)]
        taken += [(*pair, name, round(len(shown) / len(of_part), 6)) for pair in shown]
    return sorted(taken)


def _drawn(strata: Mapping[str, Sequence[Rows]], seed: int, taken: Mapping[str, int]) -> list[Drawn]:
    chance = random.Random(seed)
    return sorted(
        (*pair, name, round(taken[name] / len(pairs), 6))
        for name, pairs in sorted(strata.items())
        if name in taken
        for pair in chance.sample(pairs, taken[name])
    )


def _strata(data: Path) -> dict[str, list[Rows]]:
    strata: dict[str, list[Rows]] = defaultdict(list)
    rows = labelled_rows(data)
    for first, second in consecutive(rows):
        strata[_stratum(rows[first], rows[second])].append((first, second))
    return strata


def consecutive(rows: Sequence[Row]) -> list[Rows]:
    """The rows of every two requests of one programmer, one after the other."""
    by_programmer: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        by_programmer[row["programmer_id"]].append(place)
    return [pair for places in by_programmer.values() for pair in pairwise(places)]


def is_of_test(programmer: str) -> bool:
    """Whether this programmer's pairs are for the figures of the test part."""
    return sha256(programmer.encode()).digest()[-1] % 2 == 1


def _stratum(before: Row, after: Row) -> str:
    if before["task_name"] != after["task_name"]:
        return "other task"
    similarity = lexical_score([pair_of(before, after, False, 1.0)])[0]
    return "0.70 to 1" if similarity >= 0.7 else "0.50 to 0.70" if similarity >= 0.5 else "0 to 0.50"


def pair_of(before: Row, after: Row, is_same: bool, weight: float) -> Pair:
    """Two rows as a pair."""
    return Pair(
        group=before["programmer_id"],
        first=last_request(before),
        second=last_request(after),
        is_same=is_same,
        is_test=is_of_test(before["programmer_id"]),
        apart_s=float(after["timestamp"]) - float(before["timestamp"]),
        weight=weight,
    )


def _lines(labels: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(labels.read_text(encoding="utf-8"))))
