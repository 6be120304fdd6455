"""What a message says of the answer before it."""

import pyarrow as pa
import pytest

from penstock.signals.feedback_reading import SAME_WORDS, read_feedback


def read(after: str, before: str = "write a poem about the sea") -> tuple[str | None, bool | None, str | None]:
    reading = read_feedback(pa.array([before]), pa.array([after]))
    return reading.code[0].as_py(), reading.is_sure[0].as_py(), reading.also[0].as_py()


@pytest.mark.parametrize(
    ("text", "code", "is_sure"),
    [
        ("That's wrong.", "UR3", True),
        ("That's wrong, the capital of Australia is Canberra and not Sydney", "UR2", True),
        ("this doesn\u2019t work", "UR3", True),
        ("this doesn't work\n```\nTraceback (most recent call last):\n```", "UR2", True),
        ("I said the ocean, not a lake", "UR1", True),
        ("What do you mean?", "UR4", True),
        ("Thank you!", "UR5", True),
        ("thanks, but it does not work", "UR3", True),
        ("but it says == is invalid syntax", "UR3", False),
        ("hmm", "UR3", False),
        ("makes sense", "UR5", False),
        ("if it is negative it does not work", "UR3", True),
    ],
)
def test_what_is_said_has_its_code(text: str, code: str, is_sure: bool) -> None:
    assert read(text) == (code, is_sure, None)


@pytest.mark.parametrize(
    "text",
    [
        "now one about mountains",
        "",
        "\u02d8",
        "def f(x):\n    return False  # wrong\n",
        "```\nit does not work\n```",
        "x" * 5_000,
        "日本語で",
    ],
)
def test_a_message_that_says_nothing_of_the_answer_has_no_code(text: str) -> None:
    assert read(text) == (None, None, None)


def test_the_same_words_again_are_a_repeat_whatever_their_case_and_spacing() -> None:
    reading = read_feedback(pa.array(["Write  a poem", ""]), pa.array(["write a\npoem", ""]))
    assert (reading.code.to_pylist(), reading.cue.to_pylist()) == (["UR1", None], [SAME_WORDS, None])


def test_thanks_with_an_objection_are_unsure_and_say_so() -> None:
    assert read("thanks, now use tabs instead of spaces") == ("UR5", False, "UR3")


def test_only_the_beginning_of_a_long_message_is_read() -> None:
    assert read("now one about mountains " * 40 + "that is wrong")[0] is None


def test_every_message_is_read_by_itself() -> None:
    reading = read_feedback(pa.array(["a", "b", "c", "d"]), pa.array(["no", "thanks", "no", "next one"]))
    assert reading.code.to_pylist() == ["UR3", "UR5", "UR3", None]
    assert read_feedback(pa.array([], pa.string()), pa.array([], pa.string())).code.to_pylist() == []


def test_going_on_twice_is_no_repeat() -> None:
    read = read_feedback(pa.array(["go on", "sort a list"]), pa.array(["Go on", "sort a list"]))
    assert read.code.to_pylist() == [None, "UR1"]
