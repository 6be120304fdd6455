"""What a request is about, by column: its words, without those that any request has.

Words are compared by what is left without endings, so that `sorting lists` and `sort a list` are the same. English; in other
languages nothing is known of endings, and all words count.
"""

from typing import Any

import numpy
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

# Articles, pronouns, question words and auxiliaries; then what a request of any kind is introduced by.
_EMPTY_WORDS = (
    "a about am an and are as at be been by can could did do does doing for from had has have he her him his how i in is it its"
    " me my of on one ones or our she should so that the their them there these they this those to us was we were what when where"
    " which who whom whose why will with would you your"
    " also code create example explain find function get give help im ive just know let like make need please program s show some"
    " any t tell there's use using want way what's whats write"
)

# Endings, one after the other, as in Porter's stemmer cut short; last, of a doubled letter at the end one is left.
_ENDINGS = (
    (r"(\w{2})ies$", r"\1y"), (r"(\w{2}[^s\W])s$", r"\1"), (r"(\w{3})(?:ing|ed)$", r"\1"), (r"(\w{2})e$", r"\1"),
    ("|".join(f"({letter}){letter}$" for letter in "bdglmnprt"), "".join(rf"\{number}" for number in range(1, 10))),
    (r"ss$", "s"),
)  # fmt: skip
_MOST_CHARACTERS = 4_000


class RequestWords(Struct, frozen=True, kw_only=True):
    """Requests in the order given."""

    text: "pa.Array[Any]"  # in lower case, single spaces, cut to _MOST_CHARACTERS
    words: NDArray[numpy.int64]  # how many words of any kind
    content: csr_matrix  # requests by words: 1 where the request has the word and the word is not empty


def read_words(texts: "pa.Array[Any]") -> RequestWords:
    """The words of these texts; NULL is read as an empty one."""
    compute: Any = pc
    cut = compute.utf8_slice_codeunits(compute.fill_null(texts, ""), 0, _MOST_CHARACTERS)
    tokens = compute.utf8_split_whitespace(compute.utf8_trim_whitespace(compute.utf8_lower(cut)))
    text = compute.binary_join(tokens, " ")
    # Of an empty text the split has one empty token.
    words = numpy.asarray(pc.list_value_length(tokens)) * numpy.asarray(pc.not_equal(text, pa.scalar("")))
    return RequestWords(text=text, words=words.astype(numpy.int64), content=_content(tokens))


def _content(tokens: Any) -> csr_matrix:
    """Which request has which word: each different token is taken apart once, however often it stands there."""
    encoded: Any = tokens.flatten().dictionary_encode()
    ends = numpy.asarray(tokens.offsets) - tokens.offsets[0].as_py()
    parts, bounds = _stems(encoded.dictionary)
    codes = numpy.asarray(encoded.indices)
    counts = numpy.diff(bounds)[codes]
    starts = numpy.concatenate(([0], numpy.cumsum(counts)))
    places = numpy.arange(starts[-1]) - numpy.repeat(starts[:-1] - bounds[codes], counts)
    content = csr_matrix(
        (numpy.ones(len(places), dtype=numpy.int32), parts[places], starts[ends]),
        shape=(len(tokens), int(parts.max(initial=0)) + 1),
    )
    content.sum_duplicates()
    content.data[:] = 1
    return content


def _stems(tokens: "pa.Array[Any]") -> tuple[NDArray[numpy.int32], NDArray[numpy.int64]]:
    """The stems in each token, as numbers, and where each token's begin; `list[0].sort()` has three, `the` has none."""
    apart: Any = pc.split_pattern(pc.utf8_trim_whitespace(pc.replace_substring_regex(tokens, r"[^\p{L}\p{N}_']+", " ")), " ")
    words = apart.flatten()
    kept = ~numpy.asarray(pc.is_in(words, pa.array(["", "'", *_EMPTY_WORDS.split()])), dtype=bool)
    kept_before = numpy.concatenate(([0], numpy.cumsum(kept)))
    bounds = kept_before[numpy.asarray(apart.offsets)]
    stems: Any = words.filter(pa.array(kept))
    for ending, left in _ENDINGS:
        stems = pc.replace_substring_regex(stems, ending, left)
    encoded = stems.dictionary_encode()
    return numpy.asarray(encoded.indices).astype(numpy.int32), bounds
