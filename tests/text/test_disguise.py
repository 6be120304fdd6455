"""Disguised characters are written plainly again."""

import pytest

from penstock.text.disguise import unfold


@pytest.mark.parametrize(
    "disguised",
    ["jane\\u0040example.com", "jane\\\\u0040example.com", "jane%40example.com", "jane&#64;example.com", "jane&#x40;example.com",
     "jane＠example.com", "\\u006aane@example.com"],
)  # fmt: skip
def test_every_way_of_hiding_an_at_sign_or_a_letter_is_undone(disguised: str) -> None:
    assert unfold(disguised.encode()) == b"jane@example.com"


def test_full_width_digits_become_digits_and_other_full_width_characters_stay() -> None:
    assert unfold("４１５，ok".encode()) == "415，ok".encode()


def test_text_without_disguise_is_unchanged() -> None:
    text = "C:\\users\\new 100% \\u4e2d &amp; é".encode()
    assert unfold(text) == text
