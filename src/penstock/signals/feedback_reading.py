"""Messages read for feedback, column by column: which cue each holds, how sure that is, and what speaks against it."""

from typing import Any

import numpy
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from penstock.signals.feedback_cues import CUES, Code
from penstock.signals.request_cues import continues

LONGEST_PROSE = 400  # characters: feedback stands at the beginning of a message, or is all of it
SAYS_MORE_WORDS = 9  # a complaint with so many words, or with code, says what is wrong
SAME_WORDS = "same words"

_CODE_MARK = "\x01"
# Fenced code, then lines that look like code.
_CODE = (
    r"(?s)```.*?(?:```|\z)",
    r"(?m)^(?:\s*(?:def|class|import|from|return|for|if|elif|else|while|print|assert)\b.*[()\[\]{}:=].*"
    r"|\s*(?:#|>>>|@).*|.*[;{}=]\s*|\s*[\w.\[\]'\"]+ ?=.*| {4,}.*)$",
)
_ANY = "|".join(f"(?:{cue.pattern})" for cue in CUES)
_NONE = -1


class Reading(Struct, frozen=True, kw_only=True):
    """What each message says of the answer before it; all NULL where it says nothing."""

    code: "pa.Array[Any]"
    cue: "pa.Array[Any]"
    is_sure: "pa.Array[Any]"
    also: "pa.Array[Any]"  # the code of an unsure cue that speaks against praise


def read_feedback(before: "pa.Array[Any]", after: "pa.Array[Any]") -> Reading:
    """Read messages, given the request before each; neither may be NULL."""
    encoded: Any = after.dictionary_encode()
    read = _read(encoded.dictionary)
    code, cue, is_sure, also = (column.take(encoded.indices) for column in (read.code, read.cue, read.is_sure, read.also))
    asked, said = _words(before), _words(after)
    same: Any = pc.and_(pc.equal(asked, said), pc.not_equal(said, pa.scalar("")))
    same = pc.and_not(same, pa.array(continues(said)))
    return Reading(
        code=pc.if_else(same, Code.REPEAT.value, code),
        cue=pc.if_else(same, SAME_WORDS, cue),
        is_sure=pc.if_else(same, True, is_sure),
        also=pc.if_else(same, pa.scalar(None, pa.string()), also),
    )


def _read(texts: "pa.Array[Any]") -> Reading:
    """What each of these says by itself."""
    prose = _prose(texts)
    hits = _hits(prose)
    sure = numpy.array([cue.is_sure for cue in CUES])
    codes = [cue.code for cue in CUES]
    first_sure, first_unsure = _first(hits & sure), _first(hits & ~sure)
    first = numpy.where(first_sure != _NONE, first_sure, first_unsure)
    code = _named([code.value for code in codes], first)
    # Thanks and an objection in one message: which of them counts is not for a pattern to say.
    is_praise = numpy.isin(first_sure, [place for place, code in enumerate(codes) if code == Code.PRAISE])
    against = is_praise & (hits & ~sure & numpy.array([code == Code.COMPLAINT for code in codes])).any(axis=1)
    complaint, detailed = pa.scalar(Code.COMPLAINT.value), _says_more(prose)
    return Reading(
        code=pc.if_else(pc.and_(pc.equal(code, complaint), detailed), Code.CORRECTION.value, code),
        cue=_named([cue.name for cue in CUES], first),
        is_sure=pa.array((first_sure != _NONE) & ~against, pa.bool_(), mask=first == _NONE),
        also=pc.if_else(pa.array(against), complaint, pa.scalar(None, pa.string())),
    )


def _prose(texts: Any) -> Any:
    """Small letters, code replaced by a mark, blanks made one, cut to length."""
    for pattern in _CODE:
        texts = pc.replace_substring_regex(texts, pattern, _CODE_MARK)
    # Typographic apostrophes as typed ones; the marks of quoted mail and lists count for nothing.
    plain: Any = pc.replace_substring_regex(_words(texts), "[\u2018\u2019]", "'")
    trimmed: Any = pc.utf8_trim(plain, f' {_CODE_MARK}>-*"')
    marked = pc.match_substring(plain, _CODE_MARK)
    short: Any = pc.utf8_slice_codeunits(trimmed, 0, LONGEST_PROSE)
    return pc.if_else(marked, pc.binary_join_element_wise(short, pa.scalar(_CODE_MARK), ""), short)


def _words(texts: "pa.Array[Any]") -> Any:
    """Small letters, one blank between words; a blank that stands alone already is not touched, which saves most of the time."""
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.utf8_lower(texts), r"[^\S ]\s*|\s{2,}", " "))


def _hits(prose: Any) -> Any:
    """Which cue is found in which text; most hold none, so all are looked for at once before each is."""
    hits = numpy.zeros((len(prose), len(CUES)), dtype=bool)
    some = numpy.nonzero(numpy.asarray(pc.match_substring_regex(prose, _ANY)))[0]
    chosen = prose.take(pa.array(some))
    for place, cue in enumerate(CUES):
        hits[some, place] = numpy.asarray(pc.match_substring_regex(chosen, cue.pattern))
    return hits


def _first(hits: Any) -> Any:
    return numpy.where(hits.any(axis=1), hits.argmax(axis=1), _NONE)


def _named(names: list[str], places: Any) -> Any:
    return pa.array(names, pa.string()).take(pa.array(places, pa.int64(), mask=places == _NONE))


def _says_more(prose: Any) -> Any:
    long: Any = pc.greater_equal(pc.count_substring(prose, " "), pa.scalar(SAYS_MORE_WORDS - 1))
    return pc.or_(long, pc.match_substring(prose, _CODE_MARK))
