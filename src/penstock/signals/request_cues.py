"""Cues in a request, by column: how people say that the answer was not it, what it should be instead, or that they go on.

Each is a kind of saying and no list of messages. English; in other languages none is found, and words alone count. Patterns are
RE2's, over small letters with single spaces.
"""

from typing import Any

import numpy
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

Flags = NDArray[numpy.bool_]

_THING = r"(?:your|the|this|that|code|answer|output|result|it)"
# The one before was wrong, misunderstood or not enough.
_CORRECTION = (
    r"^\W*(?:no|nope|nah|not|wrong|incorrect|actually|instead|again|sorry|wait|still|hmm+|but (?:it|i|this|that|the|you|what))\b"
    r"|\b(?:i meant?|i said|i asked|i wanted|i (?:want|need) (?:it|this|that|you|to do (?:it|this|that))|not what i|try again"
    r"|once more|what do you mean|are you sure)\b"
    rf"|\b{_THING} (?:is|was|are|looks|seems) (?:still |also |just )?(?:wrong|incorrect|broken|false|bad|off)\b"
    r"|\byou (?:forgot|missed|ignored|misunderstood|did ?n.?t|did not|should(?: not|n.?t)? have|(?:also )?need to|need to also)\b"
    r"|\b(?:re-?check|check|verify) (?:it|this|that|your|the|again)\b|\bthat(?:'s| is) not\b"
)
# Something does not work. A short statement says it of the answer; a question, or a long text, of something else.
_DENIAL = (
    r"\b(?:this|that|it|your|which|still|code|answer)\b.{0,30}"
    r"\b(?:doesn.?t|does not|didn.?t|did not|don.?t|do not|isn.?t|is not|not|never|still|wrong|incorrect)\b"
    r"|\b(?:wrong|incorrect|not (?:correct|good|help|work))\b"
)
# What the result was to be, of which nobody speaks whose result is as it was to be.
_EXPECTATION = (
    r"\b(?:should|ought to|needs? to|supposed to|want it to|expect(?:ed|s)?|equals?|assert"
    r"|for example|example (?:input|output))\b|==|=>|->|\be\. ?g\."
)
# How it is to be done, which the request before left open.
_RESTRICTION = (
    r"^\W*(?:(?:and|but|also|please|pls|(?:can|could) (?:you|we)) )*"
    r"(?:in|with|without|using|use|only|as|like|include|including|keep|add|remove|ignore|exclude|except|don.?t|do not|avoid"
    r"|consider|assum(?:e|ing)|given that|know(?:ing)? that|remember|note|shorter|longer|simpler|more|less|faster|quick(?:ly|er)"
    r"|better|another|different|alternative)\b"
    r"|\b(?:without|instead of|rather than|not using|only using|alternative|another way|different way|in that case"
    r"|(?:don.?t|do not|cannot|can.?t|not allowed to|not) (?:have to|need to|use|import|want|include))\b"
)
_QUESTION = r"^\W*(?:how|what|why|when|where|who|which|is|are|does|do|did|can|could|will|would|should|has|have|was|were|if)\b"
# Opens as a question of its own.
_NEW_QUESTION = (
    r"^\W*(?:(?:and|but|so|ok|okay) )?"
    r"(?:how|what|why|when|where|who|which|is|are|does|do|did|has|have|was|were|tell me|explain)\b"
)
_FOLLOW_UP = r"^\W*(?:and|also|what about|how about|then|but|okay|ok|thanks|thank you|great|next|now|cool|nice|perfect|awesome)\b"
# Said twice, what goes on is no retry; the whole of a request.
_CONTINUATION = (
    r"^\W*(?:(?:please|ok|okay|yes|and|now)\W+)?(?:go on|continue|keep going|carry on|proceed|go ahead|more|next(?: one| page"
    r"| step| question)?|another(?: one)?|yes|yeah|yep|ok|okay|thanks|thank you)(?:\W+please)?\W*$"
)
_REFERENCE = r"\b(?:it|its|they|them|their|this|that|these|those|he|she|his|her|above|one|ones|there)\b"
_CODE = r"\b(?:def|class|return|import) \w|\bprint ?\(|\bfor \w+ in \w+.{0,20}:|[;{}]| = \w"
_ERROR = r"\btraceback\b|error\b ?:|\w{3}error\b|\bexception\b|\bline \d"
_MOST_COMPLAINT_WORDS = 40


class RequestCues(Struct, frozen=True, kw_only=True):
    """Requests in the order given."""

    corrects: Flags  # says that the one before was misunderstood, or its answer wrong
    denies: Flags  # says of something that it is not so
    complains: Flags  # says so of the answer, as it seems
    expects: Flags  # says, in prose that is no question, what the result was to be
    restricts: Flags  # says how it is to be done
    questions: Flags  # opens as a question of its own
    follows: Flags  # opens as one that goes on from the answer
    refers: Flags  # has a word that stands for something said before
    continues: Flags  # only says that it is to go on
    has_code: Flags
    has_error: Flags  # a message of an error, pasted


def read_cues(text: "pa.Array[Any]", words: NDArray[numpy.int64]) -> RequestCues:
    """The cues of texts in small letters with single spaces, given how many words each has."""
    denies, has_code, questions = _matches(text, _DENIAL), _matches(text, _CODE), _matches(text, _NEW_QUESTION)
    return RequestCues(
        corrects=_matches(text, _CORRECTION),
        denies=denies,
        complains=denies & (words < _MOST_COMPLAINT_WORDS) & ~_matches(text, _QUESTION),
        expects=_matches(text, _EXPECTATION) & ~has_code & ~questions,
        restricts=_matches(text, _RESTRICTION),
        questions=questions,
        follows=_matches(text, _FOLLOW_UP),
        refers=_matches(text, _REFERENCE),
        continues=continues(text),
        has_code=has_code,
        has_error=_matches(text, _ERROR),
    )


def continues(text: "pa.Array[Any]") -> Flags:
    """Which texts, in small letters, only say that it is to go on: said twice they ask for no second answer."""
    return _matches(text, _CONTINUATION)


def _matches(text: "pa.Array[Any]", pattern: str) -> Flags:
    found: Any = pc.match_substring_regex(text, pattern)
    return numpy.asarray(found, dtype=bool)
