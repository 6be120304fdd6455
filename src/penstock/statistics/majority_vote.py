"""The class with the most votes, item by item: what every other label model has to beat.

A tie goes to the class that got more votes over all items, then to the lower index, so that the same votes always give the
same answer.
"""

import numpy
from msgspec import Struct
from numpy.typing import NDArray

from penstock.statistics.votes import ABSTAIN, Floats, Indexes, Votes, class_counts


class MajorityVote(Struct, frozen=True, kw_only=True):
    """The majority's answer for every item, and how large the majority was."""

    answer: Indexes  # items; -1 where nobody voted
    share: Floats  # items by classes, the share of the votes; all classes alike where nobody voted
    tied: NDArray[numpy.bool_]  # items; the most votes went to several classes


def majority_vote(votes: Votes) -> MajorityVote:
    """The majority's answer for every item."""
    counts = class_counts(votes)
    total = counts.sum(axis=1, keepdims=True)
    voted = total[:, 0] > 0
    share = numpy.where(voted[:, None], counts / numpy.where(total > 0, total, 1.0), 1.0 / votes.classes)
    most = share >= share.max(axis=1, keepdims=True) - 1e-9  # shared weights do not add up exactly
    answer = numpy.argmax(numpy.where(most, votes.times @ counts, -1.0), axis=1)
    return MajorityVote(
        answer=numpy.where(voted, answer, ABSTAIN).astype(numpy.int64), share=share, tied=voted & (most.sum(axis=1) > 1)
    )
