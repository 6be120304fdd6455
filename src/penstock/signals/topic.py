"""Whether a request is about what an earlier conversation was about: by the words of content that it shares with it.

A third of its words and two of them at least have to be shared: rather overlook a return than see one that is none. On TREC
CAsT 2019 no request of another topic passes, and a third of those of the same topic do.
"""

from collections.abc import Sequence
from typing import Any

import numpy
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from penstock.signals.request_words import read_words

LEAST_SHARED = 2
LEAST_SHARE = 1 / 3
REPEAT_SHARE = 0.8  # of the words of both requests together


class Topics(Struct, frozen=True, kw_only=True):
    """What requests share with earlier ones of their rows."""

    shared: NDArray[numpy.int64]  # words of content
    is_compared: NDArray[numpy.bool_]  # both had such words
    is_repeat: NDArray[numpy.bool_]  # it asks, nearly in the same words, what one of the earlier requests asked
    is_same: NDArray[numpy.bool_]  # it is of the same topic; a repeat always is


def topics_of(earlier: Sequence["pa.Array[Any]"], request: "pa.Array[Any]") -> Topics:
    """What each request shares with the earlier ones of its row, of which any may be NULL."""
    rows = len(request)
    asked: NDArray[numpy.int64] = numpy.flatnonzero(numpy.asarray(request.is_valid()))
    place = pa.array(asked, pa.int64())
    content = read_words(pa.concat_arrays([column.take(place).cast(pa.string()) for column in (request, *earlier)])).content
    new, *before = (content[at * len(asked) : (at + 1) * len(asked)] for at in range(len(earlier) + 1))
    words, known = _count(new), sum(before[1:], before[0])
    known.data[:] = 1
    shared = _count(new.multiply(known))
    is_repeat = numpy.zeros(len(asked), dtype=bool)
    for one in before:
        both = _count(new.multiply(one))
        is_repeat |= (both > 0) & (both >= REPEAT_SHARE * (words + _count(one) - both))
    is_same = is_repeat | ((shared >= LEAST_SHARED) & (shared >= LEAST_SHARE * words))
    return Topics(
        shared=_at(asked, rows, shared),
        is_compared=_at(asked, rows, (words > 0) & (_count(known) > 0)),
        is_repeat=_at(asked, rows, is_repeat),
        is_same=_at(asked, rows, is_same),
    )


def _count(content: Any) -> NDArray[numpy.int64]:
    """The words of each row."""
    return numpy.asarray(content.sum(axis=1), dtype=numpy.int64).ravel()


def _at(places: NDArray[numpy.int64], rows: int, values: NDArray[Any]) -> NDArray[Any]:
    """These values at their places among all rows, and none elsewhere."""
    spread = numpy.zeros(rows, dtype=values.dtype)
    spread[places] = values
    return spread
