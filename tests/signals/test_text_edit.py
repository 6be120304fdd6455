"""Comparing texts."""

import random

import numpy
import pytest

from penstock.signals import text_edit
from penstock.signals.text_edit import classify_shares, formatting_changes, kept_shares, measure_edits, plain


def words(text: str) -> int:
    return int(measure_edits([text], [text]).of_words[0])


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("don't stop, e-mail me at 3.5!", 8), ("foo(bar) == x_y", 6), ("猫は眠る", 4), ("แมว", 3), ("naïve café", 2), ("", 0),
        ("हिन्दी भाषा", 2), ("... )", 2), ("he 's", 2), ("😀😀 x", 2),
    ],
)  # fmt: skip
def test_words_are_split_from_punctuation_and_scripts_without_spaces_by_sign(text: str, count: int) -> None:
    assert words(text) == count


def test_nothing_against_nothing_is_no_edit_and_something_against_nothing_is_all() -> None:
    edits = measure_edits(["", "a b", ""], ["", "", "a b"])
    assert edits.share.tolist() == [0.0, 1.0, 1.0]
    assert edits.survival.tolist() == [0.0, 0.0, 0.0]
    assert edits.rate.tolist() == [0.0, 2.0, 1.0]
    assert edits.character_share.tolist() == [0.0, 1.0, 1.0]


def test_characters_are_compared_as_levenshtein_does() -> None:
    assert measure_edits(["kitten"], ["sitting"]).character_share[0] == pytest.approx(3 / 7)


def test_no_texts_are_no_edits() -> None:
    assert measure_edits([], []).share.tolist() == kept_shares([], []).tolist() == []


def test_what_is_kept_are_words_in_order_or_what_stands_around_the_change() -> None:
    pairs = [
        ("a b c d", "a x c d"),
        ("abcdef", "abc"),
        ("abcdef", "xef"),
        ("a b", "b a"),
        ("aaaa", "aa"),
        ("", "x"),
        ("a  b", "a b"),
    ]
    assert kept_shares(*zip(*pairs, strict=True)).tolist() == pytest.approx([6 / 7, 0.5, 2 / 6, 0.5, 0.5, 0.0, 1.0])


def test_what_formats_is_taken_away_and_what_means_something_is_not() -> None:
    assert plain("  “a”\n\n* b – **c d**\t") == '"a" - b - c d'
    assert plain("e\u0301") == "é"
    code = "x = a**2 * b**2  # __init__\n\n    return *args"
    assert plain(code).split() == code.split()


def test_each_kind_of_formatting_has_its_name() -> None:
    assert formatting_changes("a", "a") is None
    assert formatting_changes("a b", "a  b") == formatting_changes("a b", "a\nb") == "white space"
    assert formatting_changes("e\u0301", "é") == "composition"
    assert formatting_changes("«a»", '"a"') == "quotes"


def test_shares_have_classes() -> None:
    found = classify_shares(numpy.array([0.0, 0.02, 0.1, 0.2, 0.5, 0.6, 1.0]))
    assert found == ["verbatim", "verbatim", "light", "edited", "edited", "rewrite", "discard"]


def test_ascii_is_split_into_the_words_that_any_text_is() -> None:
    chance = random.Random(5)
    signs = [chr(number) for number in range(128)]
    likely = [*"abzAZ09_'.,-/@ ", "'s", "'ll", "n't"]
    texts = ["".join(chance.choice(likely if chance.random() < 0.8 else signs) for _ in range(40)) for _ in range(2_000)]
    assert all(text_edit._ASCII_WORD.findall(text) == text_edit._WORD.findall(text) for text in [*texts, *signs])
