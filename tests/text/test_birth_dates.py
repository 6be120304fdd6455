"""A date is a date of birth where a word beside it says so."""

import pytest

from penstock.text.birth_dates import BirthDates
from tests.text.detected import detected

DATES = BirthDates()


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("born on March 3, 1985", "March 3, 1985"),
        ("DOB: 03/12/1985", "03/12/1985"),
        ("date of birth 1985-03-12", "1985-03-12"),
        ("geboren am 12.3.1985", "12.3.1985"),
        ("She was born 3rd of May 1970.", "3rd of May 1970"),
        ("Her birthday is 5 June 1990", "5 June 1990"),
        ('"birth_date": "1985-03-12"', "1985-03-12"),
        ("né le 3 août 1962", "3 août 1962"),
    ],
)
def test_dates_beside_a_word_of_birth_are_found(text: str, date: str) -> None:
    assert detected(DATES, text) == [(date, "birth_date")]


@pytest.mark.parametrize(
    "text",
    ["due on 1985-03-12", "he was born in 1985", "born in Rome; the war ended on a later date, 1945-05-08", "reborn 1.2.3"],
)
def test_other_dates_are_left_alone(text: str) -> None:
    assert detected(DATES, text) == []
