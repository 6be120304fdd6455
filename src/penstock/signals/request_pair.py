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

from penstock.signals.request_cues import Flags, RequestCues, read_cues
from penstock.signals.request_words import RequestWords, read_words

Floats = NDArray[numpy.float64]

FEATURES = (
    "word_set",  # rapidfuzz's token_set_ratio, 0 to 1: words that either has and the other has not count little
    "unlike",  # no word in common
    "swapped",  # words of the first that went, or words that came in, whichever are fewer, over those of the shorter
    "length",  # words of the second, eight or more being 1
    "corrects",  # the second says that it was misunderstood, or that something does not work of which the first did not
    "expects",  # the second says what the result was to be
    "restricts",  # the second says how it is to be done
    "elliptical",  # the second is a few words, no question, and says nothing without the first
    "in_trouble",  # the first corrected already, or brought an error
    "has_code",  # the second has code
    "spells_out",  # the first refers to something said before, and the second to nothing
    "refers",  # the second refers to something said before
    "follows_up",  # the second opens with and, what about, thanks, now
    "lateness",  # natural logarithm of the time between both requests over 90 s; 0 where it is not known
)
_USUAL_APART_S = 90.0
_APART_S = (15.0, 600.0)  # nobody was seen to ask, read and ask again sooner, and later is late; a program does both
_MANY_WORDS = 8.0
_MOST_ELLIPTICAL_WORDS = 6
_MOST_ELLIPTICAL_CONTENT = 3


class Pairs(Struct, frozen=True, kw_only=True):
    """Pairs of requests by column, in the order given."""

    is_exact: Flags  # the same text but for case and spacing, neither empty nor a mere "go on"
    is_near: Flags  # a word in common, or a cue that speaks for asking again; others are other requests
    word_set: Floats  # 0 to 1; 0 for what has no word in common
    features: Floats  # pairs by FEATURES; 0 for what is not near


class _Compared(Struct, frozen=True, kw_only=True):
    """What both requests of each pair have: places in `words` and `cues`, and the words in common."""

    words: RequestWords
    cues: RequestCues
    before: Any
    after: Any
    shared: Floats


def read_pairs(first: "pa.Array[Any]", second: "pa.Array[Any]", apart_s: ArrayLike | None = None) -> Pairs:
    """Two columns of texts, the second of each next after the first and so many seconds later; NaN where that is not known."""
    texts: Any = pa.concat_arrays([first.cast(pa.string()), second.cast(pa.string())]).dictionary_encode("encode")
    words = read_words(texts.dictionary)
    cues = read_cues(words.text, words.words)
    codes: Any = numpy.asarray(texts.indices)
    before, after = codes[: len(first)], codes[len(first) :]
    spoken = (words.words[before] > 0) & (words.words[after] > 0) & ~cues.continues[after]
    taken: Any = words.text.take(pa.array(before))
    is_exact = spoken & numpy.asarray(pc.equal(taken, words.text.take(pa.array(after))), dtype=bool)
    shared = numpy.asarray(words.content[before].multiply(words.content[after]).sum(axis=1)).ravel()
    compared = _Compared(words=words, cues=cues, before=before, after=after, shared=shared)
    is_near = spoken & ~is_exact & ((shared > 0) | _speaks_for_it(compared))
    near = numpy.flatnonzero(is_near)
    apart = numpy.full(len(first), numpy.nan) if apart_s is None else numpy.asarray(apart_s, dtype=float)
    chosen = _Compared(words=words, cues=cues, before=before[near], after=after[near], shared=shared[near])
    features = numpy.zeros((len(first), len(FEATURES)))
    features[near] = _features(chosen, apart[near])
    return Pairs(is_exact=is_exact, is_near=is_near, word_set=features[:, 0], features=features)


def _features(pairs: _Compared, apart_s: Floats) -> Floats:
    cues, before, after, shared = pairs.cues, pairs.before, pairs.after, pairs.shared
    size = _content_size(pairs.words)
    had, has = size[before], size[after]
    lateness = numpy.log(numpy.clip(apart_s, *_APART_S) / _USUAL_APART_S)
    columns: Mapping[str, Any] = {
        "word_set": _word_set(pairs),
        "unlike": shared == 0,
        "swapped": numpy.minimum(had - shared, has - shared) / numpy.maximum(numpy.minimum(had, has), 1.0),
        "length": numpy.minimum(has, _MANY_WORDS) / _MANY_WORDS,
        "corrects": _corrects(pairs),
        "expects": cues.expects[after],
        "restricts": cues.restricts[after],
        "elliptical": _elliptical(pairs),
        "in_trouble": _in_trouble(pairs),
        "has_code": cues.has_code[after],
        "spells_out": cues.refers[before] & ~cues.refers[after],
        "refers": cues.refers[after],
        "follows_up": cues.follows[after],
        "lateness": numpy.nan_to_num(lateness, nan=0.0),
    }
    return numpy.column_stack([numpy.asarray(columns[name], dtype=float) for name in FEATURES])


def _speaks_for_it(pairs: _Compared) -> Flags:
    """Cues that hold without any word in common."""
    expects, restricts = pairs.cues.expects[pairs.after], pairs.cues.restricts[pairs.after]
    found: Flags = _corrects(pairs) | expects | restricts | _elliptical(pairs)
    return found


def _corrects(pairs: _Compared) -> Flags:
    """A complaint in both is what they are about, and no complaint about the answer between them."""
    cues = pairs.cues
    corrects: Flags = cues.corrects[pairs.after] | (cues.complains[pairs.after] & ~cues.denies[pairs.before])
    return corrects


def _elliptical(pairs: _Compared) -> Flags:
    """`book a table` is as short, but can be asked without anything before it."""
    cues, size = pairs.cues, _content_size(pairs.words)
    leans = (size <= 1) | (cues.refers & (size <= _MOST_ELLIPTICAL_CONTENT))
    is_short = pairs.words.words <= _MOST_ELLIPTICAL_WORDS
    elliptical: Flags = (is_short & leans & ~cues.questions & ~cues.follows)[pairs.after]
    return elliptical


def _in_trouble(pairs: _Compared) -> Flags:
    in_trouble: Flags = (pairs.cues.corrects | pairs.cues.has_error)[pairs.before]
    return in_trouble


def _content_size(words: RequestWords) -> Floats:
    return numpy.asarray(words.content.sum(axis=1), dtype=float).ravel()


def _word_set(pairs: _Compared) -> Floats:
    """0 without a word in common: what is alike then is letters."""
    alike = numpy.flatnonzero(pairs.shared > 0)
    firsts, seconds = (pairs.words.text.take(pa.array(side[alike])).to_pylist() for side in (pairs.before, pairs.after))
    compared: Any = process.cpdist(firsts, seconds, scorer=fuzz.token_set_ratio, dtype=numpy.float64)
    found = numpy.zeros(len(pairs.shared))
    found[alike] = numpy.asarray(compared, dtype=float) / 100.0
    return found


class Model(Struct, frozen=True, kw_only=True):
    """A logistic model: how much each of FEATURES adds to the logarithm of the odds that it is the same request again."""

    intercept: float
    coefficients: Mapping[str, float]

    def probability(self, pairs: Pairs) -> Floats:
        """Of each near pair; that of all others is 0."""
        weights = numpy.array([self.coefficients[name] for name in FEATURES])
        likely: Floats = expit(self.intercept + pairs.features @ weights)
        return numpy.where(pairs.is_near, likely, 0.0)
