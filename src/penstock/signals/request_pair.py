"""What tells that of two consecutive requests the second asks for the same again, by column.

A follow-up shares most words with the one before it, so what was swapped for what counts as much as what is shared, and how a
request opens, what it refers back to and how soon it comes count as much as its words.
"""

from collections.abc import Mapping
from typing import Any

import numpy
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray
from rapidfuzz import fuzz, process
from scipy.special import expit

from penstock.signals.request_words import Flags, RequestWords, read_requests

Floats = NDArray[numpy.float64]

FEATURES = (
    "word_set",  # rapidfuzz's token_set_ratio, 0 to 1: words that either has and the other has not count little
    "swapped",  # words of the first that went, or words that came in, whichever are fewer, over those of the shorter
    "length",  # words of the second, eight or more being 1
    "corrects",  # the second opens with no, says I meant, or that something does not work of which the first did not
    "spells_out",  # the first refers to something said before, and the second to nothing
    "refers",  # the second refers to something said before
    "follows_up",  # the second opens with and, what about, thanks, now
    "lateness",  # natural logarithm of the time between both requests over 90 s; 0 where it is not known
)
_USUAL_APART_S = 90.0
_APART_S = (15.0, 600.0)  # nobody was seen to ask, read and ask again sooner, and later is late; a program does both
_MANY_WORDS = 8.0


class Pairs(Struct, frozen=True, kw_only=True):
    """Pairs of requests by column, in the order given."""

    is_exact: Flags  # the same text but for case and spacing, neither empty nor a mere "go on"
    is_near: Flags  # a word in common, or a cue that the first was not understood; others are other requests
    word_set: Floats  # 0 to 1; 0 for what is not near
    features: Floats  # pairs by FEATURES; 0 for what is not near


def read_pairs(first: "pa.Array[Any]", second: "pa.Array[Any]", apart_s: ArrayLike | None = None) -> Pairs:
    """Two columns of texts, the second of each next after the first and so many seconds later; NaN where that is not known."""
    texts: Any = pa.concat_arrays([first.cast(pa.string()), second.cast(pa.string())]).dictionary_encode("encode")
    requests = read_requests(texts.dictionary)
    codes = numpy.asarray(texts.indices)
    before, after = codes[: len(first)], codes[len(first) :]
    is_said = numpy.asarray(pc.not_equal(requests.text, pa.scalar("")), dtype=bool)
    spoken = is_said[before] & is_said[after] & ~requests.continues[after]
    taken: Any = requests.text.take(pa.array(before))
    is_exact = spoken & numpy.asarray(pc.equal(taken, requests.text.take(pa.array(after))), dtype=bool)
    shared = numpy.asarray(requests.content[before].multiply(requests.content[after]).sum(axis=1)).ravel()
    is_near = spoken & ~is_exact & ((shared > 0) | _corrects(requests, before, after))
    near = numpy.flatnonzero(is_near)
    apart = numpy.full(len(first), numpy.nan) if apart_s is None else numpy.asarray(apart_s, dtype=float)
    features = numpy.zeros((len(first), len(FEATURES)))
    features[near] = _features(requests, before[near], after[near], shared[near], apart[near])
    return Pairs(is_exact=is_exact, is_near=is_near, word_set=features[:, 0], features=features)


def _features(requests: RequestWords, before: Any, after: Any, shared: Floats, apart_s: Floats) -> Floats:
    size = numpy.asarray(requests.content.sum(axis=1)).ravel()
    had, has = size[before], size[after]
    lateness = numpy.log(numpy.clip(apart_s, *_APART_S) / _USUAL_APART_S)
    columns: Mapping[str, Any] = {
        "word_set": _word_set(requests.text, before, after),
        "swapped": numpy.minimum(had - shared, has - shared) / numpy.maximum(numpy.minimum(had, has), 1.0),
        "length": numpy.minimum(has, _MANY_WORDS) / _MANY_WORDS,
        "corrects": _corrects(requests, before, after),
        "spells_out": requests.refers[before] & ~requests.refers[after],
        "refers": requests.refers[after],
        "follows_up": requests.follows[after],
        "lateness": numpy.nan_to_num(lateness, nan=0.0),
    }
    return numpy.column_stack([numpy.asarray(columns[name], dtype=float) for name in FEATURES])


def _corrects(requests: RequestWords, before: Any, after: Any) -> Flags:
    """A complaint in both is what they are about, and no complaint about the answer between them."""
    corrects: Flags = requests.corrects[after] | (requests.complains[after] & ~requests.denies[before])
    return corrects


def _word_set(text: "pa.Array[Any]", before: Any, after: Any) -> Floats:
    firsts, seconds = text.take(pa.array(before)).to_pylist(), text.take(pa.array(after)).to_pylist()
    compared: Any = process.cpdist(firsts, seconds, scorer=fuzz.token_set_ratio, dtype=numpy.float64)
    return numpy.asarray(compared, dtype=float) / 100.0


class Model(Struct, frozen=True, kw_only=True):
    """A logistic model: how much each of FEATURES adds to the logarithm of the odds that it is the same request again."""

    intercept: float
    coefficients: Mapping[str, float]

    def probability(self, pairs: Pairs) -> Floats:
        """Of each near pair; that of all others is 0."""
        weights = numpy.array([self.coefficients[name] for name in FEATURES])
        likely: Floats = expit(self.intercept + pairs.features @ weights)
        return numpy.where(pairs.is_near, likely, 0.0)
