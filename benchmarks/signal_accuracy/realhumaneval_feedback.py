"""RealHumanEval: what programmers say next to a model that writes code for them, labelled by hand.

The labels of all 327 pairs of programmers with odd numbers lie beside this file, by row of the data's CSV (the first is 0).
Labels were given without seeing what cues say. Cues were written on programmers with even numbers. After the first 139 labels
(every pair in which a cue was found, and 70 of the 258 others) they were revised once, on the even ones; those 70, whose misses
had been looked at, are left out of the figures (`use` is `tuning`), and the 188 others, labelled after that, stand for all 258.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy
import pyarrow as pa
from benchmarks.signal_accuracy.chats import labelled_rows, last_request, missing_of, other_chats
from benchmarks.signal_accuracy.figures import Section, Table, share
from benchmarks.signal_accuracy.pairs import COLUMNS, Floats, marked, row
from benchmarks.signal_accuracy.realhumaneval_pairs import consecutive
from msgspec import Struct

from penstock.signals.feedback_reading import read_feedback

CODES = ("UR1", "UR2", "UR3", "UR4", "UR5")
LABELS = Path(__file__).with_name("realhumaneval_feedback.csv")
QUESTIONS = {
    "wrong (UR2, UR3)": ("UR2", "UR3"),
    "wrong or asked again (UR1-UR3)": ("UR1", "UR2", "UR3"),
    "wrong, again or unclear (UR1-UR4)": ("UR1", "UR2", "UR3", "UR4"),
}


class Labelled(Struct, frozen=True, kw_only=True):
    """One request and the next, and what a person read there."""

    programmer: str
    before: str
    after: str
    code: str  # empty where nothing is said of the answer
    weight: float


def labelled_of(data: Path) -> list[Labelled]:
    """The labelled pairs with their texts; none where the rows that were labelled are not there."""
    rows = labelled_rows(data)
    return [
        Labelled(
            programmer=rows[int(label["row"])]["programmer_id"],
            before=last_request(rows[int(label["row"])]),
            after=last_request(rows[int(label["next_row"])]),
            code=label["code"],
            weight=1.0 / float(label["inclusion_probability"]),
        )
        for label in labels()
        if rows and label["use"] == "figures"
    ]


def labels() -> Iterator[dict[str, str]]:
    """The lines of the file of labels."""
    with LABELS.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def measure(data: Path) -> Section:
    """How well sure cues, and all cues, find what a person finds."""
    pairs = labelled_of(data)
    code, is_sure = _read([(pair.before, pair.after) for pair in pairs])
    rows: list[tuple[str, ...]] = []
    for name, codes in QUESTIONS.items() if pairs else ():
        truth = marked(
            (pair.code in codes for pair in pairs), [pair.programmer for pair in pairs], [pair.weight for pair in pairs]
        )
        found = numpy.isin(code, codes)
        score: Floats = found * numpy.where(is_sure, 1.0, 0.5)
        rows += [row(f"{name}, sure cues", truth, score, 1.0), row(f"{name}, all cues", truth, score)]
    right = sum(pair.code == read for pair, read in zip(pairs, code, strict=True) if pair.code)
    text = _TEXT.format(pairs=len(pairs), right=right, spoken=sum(bool(pair.code) for pair in pairs))
    return Section(
        title="RealHumanEval, what is said next",
        text=text,
        tables=(
            Table(title=_TITLE, columns=COLUMNS, rows=tuple(rows)),
            Table(title="Files without labels: cues found", columns=("file", "pairs", *CODES), rows=_unlabelled(data)),
        ),
        missing=missing_of(data),
    )


def _unlabelled(data: Path) -> tuple[tuple[str, ...], ...]:
    """Nobody read these, so how often there is each cue is all there is to say."""
    lines = []
    for name, rows in other_chats(data).items():
        pairs = [
            (last_request(rows[first]), last_request(rows[second]))
            for first, second in consecutive(rows)
            if rows[first]["task_name"] == rows[second]["task_name"]
        ]
        if pairs:
            code, _ = _read(pairs)
            lines.append((name, str(len(pairs)), *(share(int((code == one).sum()), len(pairs)) for one in CODES)))
    return tuple(lines)


_TITLE = "`feedback` against the labels"
_TEXT = """
{pairs} pairs of requests of one programmer and task, of programmers with odd numbers, labelled by one person, who also wrote the
cues; on the other programmers, and revised once after 139 pairs had been labelled, of which the 70 that could have told what they
miss are left out here. What sure cues find can be relied on; they miss more than half, because many say what the code should do
instead of saying that it does not, or ask the same in other words, which is what `retry` is for. The very code was right in
{right} of the {spoken} messages that say something. Labels are of the rows of one content of `chat_data`; of any other file there
are none, and all that is measured is how often each cue is found.
"""


def _read(pairs: list[tuple[str, str]]):
    reading = read_feedback(*(pa.array([pair[place] for pair in pairs], pa.string()) for place in (0, 1)))
    code = numpy.array([code or "" for code in reading.code.to_pylist()])
    return code, numpy.array([bool(sure) for sure in reading.is_sure.to_pylist()])
