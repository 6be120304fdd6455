"""Cues by which people say that an answer was not it, or that they go on."""

import pyarrow as pa
import pytest

from penstock.signals.request_cues import RequestCues, read_cues
from penstock.signals.request_words import read_words


def read(*texts: str) -> RequestCues:
    words = read_words(pa.array(texts, pa.string()))
    return read_cues(words.text, words.words)


@pytest.mark.parametrize(
    "text",
    [
        "no, the other one",
        "I meant the second",
        "wait",
        "what do you mean?",
        "still wrong",
        "you forgot the last column",
        "are you sure?",
        "the output is wrong",
        "please check it again",
        "but it prints nothing",
    ],
)
def test_cues_of_correction(text: str) -> None:
    assert read(text).corrects.tolist() == [True]


@pytest.mark.parametrize(
    "text", ["nothing else", "notes of a meeting", "thanks", "knots and ropes", "sort the list", "but how do I print it"]
)
def test_words_that_only_begin_like_a_cue_are_none(text: str) -> None:
    assert read(text).corrects.tolist() == [False]


def test_a_short_statement_complains_a_question_or_a_long_text_does_not() -> None:
    long = "this does not work " + "word " * 50
    assert read("this does not work", "why does this not work?", long).complains.tolist() == [True, False, False]
    assert read("this does not work", "why does this not work?", long).denies.tolist() == [True, True, True]


@pytest.mark.parametrize("text", ["f(8) should be true", "assert f(8) == 1", "for example 12 gives 3", "12 => 3"])
def test_what_the_result_was_to_be_is_expected(text: str) -> None:
    assert read(text).expects.tolist() == [True]


@pytest.mark.parametrize("text", ["what should I wear?", "def f(x): return x == 1", "shoulder pain", "sort a list"])
def test_a_question_or_a_piece_of_code_expects_nothing(text: str) -> None:
    assert read(text).expects.tolist() == [False]


@pytest.mark.parametrize(
    "text", ["in python", "and without the library please", "can you use numpy", "shorter", "do it without a loop", "don't sort"]
)
def test_how_it_is_to_be_done_restricts(text: str) -> None:
    assert read(text).restricts.tolist() == [True]


@pytest.mark.parametrize("text", ["inside a loop", "sort a list", "what is new", "morel soup"])
def test_another_task_restricts_nothing(text: str) -> None:
    assert read(text).restricts.tolist() == [False]


def test_code_and_errors_are_told_from_prose() -> None:
    cues = read("def f(x): return x", "TypeError: no such thing", "print the error", "define a function")
    assert cues.has_code.tolist() == [True, False, False, False]
    assert cues.has_error.tolist() == [False, True, False, False]


def test_going_on_and_referring_back() -> None:
    cues = read("and in Paris?", "is it treatable?", "what is throat cancer?")
    assert cues.follows.tolist() == [True, False, False]
    assert cues.refers.tolist() == [False, True, False]
    assert cues.questions.tolist() == [False, True, True]
