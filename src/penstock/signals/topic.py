"""Whether a request is about what an earlier conversation was about: by the words of content that it shares with it.

A third of its words and two of them at least have to be shared: rather overlook a return than see one that is none. On TREC
CAsT 2019 hardly any request of another topic passes, and half of those of the same topic do.
"""

import re

from msgspec import Struct

LEAST_SHARED = 2
LEAST_SHARE = 1 / 3
REPEAT_SHARE = 0.8  # of the words of both requests together
_MOST_CHARACTERS = 20_000
_WORD = re.compile(r"\w+")
# They stand in requests of every topic.
_EMPTY_LIST = (
    "a an and are as at be by can could do does did for from had has have how i in is it its me my of on or please so tell that"
    " the their there these this those to was were what when where which who why will with would you your about not no yes ok"
    " okay thanks thank again want need help like get make use also then but if any some more"
)
_EMPTY_WORDS = frozenset(_EMPTY_LIST.split())


class Topic(Struct, frozen=True, kw_only=True):
    """What a request shares with an earlier conversation."""

    shared: int  # words of content
    words: int  # words of content of the request
    is_repeat: bool  # it asks, nearly in the same words, what one of the earlier requests asked


def topic_of(earlier: str | None, request: str | None) -> Topic | None:
    """What a request shares with earlier ones, one per line; None where either has no words."""
    if not earlier or not request:
        return None
    new = content_words(request[:_MOST_CHARACTERS].lower())
    lines = [content_words(line) for line in earlier[:_MOST_CHARACTERS].lower().split("\n")]
    known = frozenset().union(*lines)
    if not new or not known:
        return None
    is_repeat = any(len(new & line) >= REPEAT_SHARE * len(new | line) for line in lines if line)
    return Topic(shared=len(new & known), words=len(new), is_repeat=is_repeat)


def same_topic(topic: Topic | None) -> bool:
    """Whether it shares enough; the same request again always does."""
    if topic is None:
        return False
    return topic.is_repeat or (topic.shared >= LEAST_SHARED and topic.shared >= LEAST_SHARE * topic.words)


def content_words(text: str) -> frozenset[str]:
    """The words of content of a text in lower case, without the s of a plural."""
    words = (word for word in _WORD.findall(text) if word not in _EMPTY_WORDS)
    return frozenset(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words)
