"""Measuring edits."""

import pytest

from penstock.signals.edit import edit_share, edit_share_in_words, kept_share


def test_formatting_alone_is_no_edit() -> None:
    assert edit_share("a  b\n c", "a b c ") == 0.0


def test_nothing_kept_is_a_full_rewrite() -> None:
    assert edit_share("abc", "xyz") == 1.0
    assert kept_share("abc", "xyz") == 0.0


def test_shares_are_of_characters_and_of_words() -> None:
    assert edit_share("kitten", "sitting") == pytest.approx(3 / 7)
    assert edit_share_in_words("the quick fox", "the slow fox") == pytest.approx(1 / 3)


def test_an_empty_offer_has_nothing_to_keep() -> None:
    assert kept_share("", "abc") == 0.0
    assert edit_share("", "") == 0.0
