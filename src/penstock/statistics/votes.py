"""Who answered what about which item, one row per vote; whoever abstains leaves no row.

An annotator is whatever votes: a person, a judge, a labelling function. Rows keep thousands of annotators of few votes each
as small as a dense matrix of ten functions, and let one annotator answer an item several times. Every estimator of the
classes behind the votes starts here, so that bad input is refused in one place.
"""

import numpy
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from penstock.errors import BadInputError

Floats = NDArray[numpy.float64]
Indexes = NDArray[numpy.int64]
ABSTAIN = -1  # in a dense matrix, no answer; in a column of classes, a class that nobody knows


class Votes(Struct, frozen=True, kw_only=True):
    """Votes as columns of one length; made by `votes_from_matrix` or `votes_from_columns`, which check them."""

    item: Indexes  # 0 .. items - 1
    annotator: Indexes  # 0 .. annotators - 1
    answer: Indexes  # 0 .. classes - 1
    weight: Floats  # for how many votes it counts; 1 unless several annotators share one
    times: Floats  # items: for how many alike each stands; 1 unless they were counted before
    items: int
    annotators: int
    classes: int


def votes_from_matrix(matrix: ArrayLike, classes: int | None = None, times: ArrayLike | None = None) -> Votes:
    """Votes from a matrix of items by annotators that holds class indexes, or -1 where an annotator abstains.

    Without `classes` there are as many as the highest answer says; `times` is for how many alike each item
    stands. `BadInputError` for a matrix that is empty, has no two dimensions, or holds NaN, a fraction, an index out of range or
    nothing but abstentions.
    """
    answers = _whole_numbers(matrix, "The matrix of votes")
    if answers.ndim != 2 or answers.size == 0:
        raise BadInputError(f"The matrix of votes has shape {answers.shape}; give items by annotators, at least one of each.")
    if answers.min() < ABSTAIN:
        raise BadInputError(f"The matrix of votes holds {answers.min()}; an answer is a class from 0, an abstention is -1.")
    item, annotator = numpy.nonzero(answers != ABSTAIN)
    return votes_from_columns(
        item,
        annotator,
        answers[item, annotator],
        items=answers.shape[0],
        annotators=answers.shape[1],
        classes=classes,
        times=times,
    )


def votes_from_columns(
    item: ArrayLike,
    annotator: ArrayLike,
    answer: ArrayLike,
    *,
    items: int | None = None,
    annotators: int | None = None,
    classes: int | None = None,
    weight: ArrayLike | None = None,
    times: ArrayLike | None = None,
) -> Votes:
    """Votes from three columns of indexes that count from 0; several rows may name one item and annotator.

    Without `items`, `annotators` or `classes` there are as many as the highest index says; `times` is for how many alike each
    item stands. `BadInputError` for no rows, NaN, columns of different lengths, an index out of range, fewer than two classes,
    or a weight or number of times that is not positive.
    """
    columns = [
        _whole_numbers(column, f"The column of {name}s")
        for name, column in (("item", item), ("annotator", annotator), ("answer", answer))
    ]
    if len({column.shape for column in columns}) != 1 or columns[0].ndim != 1:
        raise BadInputError(f"The columns of votes have shapes {[column.shape for column in columns]}; give one length to all.")
    if len(columns[0]) == 0:
        raise BadInputError("There are 0 votes: everybody abstained or nothing was asked. Give at least one answer.")
    counts = [
        _count(column, stated, name)
        for column, stated, name in zip(columns, (items, annotators, classes), ("item", "annotator", "class"), strict=True)
    ]
    if counts[2] < 2:
        raise BadInputError(f"The votes know {counts[2]} class; say `classes`, at least 2, if others could have been voted for.")
    return Votes(
        item=columns[0],
        annotator=columns[1],
        answer=columns[2],
        weight=_positive(weight, len(columns[0]), "weights", "votes"),
        times=_positive(times, counts[0], "times", "items"),
        items=counts[0],
        annotators=counts[1],
        classes=counts[2],
    )


def answer_counts(votes: Votes) -> csr_array:
    """How often each answer was given, as a sparse matrix of items by annotators times classes (annotator-major)."""
    cell = votes.annotator * votes.classes + votes.answer
    shape = (votes.items, votes.annotators * votes.classes)
    counts = csr_array((votes.weight, (votes.item, cell)), shape=shape)
    counts.sum_duplicates()
    return counts


def class_counts(votes: Votes) -> Floats:
    """How many votes each class got, items by classes."""
    place = votes.item * votes.classes + votes.answer
    counts: Floats = numpy.bincount(place, votes.weight, votes.items * votes.classes).astype(float)
    return counts.reshape(votes.items, votes.classes)


def require_comparable(votes: Votes) -> None:
    """`BadInputError` unless two annotators voted and two classes got votes; from less nothing can be learnt."""
    voters, voted = numpy.unique(votes.annotator), numpy.unique(votes.answer)
    if len(voters) < 2:
        raise BadInputError(f"Only annotator {voters[0]} voted; agreement needs at least 2. Add annotators or an audited sample.")
    if len(voted) < 2:
        raise BadInputError(f"Every vote is for class {voted[0]}; how good they are shows only when a second class is voted for.")


def known_classes(truth: ArrayLike, votes: Votes) -> Indexes:
    """The column of each item's class, -1 where nobody knows it; `BadInputError` for another length or a class out of range."""
    known = _whole_numbers(truth, "The column of known classes")
    if known.shape != (votes.items,):
        raise BadInputError(
            f"The known classes have shape {known.shape}; give one for each of {votes.items} items, -1 for unknown."
        )
    if known.min() < ABSTAIN or known.max() >= votes.classes:
        wrong = known.min() if known.min() < ABSTAIN else known.max()
        raise BadInputError(f"A known class is {wrong}; classes count from 0 to {votes.classes - 1}, and -1 is unknown.")
    return known


def _positive(values: ArrayLike | None, number: int, what: str, of: str) -> Floats:
    given = numpy.ones(number) if values is None else numpy.asarray(values, dtype=float)
    if given.shape != (number,) or not bool(numpy.all((given > 0) & numpy.isfinite(given))):
        raise BadInputError(f"The {what} of {number} {of} have shape {given.shape} or are not all positive numbers.")
    return given


def _whole_numbers(values: ArrayLike, what: str) -> Indexes:
    array = numpy.asarray(values)
    if array.size == 0:
        return numpy.zeros(array.shape, dtype=numpy.int64)
    if array.dtype.kind in "iub":
        return array.astype(numpy.int64)
    if array.dtype.kind != "f":
        raise BadInputError(f"{what} holds {array.dtype} values; give whole numbers, and -1 for an abstention.")
    if numpy.isnan(array).any():
        raise BadInputError(
            f"{what} holds {int(numpy.isnan(array).sum())} NaN; leave the row out, or write -1 for an abstention."
        )
    if not bool(numpy.all(array == numpy.floor(array))) or not bool(numpy.isfinite(array).all()):
        raise BadInputError(f"{what} holds {array[array != numpy.floor(array)][:1]}; give whole numbers.")
    return array.astype(numpy.int64)


def _count(column: Indexes, stated: int | None, name: str) -> int:
    lowest, highest = int(column.min()), int(column.max())
    if lowest < 0:
        raise BadInputError(f"A vote names {name} {lowest}; they count from 0, and an abstention has no row.")
    if stated is not None and highest >= stated:
        raise BadInputError(
            f"A vote names {name} {highest}, but there are {stated}, counted from 0; raise the number or mend the vote."
        )
    return highest + 1 if stated is None else stated
