"""What a judge is asked about an unsure reading of a message, and what its answers make of it.

Only the suspicion of the cue is put to it, as one question that can be verified on the texts; where thanks and an objection stand
in one message, the objection first. Yes gives the value of the code in full, no gives 0, no answer gives no value.
"""

from collections.abc import Sequence

from msgspec import Struct

from penstock.judging.judge import Verdict
from penstock.judging.question import Question
from penstock.signals.feedback_cues import Code
from penstock.signals.natural_feedback import VALUES

NOTHING = "none"  # the code where every suspicion was denied
_WRONG = (
    "Does the user's next message say, or show, that the assistant's answer was wrong, did not work, or was not what the user "
    "had asked for?"
)
QUESTIONS = {
    Code.REPEAT: "Does the user's next message ask for the same as the request before it, in the same words or in others?",
    Code.CORRECTION: _WRONG,
    Code.COMPLAINT: _WRONG,
    Code.CLARIFICATION: "Does the user's next message ask what the assistant's answer means, or whether it is correct?",
    Code.PRAISE: "Does the user's next message thank for the assistant's answer, or say that it was good?",
}


class Doubt(Struct, frozen=True, kw_only=True):
    """An unsure reading, with the texts to judge it by."""

    code: Code
    also: Code | None
    request: str
    answer: str
    next_message: str

    @property
    def suspicions(self) -> Sequence[Code]:
        """The codes to ask about, one after the other until one is affirmed."""
        return (self.code,) if self.also is None else (self.also, self.code)

    def question(self, code: Code) -> Question:
        """Whether it is this code."""
        about = (("request", self.request), ("assistant's answer", self.answer), ("user's next message", self.next_message))
        return Question(text=QUESTIONS[code], about=about)


class Finding(Struct, frozen=True, kw_only=True):
    """What the answers come to."""

    value: float | None
    code: str | None
    said: str  # yes, no, or why there is no answer


def finding_of(doubt: Doubt, verdicts: Sequence[Verdict]) -> Finding:
    """The finding of the answers so far, to as many suspicions as were asked about."""
    code, last = doubt.suspicions[len(verdicts) - 1], verdicts[-1]
    if last.is_yes is None:
        return Finding(value=None, code=None, said=f"failed: {last.failure}")
    return (
        Finding(value=VALUES[code], code=code.value, said="yes") if last.is_yes else Finding(value=0.0, code=NOTHING, said="no")
    )
