"""Votes from a CSV file: who answered what about which item, one row per vote, whatever the items and answers are called.

Columns are found by name (item, annotator, answer, and what others call them), or else are the first three.
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy
from msgspec import Struct

from penstock.errors import BadInputError
from penstock.statistics.label_model import LabelModel
from penstock.statistics.votes import ABSTAIN, Indexes, Votes, votes_from_columns

_ITEM = ("item", "task", "question", "example", "id")
_ANNOTATOR = ("annotator", "worker", "function", "rater", "user")
_ANSWER = ("answer", "label", "vote", "class")
_TRUTH = ("truth", "gold", *_ANSWER)


class VoteFile(Struct, frozen=True, kw_only=True):
    """Votes with the names that the file has."""

    votes: Votes
    items: list[str]
    annotators: list[str]
    answers: list[str]  # the classes


def read_votes(path: Path) -> VoteFile:
    """The votes of a file; an empty answer is an abstention. BadInputError where it cannot be read as such."""
    rows = _read(path, (_ITEM, _ANNOTATOR, _ANSWER))
    voted = [row for row in rows if row[2]]
    if not voted:
        raise BadInputError(f"{path} holds no vote; it takes rows of item, annotator and answer.")
    items, annotators, answers = (_names(row[place] for row in rows) for place in range(3))
    answers = [answer for answer in answers if answer]
    columns = [_places(names, (row[place] for row in voted)) for place, names in enumerate((items, annotators, answers))]
    votes = votes_from_columns(*columns, items=len(items), annotators=len(annotators), classes=max(2, len(answers)))
    return VoteFile(votes=votes, items=items, annotators=annotators, answers=answers)


def read_truth(path: Path, votes: VoteFile) -> Indexes:
    """The class of each item by a file of item and truth; -1 for items it does not have. Items nobody voted on are left out."""
    known = {item: place for place, item in enumerate(votes.items)}
    classes = {answer: place for place, answer in enumerate(votes.answers)}
    truth = numpy.full(len(votes.items), ABSTAIN)
    for item, answer in _read(path, (_ITEM, _TRUTH)):
        if answer and answer not in classes:
            raise BadInputError(
                f"{path} says {answer!r} of item {item!r}, which nobody voted for; answers: {', '.join(classes)}."
            )
        if answer and item in known:
            truth[known[item]] = classes[answer]
    if not bool((truth != ABSTAIN).any()):
        raise BadInputError(f"{path} knows none of the {len(votes.items)} items that were voted on; do both name items alike?")
    return truth


def write_posteriors(path: Path, votes: VoteFile, model: LabelModel) -> None:
    """A row for each item of a new file: the likeliest answer, and the probability of each. BadInputError where it cannot be."""
    try:
        file = path.open("x", encoding="utf-8", newline="")
    except OSError as error:
        raise BadInputError(f"{path} cannot be written: {error.strerror}.") from error
    with file:
        writer = csv.writer(file)
        writer.writerow(["item", "answer", *(f"p_{answer}" for answer in votes.answers)])
        for item, answer, posterior in zip(votes.items, model.answer.tolist(), model.posterior.tolist(), strict=True):
            named = votes.answers[answer] if answer != ABSTAIN else ""
            writer.writerow([item, named, *(f"{share:.6f}" for share in posterior[: len(votes.answers)])])


def _read(path: Path, wanted: Sequence[Sequence[str]]) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{path} cannot be read as CSV: {error}.") from error
    if not rows or len(rows[0]) < len(wanted):
        raise BadInputError(
            f"{path} has {len(rows[0]) if rows else 0} columns; it takes {' , '.join(name[0] for name in wanted)}."
        )
    places = _columns([name.strip().lower() for name in rows[0]], wanted)
    short = next((number for number, row in enumerate(rows, 1) if len(row) <= max(places)), None)
    if short is not None:
        raise BadInputError(f"{path}, row {short}: {rows[short - 1]} has fewer columns than the first row, {rows[0]}.")
    return [[row[place].strip() for place in places] for row in rows[1:]]


def _columns(header: Sequence[str], wanted: Sequence[Sequence[str]]) -> list[int]:
    named = [next((header.index(name) for name in names if name in header), None) for names in wanted]
    found = [place for place in named if place is not None]
    return found if len(found) == len(wanted) == len(set(found)) else list(range(len(wanted)))


def _names(values: Iterable[str]) -> list[str]:
    """The distinct values: numbers by size, else in the order of the alphabet."""
    distinct = set(values)
    key: Callable[[str], tuple[float, str]] = _by_number if all(_is_number(value) for value in distinct if value) else _by_text
    return sorted(distinct, key=key)


def _by_number(value: str) -> tuple[float, str]:
    return (float(value) if value else 0.0, value)


def _by_text(value: str) -> tuple[float, str]:
    return (0.0, value)


def _is_number(value: str) -> bool:
    try:
        return float(value) == float(value)
    except ValueError:
        return False


def _places(names: Sequence[str], values: Iterable[str]) -> Indexes:
    place: Mapping[str, int] = {name: number for number, name in enumerate(names)}
    return numpy.array([place[value] for value in values], dtype=numpy.int64)
