"""Errors without what they quote."""

import pytest

from penstock.text.quoted_values import without_values


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Could not convert string 'Jane Roe' to DOUBLE", "Could not convert string … to DOUBLE"),
        ("Could not convert string 'it's \"Jane\"' to DOUBLE", "Could not convert string … to DOUBLE"),
        ("Could not convert string 'Jane\nRoe' to DOUBLE\nLINE 1: ...", "Could not convert string … to DOUBLE"),
        ('invalid input syntax for type integer: "Jane', "invalid input syntax for type integer: …"),
        ("no such table: tickets", "no such table: tickets"),
    ],
)
def test_the_first_line_is_told_and_nothing_that_stands_in_quotes(message: str, told: str) -> None:
    assert without_values(message) == told
