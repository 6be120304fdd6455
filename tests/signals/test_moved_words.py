"""Counting edits with moves."""

import random

import pytest
from rapidfuzz.distance import Levenshtein

from penstock.signals.moved_words import MOST_WORDS, fewest_edits, words_touched


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        ("abcdef", "abcdef", 0),
        ("abcdef", "defabc", 1),
        ("abcdef", "abxdef", 1),
        ("abcdefgh", "ghabcdef", 1),
        ("abcdefgh", "ghabXdef", 2),
        ("abcdef", "", 6),
        ("", "abc", 3),
        ("ab", "ba", 1),
    ],
)
def test_a_block_that_moved_is_one_edit(before: str, after: str, count: int) -> None:
    assert words_touched(before, after) == count


def test_moves_never_make_it_dearer_and_never_cheaper_than_the_words_that_differ() -> None:
    chance = random.Random(3)
    for _ in range(300):
        before, after = ("".join(chance.choices("abcdefghij", k=chance.randint(0, 25))) for _ in range(2))
        assert fewest_edits(before, after) <= words_touched(before, after) <= Levenshtein.distance(before, after)


def test_in_long_texts_moves_are_not_looked_for() -> None:
    text = "".join(map(chr, range(100, 100 + MOST_WORDS + 2)))
    moved = text[10:] + text[:10]
    assert words_touched(text, moved) == Levenshtein.distance(text, moved) == 20
