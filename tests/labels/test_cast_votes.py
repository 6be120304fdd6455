"""When a voter votes, when it abstains, and when its silence says something."""

import numpy
import pytest

from penstock.labels.cast_votes import BAD, GOOD, Patterns, cast_votes, heard_in, merged
from penstock.labels.labelling_functions import LabellingFunction, voters_of

FUNCTIONS = [
    LabellingFunction(name="up", signal="rating", votes="good", at_least=0.5),
    LabellingFunction(name="down", signal="rating", votes="bad", at_most=-0.5),
    LabellingFunction(name="copied", signal="copy", votes="good", at_least=0.5),
    LabellingFunction(name="retried", signal="retry", votes="bad", at_least=0.5, silence="went_on"),
]
VOTERS = voters_of(FUNCTIONS)
UP, DOWN, COPIED, RETRIED = 1, 2, 4, 8


def patterns(*rows):
    """Rows of application, went on, is old and fired."""
    columns = list(zip(*rows, strict=True))
    return Patterns(
        application=list(columns[0]),
        went_on=numpy.array(columns[1]),
        is_old=numpy.array(columns[2]),
        fired=numpy.array(columns[3]),
        truth=numpy.full(len(rows), -1),
        drawn=numpy.ones(len(rows)),
        times=numpy.ones(len(rows)),
    )


def cast(*rows, heard=None):
    return cast_votes(patterns(*rows), FUNCTIONS, VOTERS, {"chat": ("copied", "retried")} if heard is None else heard)


def test_each_voter_gives_the_answer_of_its_function():
    answers = cast(("chat", True, True, UP | COPIED), ("chat", True, True, DOWN | RETRIED)).answer
    assert answers.tolist() == [[GOOD, GOOD, -1], [BAD, -1, BAD]]


def test_a_voter_that_contradicts_itself_abstains():
    assert cast(("chat", True, True, UP | DOWN)).answer[0, 0] == -1


@pytest.mark.parametrize(
    ("row", "silent"),
    [
        (("chat", True, True, 0), [False, True, True]),
        (("chat", False, True, 0), [False, True, False]),  # a retry can only come once the session goes on
        (("chat", True, False, 0), [False, False, False]),  # it may still come
        (("mail", True, True, 0), [False, False, False]),  # there neither is ever seen
        (("chat", True, True, COPIED), [False, False, True]),
    ],
)
def test_silence_says_something_only_of_one_answer_where_it_could_have_been_given(row, silent):
    assert cast(row).is_silent[0].tolist() == silent


def test_silence_is_the_other_answer():
    one = cast(("chat", True, True, UP))
    assert one.told[0].tolist() == one.counted[0].tolist() == [GOOD, BAD, GOOD]
    young = cast(("chat", True, False, UP))
    assert young.told[0].tolist() == [GOOD, -1, -1]
    assert young.counted[0].tolist() == [GOOD, BAD, GOOD]  # for rates, what is young counts with what is old


def test_functions_are_heard_where_they_have_voted():
    rows = patterns(("chat", True, True, UP), ("chat", True, True, COPIED), ("mail", True, True, 0))
    assert heard_in(rows, FUNCTIONS) == {"chat": ("up", "copied"), "mail": ()}


def test_a_group_abstains_where_its_members_contradict_each_other():
    one = merged(cast(("chat", True, True, UP | RETRIED), ("chat", True, True, COPIED), ("chat", True, True, 0)), [(0, 2), (1,)])
    assert one.answer.tolist() == [[-1, -1], [-1, GOOD], [-1, -1]]
    assert one.only.tolist() == [-1, GOOD]
