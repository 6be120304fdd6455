"""Items with exactly the same votes, taken together.

Ten functions leave a million items only some thousand different patterns of votes, and what is estimated depends on the
patterns and their numbers alone. Where nearly every item has a pattern of its own, as in a crowd, nothing is lost.
"""

import numpy
from msgspec import Struct
from numpy.typing import NDArray
from scipy.sparse import csr_array

from penstock.statistics.votes import Floats, Indexes, Votes, answer_counts

_STEP, _FIRST, _SECOND = (numpy.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


class VotePatterns(Struct, frozen=True, kw_only=True):
    """The different patterns of votes, and how many items show each."""

    counts: csr_array  # patterns by annotators times classes, as `answer_counts` has it for items
    multiplicity: Floats  # patterns
    pattern: Indexes  # items: which pattern each shows
    example: Indexes  # patterns: an item that shows it
    annotators: int
    classes: int


def vote_patterns(votes: Votes, apart: Indexes | None = None) -> VotePatterns:
    """The patterns of the votes; items that differ in `apart`, a number for each item, never share one."""
    counts = answer_counts(votes)
    mark = numpy.zeros(votes.items, dtype=numpy.int64) if apart is None else apart
    example, pattern = _first_alike(_fingerprints(counts, mark))
    if not _is_exact(counts, mark, example, pattern):  # two fingerprints met by chance
        example = pattern = numpy.arange(votes.items)
    return VotePatterns(
        counts=csr_array(counts[example]),
        multiplicity=numpy.bincount(pattern, votes.times, minlength=len(example)).astype(float),
        pattern=pattern,
        example=example,
        annotators=votes.annotators,
        classes=votes.classes,
    )


def _fingerprints(counts: csr_array, mark: Indexes) -> Indexes:
    """A number for each row that rows alike share, whatever the order of their votes: a sum, modulo 2^64, of mixed cells."""
    cells = _mixed(counts.indices.astype(numpy.uint64)) * _mixed(counts.data.view(numpy.uint64))
    sums = numpy.concatenate((numpy.zeros(1, numpy.uint64), numpy.cumsum(cells, dtype=numpy.uint64)))
    rows = sums[counts.indptr[1:]] - sums[counts.indptr[:-1]]
    return (rows + _mixed(mark.astype(numpy.uint64))).view(numpy.int64)


def _mixed(numbers: NDArray[numpy.uint64]) -> NDArray[numpy.uint64]:
    """Every bit of the result depends on every bit of the number: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014)."""
    state = numbers + _STEP
    state = (state ^ (state >> numpy.uint64(30))) * _FIRST
    state = (state ^ (state >> numpy.uint64(27))) * _SECOND
    return state ^ (state >> numpy.uint64(31))


def _first_alike(fingerprint: Indexes) -> tuple[Indexes, Indexes]:
    _, example, pattern = numpy.unique(fingerprint, return_index=True, return_inverse=True)
    return example.astype(numpy.int64), pattern.astype(numpy.int64)


def _is_exact(counts: csr_array, mark: Indexes, example: Indexes, pattern: Indexes) -> bool:
    """Whether every row is, cell by cell, the row that stands for it."""
    lengths, stand_in = numpy.diff(counts.indptr), example[pattern]
    if not numpy.array_equal(lengths, lengths[stand_in]) or not numpy.array_equal(mark, mark[stand_in]):
        return False
    shift = numpy.repeat(counts.indptr[stand_in] - counts.indptr[:-1], lengths)
    there = numpy.arange(counts.nnz) + shift
    return bool(numpy.array_equal(counts.indices, counts.indices[there]) and numpy.array_equal(counts.data, counts.data[there]))
