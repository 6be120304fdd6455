"""Whether a request is about what an earlier conversation was about: by the words of content that it shares with it.

A third of its words and two of them at least have to be shared: rather overlook a return than see one that is none. On TREC
CAsT 2019 hardly any request of another topic passes, and half of those of the same topic do.
"""

from collections.abc import Sequence
from typing import Any

import numpy
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

LEAST_SHARED = 2
LEAST_SHARE = 1 / 3
REPEAT_SHARE = 0.8  # of the words of both requests together
_NONE: frozenset[str] = frozenset()
_LETTER = r"[\p{L}\p{N}_]"
# They stand in requests of every topic.
_EMPTY_LIST = (
    "a an and are as at be by can could do does did for from had has have how i in is it its me my of on or please so tell that"
    " the their there these this those to was were what when where which who why will with would you your about not no yes ok"
    " okay thanks thank again want need help like get make use also then but if any some more"
)
# As they stand, and without the s that a plural would have.
_EMPTY_WORDS = frozenset(_EMPTY_LIST.split()) | {"doe", "thi", "thank"}


class Topic(Struct, frozen=True, kw_only=True):
    """What a request shares with an earlier conversation."""

    shared: int  # words of content
    words: int  # words of content of the request
    is_repeat: bool  # it asks, nearly in the same words, what one of the earlier requests asked


def topics_of(earlier: Sequence["pa.Array[Any]"], request: "pa.Array[Any]") -> list[Topic | None]:
    """For each request what it shares with the earlier ones of its row; None where it, or all of them, have no words."""
    words: dict[str, frozenset[str]] = {}  # many a request is one row's next and another's last

    def read(text: str | None) -> frozenset[str]:
        if not text:
            return _NONE
        if (known := words.get(text)) is None:
            known = words[text] = frozenset(text.split()) - _EMPTY_WORDS
        return known

    asked: NDArray[numpy.int64] = numpy.flatnonzero(numpy.asarray(request.is_valid()))
    found: list[Topic | None] = [None] * len(request)
    rows = [_plain(column.take(pa.array(asked, pa.int64()))).to_pylist() for column in (request, *earlier)]
    for place, text, *before in zip(asked.tolist(), *rows, strict=True):
        found[place] = topic_of([read(one) for one in before], read(text))
    return found


def topic_of(earlier: Sequence[frozenset[str]], new: frozenset[str]) -> Topic | None:
    """What the words of a request share with those of earlier ones; None where it, or all of them, have none."""
    known = _NONE.union(*earlier)
    if not new or not known:
        return None
    is_repeat = any(len(new & words) >= REPEAT_SHARE * len(new | words) for words in earlier if words)
    return Topic(shared=len(new & known), words=len(new), is_repeat=is_repeat)


def same_topic(topic: Topic | None) -> bool:
    """Whether it shares enough; the same request again always does."""
    if topic is None:
        return False
    return topic.is_repeat or (topic.shared >= LEAST_SHARED and topic.shared >= LEAST_SHARE * topic.words)


def _plain(texts: "pa.Array[Any]") -> "pa.Array[Any]":
    """In lower case, a space between words, without the s of a plural."""
    lower: Any = pc.utf8_lower(texts)
    apart: Any = pc.replace_substring_regex(lower, r"[^\p{L}\p{M}\p{N}_]+", " ")
    singular: pa.Array[Any] = pc.replace_substring_regex(apart, f"({_LETTER}{{3}})s( |$)", r"\1 ")
    return singular
