"""Each cue by itself."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from penstock.signals.feedback_cues import CUES, Code

_SAID = {
    "not what was asked": ("this is not what i want", "it's rounding up, but i wanted it to round down"),
    "wrong": ("wrong", "that's still incorrect", "your answer is not right", "you misunderstood"),
    "does not work": (
        "it doesn't work",
        "still getting the same result",
        "this code fails on empty lists",
        "that won't work",
        "it still shows five",
    ),
    "error pasted": ("attributeerror: no such thing", "i'm getting an error"),
    "no": ("no", "no, the other one", "nope"),
    "dismay": ("what the heck",),
    "asks again": ("i said tomorrow", "try again", "i meant the square root"),
    "asks what it means": ("what do you mean", "i don't understand", "can you elaborate on the second point"),
    "doubts it": ("are you sure?", "is that right?"),
    "thanks": ("thank you", "ok thanks, bye"),
    "praise": ("perfect!", "that was really helpful", "it works now"),
    "error report": ("but it says == is invalid syntax", "the examples return false with your code"),
    "maybe wrong": ("why is it not working", "fix it"),
    "objects": ("but it is for children", "use tabs instead of spaces", "that is too long", "don't use emojis"),
    "asks once more": ("in python", "once again, please"),
    "asks back": ("why?", "explain the second line"),
    "maybe praise": ("good to know", "makes sense"),
}
_SILENT = (
    "how do i sort a list", "and in paris?", "no problem with that at all, book it", "what about a dict", "write a function",
    "now add a column", "can you show me how to add two rows", "is 1 a prime number?", "one that returns true if it is even",
)  # fmt: skip


@pytest.mark.parametrize("cue", CUES, ids=lambda cue: cue.name)
def test_a_cue_finds_what_it_is_named_after(cue) -> None:
    found = pc.match_substring_regex(pa.array(_SAID[cue.name]), cue.pattern)
    assert found.to_pylist() == [True] * len(_SAID[cue.name])


@pytest.mark.parametrize("cue", CUES, ids=lambda cue: cue.name)
def test_a_question_of_its_own_holds_no_cue(cue) -> None:
    found = pc.match_substring_regex(pa.array(_SILENT), cue.pattern).to_pylist()
    assert [text for text, hit in zip(_SILENT, found, strict=True) if hit] == []


def test_complaints_outrank_praise_and_sure_cues_stand_before_unsure_ones() -> None:
    sure = [cue.code for cue in CUES if cue.is_sure]
    assert [cue.is_sure for cue in CUES] == sorted((cue.is_sure for cue in CUES), reverse=True)
    assert sure.index(Code.PRAISE) > max(place for place, code in enumerate(sure) if code != Code.PRAISE)
