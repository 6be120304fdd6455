"""What tells a second try from the next question."""

import math

import numpy
import pyarrow as pa
import pytest

from penstock.signals.request_pair import FEATURES, Model, Pairs, read_pairs


def pair(first: str | None, second: str | None, apart_s: float = math.nan) -> Pairs:
    return read_pairs(pa.array([first], pa.string()), pa.array([second], pa.string()), [apart_s])


def features(first: str, second: str, apart_s: float = math.nan) -> dict[str, float]:
    return dict(zip(FEATURES, pair(first, second, apart_s).features[0].tolist(), strict=True))


def test_one_word_for_another_is_swapped_and_one_more_is_not() -> None:
    assert features("tell me about lung cancer", "tell me about throat cancer")["swapped"] == 0.5
    assert features("sort list", "sort list downwards")["swapped"] == 0.0


def test_a_name_in_the_place_of_a_pronoun_spells_out() -> None:
    assert features("what does it do to the liver?", "what does ibuprofen do to the liver?")["spells_out"] == 1.0
    assert features("what does ibuprofen do to the liver?", "does it harm the liver?")["refers"] == 1.0


def test_a_complaint_that_was_there_before_corrects_nothing() -> None:
    assert features("sort it", "this does not work with dates")["corrects"] == 1.0
    assert features("my code does not work with dates", "it is not working with dates")["corrects"] == 0.0


def test_a_time_that_is_not_known_speaks_neither_way() -> None:
    assert features("sort list", "sort lists now")["lateness"] == 0.0
    assert features("sort list", "sort lists now", 90.0)["lateness"] == 0.0
    assert features("sort list", "sort lists now", 1.0)["lateness"] == pytest.approx(math.log(15 / 90))


def test_nothing_in_common_and_no_cue_is_another_request() -> None:
    assert not pair("sort a list", "book a table").is_near[0]
    assert pair("sort a list", "no, that is wrong").is_near[0]


def test_the_same_is_exact_and_nothing_is_not() -> None:
    assert pair("A  b", "a B").is_exact[0]
    assert not pair("", " ").is_exact[0]
    assert not pair(None, None).is_exact[0]


def test_a_model_gives_nothing_to_what_is_not_near() -> None:
    model = Model(intercept=3.0, coefficients=dict.fromkeys(FEATURES, 0.0))
    both = read_pairs(pa.array(["sort list", "sort list"]), pa.array(["book table", "sort lists please"]))
    assert model.probability(both).tolist() == [0.0, pytest.approx(1 / (1 + math.exp(-3.0)))]


def test_a_few_words_that_lean_on_the_first_are_elliptical_and_a_short_task_is_not() -> None:
    assert features("split a string by several delimiters", "in python")["elliptical"] == 1.0
    assert features("how to add up digits", "please write the code for it")["elliptical"] == 1.0
    assert features("sort a list", "sort a table")["elliptical"] == 0.0
    assert features("sort a list", "is it stable?")["elliptical"] == 0.0
    assert features("sort a list", "thanks, list done")["elliptical"] == 0.0


def test_a_cue_speaks_without_a_word_in_common_and_letters_in_common_are_nothing() -> None:
    found = features("add up the digits of a number", "f(-12) should be 1")
    assert (found["unlike"], found["word_set"], found["expects"]) == (1.0, 0.0, 1.0)


def test_a_first_that_corrected_or_brought_an_error_is_in_trouble() -> None:
    assert features("no, sort the list", "sort the list downwards")["in_trouble"] == 1.0
    assert features("TypeError: not a list", "sort the list")["in_trouble"] == 1.0
    assert features("sort the list", "sort the list downwards")["in_trouble"] == 0.0
    assert not pair("no, sort a list", "book a table for two").is_near[0]


def test_order_and_company_change_nothing() -> None:
    rng = numpy.random.default_rng(1)
    words = ["sort", "list", "it", "no", "python", "wrong", "and", "the", "column"]
    texts = [" ".join(rng.choice(words, rng.integers(0, 6))) for _ in range(200)]
    together = read_pairs(pa.array(texts[:-1]), pa.array(texts[1:]))
    for place in (0, 57, 198):
        alone = pair(texts[place], texts[place + 1])
        assert alone.features[0].tolist() == together.features[place].tolist()
        assert (alone.is_exact[0], alone.is_near[0]) == (together.is_exact[place], together.is_near[place])
