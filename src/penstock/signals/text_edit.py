"""What a person changed in a text: in words, in characters, what survives, and what was formatting alone.

Formatting is taken away from both texts first: kinds of quotes and dashes, composed characters, bold, bullets and white space.
A word is what stands between white space without the punctuation around it, and each sign of a script that puts no spaces.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy
import numpy.typing as npt
from msgspec import Struct
from rapidfuzz.distance import LCSseq, Levenshtein, Postfix, Prefix
from rapidfuzz.process import cpdist

from penstock.signals.moved_words import words_touched

# Distances take time in proportion to the product of the lengths; more than this says nothing new about an edit.
MOST_CHARACTERS = 20_000
# Kept between pairs of texts; what there is of a pair comes on top.
_MOST_KEPT_WORDS = 40_000
_MOST_KEPT_RUNS = 100_000
_LONGEST_KEPT_RUN = 40  # characters; a script that puts no spaces has whole sentences

VERBATIM, LIGHT, EDITED, REWRITE, DISCARD = "verbatim", "light", "edited", "rewrite", "discard"
_VERBATIM_UP_TO, _LIGHT_BELOW, _REWRITE_ABOVE = 0.02, 0.2, 0.5
_SURVIVES_LESS_IS_DISCARDED = 0.05

_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_MARKS = "\u0300-\u036f\u0900-\u0dff"  # vowels and accents that stand within words and are no letters to `re`
_LETTER = rf"(?:[^\W{_SPACELESS}]|[{_MARKS}])"
_CONTRACTION = r"['’](?:s|t|m|d|ve|re|ll)\b"
_WORD = re.compile(rf"{_LETTER}+(?:['’.,\-/@_]{_LETTER}+)*|[{_SPACELESS}]|{_CONTRACTION}|[^\w\s]+")

# The same of text that is ASCII alone, three times as fast; \s is white space of ASCII, and four more characters in Unicode.
_ASCII_WORD = re.compile(r"\w+(?:['.,\-/@_]\w+)*|'(?:s|t|m|d|ve|re|ll)\b|[^\w\s\x1c-\x1f]+", re.ASCII)

_QUOTES = str.maketrans({**dict.fromkeys("‘’‚‛′", "'"), **dict.fromkeys("“”„‟″«»", '"')})
_DASHES = str.maketrans("‐‑‒–—―−", "-------")
_BOLD = re.compile(r"(?<!\w)\*\*(?=\S)(.+?)(?<=\S)\*\*(?!\w)")
_BULLET = re.compile(r"(?m)^([ \t]*)[*+•‣◦][ \t]+")
_UNUSUAL_SPACE = re.compile(r"[^\S ]|  +")
_SIGNS = {"quotes": frozenset("‘’‚‛′“”„‟″«»"), "dashes": frozenset("‐‑‒–—―−")}


class Edits(Struct, frozen=True, kw_only=True):
    """What became of texts, one number for each; every share lies in 0..1."""

    words: npt.NDArray[numpy.int64]  # changed, a block that was moved being one
    of_words: npt.NDArray[numpy.int64]  # the words of the longer text
    words_in_any_case: npt.NDArray[numpy.int64]  # changed in more than upper and lower case
    kept_words: npt.NDArray[numpy.int64]  # the words of the final text
    characters: npt.NDArray[numpy.int64]  # changed
    of_characters: npt.NDArray[numpy.int64]  # the characters of the longer text
    survival: npt.NDArray[numpy.float64]  # the words of the generated text that stand in the final one, in the same order

    @property
    def share(self) -> npt.NDArray[numpy.float64]:
        """Words changed over the words of the longer text."""
        return _ratio(self.words, self.of_words)

    @property
    def character_share(self) -> npt.NDArray[numpy.float64]:
        """Characters changed over the characters of the longer text."""
        return _ratio(self.characters, self.of_characters)

    @property
    def rate(self) -> npt.NDArray[numpy.float64]:
        """Words changed, in any case, over the words kept, which may exceed 1: HTER, by which translations are judged."""
        return self.words_in_any_case / numpy.maximum(self.kept_words, 1)


def measure_edits(offered: Sequence[str], final: Sequence[str]) -> Edits:
    """Compare texts pair by pair, as they are: without their formatting where they went through `plain`."""
    pairs = list(_coded(offered, final))
    before, after = [pair.before for pair in pairs], [pair.after for pair in pairs]
    touched = [_touched(pair) for pair in pairs]
    words, in_any_case = numpy.array(touched, numpy.int64).reshape(-1, 2).T
    lengths = _lengths(before)
    return Edits(
        words=words,
        of_words=numpy.maximum(lengths, _lengths(after)),
        words_in_any_case=in_any_case,
        kept_words=_lengths(after),
        characters=_pairwise(offered, final, Levenshtein.distance),
        of_characters=numpy.maximum(_lengths(offered), _lengths(final)),
        survival=_ratio(_pairwise(before, after, LCSseq.similarity), lengths),
    )


def classify(edits: Edits) -> list[str]:
    """One of verbatim, light, edited, rewrite and discard for each."""
    is_gone = (edits.share > _REWRITE_ABOVE) & (edits.survival < _SURVIVES_LESS_IS_DISCARDED)
    return classify_shares(edits.share, is_gone)


def classify_shares(share: npt.NDArray[numpy.float64], is_gone: npt.NDArray[numpy.bool_] | None = None) -> list[str]:
    """The same of shares that were changed, where it is not known what survived."""
    discarded = share >= 1.0 if is_gone is None else is_gone
    conditions = [discarded, share <= _VERBATIM_UP_TO, share < _LIGHT_BELOW, share > _REWRITE_ABOVE]
    found: list[str] = numpy.select(conditions, [DISCARD, VERBATIM, LIGHT, REWRITE], EDITED).tolist()
    return found


def kept_shares(offered: Sequence[str], final: Sequence[str]) -> npt.NDArray[numpy.float64]:
    """The share of each offered text that stands in the final one: its words in order, or its characters around the change.

    Whichever is more: of one long word that was cut short no word is left, but its beginning is.
    """
    offered, final = [plain(text) for text in offered], [plain(text) for text in final]
    pairs = list(_coded(offered, final))
    before, after = [pair.before for pair in pairs], [pair.after for pair in pairs]
    in_words = _ratio(_pairwise(before, after, LCSseq.similarity), _lengths(before))
    around = _pairwise(offered, final, Prefix.similarity) + _pairwise(offered, final, Postfix.similarity)
    whole = _lengths(offered)
    return numpy.maximum(in_words, _ratio(numpy.minimum(around, numpy.minimum(whole, _lengths(final))), whole))


def changed_characters(offered: Sequence[str], final: Sequence[str]) -> npt.NDArray[numpy.float64]:
    """Characters changed over the characters of the longer text, formatting aside."""
    offered, final = [plain(text) for text in offered], [plain(text) for text in final]
    return _ratio(_pairwise(offered, final, Levenshtein.distance), numpy.maximum(_lengths(offered), _lengths(final)))


def plain(text: str) -> str:
    """A text without what only formats it."""
    text = text[:MOST_CHARACTERS]
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_QUOTES).translate(_DASHES)
    if "**" in text:
        text = _BOLD.sub(r"\1", text)
    if _may_have_bullets(text):
        text = _BULLET.sub(r"\1- ", text)
    return " ".join(text.split())


def formatting_changes(offered: str, final: str) -> str | None:
    """Which kinds of formatting differ between two texts; None where none does."""
    if offered == final:
        return None
    found = [kind for kind, signs in _SIGNS.items() if _signs(offered, signs) != _signs(final, signs)]
    if _bold(offered) != _bold(final):
        found.append("bold")
    if _bullets(offered) != _bullets(final):
        found.append("bullets")
    if unicodedata.is_normalized("NFC", offered) != unicodedata.is_normalized("NFC", final):
        found.append("composition")
    if _unusual_space(offered) != _unusual_space(final):
        found.append("white space")
    return ", ".join(found) or None


def _signs(text: str, signs: frozenset[str]) -> list[str]:
    return [sign for sign in text if sign in signs] if not text.isascii() else []


def _bold(text: str) -> int:
    return len(_BOLD.findall(text)) if "**" in text else 0


def _bullets(text: str) -> int:
    return len(_BULLET.findall(text)) if _may_have_bullets(text) else 0


def _may_have_bullets(text: str) -> bool:
    """Most texts have none, and this takes a tenth of the time that the pattern does."""
    return "*" in text or "+" in text or not text.isascii()


def _unusual_space(text: str) -> list[str]:
    return [] if " ".join(text.split()) == text else _UNUSUAL_SPACE.findall(text)


class _Pair(Struct, frozen=True):
    """Two texts with one character for each word, the same for the same word."""

    before: str
    after: str
    in_any_case: tuple[str, str]


class _Characters(dict[str, str]):
    """A character for each different word."""

    def __missing__(self, word: str) -> str:
        character = self[word] = chr(len(self) + 1)
        return character


class _Runs(dict[str, str]):
    """What stands between white space, as one character for each word in it; most of it comes again and again."""

    def __init__(self, characters: _Characters, case: Callable[[str], str]) -> None:
        super().__init__()
        self._characters = characters
        self._case = case

    def __missing__(self, run: str) -> str:
        words = (_ASCII_WORD if run.isascii() else _WORD).findall(run)
        coded = "".join([self._characters[self._case(word)] for word in words])
        if len(run) <= _LONGEST_KEPT_RUN:
            self[run] = coded
        return coded

    def code(self, text: str) -> str:
        """A whole text."""
        return "".join(map(self.__getitem__, text.split()))


def _coded(offered: Sequence[str], final: Sequence[str]) -> Iterator[_Pair]:
    """Pairs of texts, in which the same word has the same character within a pair."""
    characters = _Characters()
    exact, lower = _Runs(characters, str), _Runs(characters, str.lower)
    for one, other in zip(offered, final, strict=True):
        if len(characters) > _MOST_KEPT_WORDS or len(exact) + len(lower) > _MOST_KEPT_RUNS:
            for known in (characters, exact, lower):
                known.clear()
        coded = exact.code(one), exact.code(other)
        is_lower = one.lower() == one and other.lower() == other
        yield _Pair(*coded, coded if is_lower else (lower.code(one), lower.code(other)))


def _touched(pair: _Pair) -> tuple[int, int]:
    words = words_touched(pair.before, pair.after)
    is_the_same = pair.in_any_case == (pair.before, pair.after)
    return words, words if is_the_same else words_touched(*pair.in_any_case)


def _pairwise(before: Sequence[str], after: Sequence[str], scorer: Any) -> npt.NDArray[numpy.int64]:
    found: npt.NDArray[numpy.int64] = cpdist(before, after, scorer=scorer, dtype=numpy.int64)
    return found


def _lengths(texts: Sequence[str]) -> npt.NDArray[numpy.int64]:
    return numpy.fromiter(map(len, texts), numpy.int64, len(texts))


def _ratio(part: npt.NDArray[numpy.int64], whole: npt.NDArray[numpy.int64]) -> npt.NDArray[numpy.float64]:
    return numpy.where(whole > 0, part / numpy.maximum(whole, 1), 0.0)
