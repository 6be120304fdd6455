"""What a judge is asked, and what its answers come to."""

import pytest

from penstock.judging.judge import Verdict
from penstock.signals.feedback_cues import Code
from penstock.signals.feedback_questions import QUESTIONS, Doubt, finding_of

YES, NO, FAILED = Verdict(is_yes=True), Verdict(is_yes=False), Verdict(failure="timeout")


def doubt(code: Code, also: Code | None = None) -> Doubt:
    return Doubt(code=code, also=also, request="sort", answer="sorted(x)", next_message="hmm")


def test_every_code_has_its_question() -> None:
    assert set(QUESTIONS) == set(Code)


def test_the_judge_sees_the_request_the_answer_and_the_next_message() -> None:
    question = doubt(Code.COMPLAINT).question(Code.COMPLAINT)
    assert [text for _, text in question.about] == ["sort", "sorted(x)", "hmm"]


def test_thanks_with_an_objection_are_first_asked_about_as_an_objection() -> None:
    assert doubt(Code.PRAISE, Code.COMPLAINT).suspicions == (Code.COMPLAINT, Code.PRAISE)


@pytest.mark.parametrize(
    ("also", "verdicts", "value", "code", "said"),
    [
        (None, [YES], 1.0, "UR5", "yes"),
        (None, [NO], 0.0, "none", "no"),
        (None, [FAILED], None, None, "failed: timeout"),
        (Code.COMPLAINT, [YES], -1.0, "UR3", "yes"),
        (Code.COMPLAINT, [NO, YES], 1.0, "UR5", "yes"),
        (Code.COMPLAINT, [NO, NO], 0.0, "none", "no"),
        (Code.COMPLAINT, [NO, FAILED], None, None, "failed: timeout"),
    ],
)
def test_yes_is_the_code_no_is_nothing_and_a_failure_says_so(also, verdicts, value, code, said) -> None:
    finding = finding_of(doubt(Code.PRAISE, also), verdicts)
    assert (finding.value, finding.code, finding.said) == (value, code, said)
