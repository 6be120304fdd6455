"""IBANs and national ids are found by shape and check digit, bare digits only after a word that names them."""

import pytest

from penstock.text.national_ids import NationalIds
from tests.text.detected import detected

IDS = NationalIds()


@pytest.mark.parametrize(
    "iban",
    [
        "DE89 3704 0044 0532 0130 00",
        "GB82WEST12345698765432",
        "gb82west12345698765432",
        "FR14 2004 1010 0505 0001 3M02 606",
        "NO93 8601 1117 947",
        "CH93-0076-2011-6238-5295-7",
        "MT84MALT011000012345MTLCAST001S",
    ],
)
def test_ibans_are_found_whole_however_they_are_written(iban: str) -> None:
    for text in (iban, f"IBAN: {iban}", f"pay to {iban} and then tell me", f'{{"iban":"{iban}"}}'):
        assert detected(IDS, text) == [(iban, "iban")]


@pytest.mark.parametrize(
    "text", ["GB82WEST12345698765433", "XX82WEST12345698765432", "GB82 WEST 1234", "GB82WEST123456987654321"]
)
def test_what_fails_the_check_or_has_another_length_is_no_iban(text: str) -> None:
    assert detected(IDS, text) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("536-22-8712", "536-22-8712"),
        ("536 22 8712", "536 22 8712"),
        ("SSN 536228712", "536228712"),
        ("ssn: 536.22.8712", "536.22.8712"),
        ("my social security number is 536228712.", "536228712"),
        ('"ssn": "536228712"', "536228712"),
    ],
)
def test_social_security_numbers_are_found_bare_ones_only_by_name(text: str, number: str) -> None:
    assert detected(IDS, text) == [(number, "ssn")]
    assert detected(IDS, f"so {text}") == [(number, "ssn")]


@pytest.mark.parametrize(
    "text", ["000-22-8712", "666-22-8712", "536-00-8712", "536-22-0000", "536228712", "1-536-22-8712", "536-22-8712-1"]
)
def test_what_cannot_be_a_social_security_number_is_left_alone(text: str) -> None:
    assert detected(IDS, text) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12345678Z", "12345678Z"),
        ("X1234567L", "X1234567L"),
        ("RSSMRA85T10A562S", "RSSMRA85T10A562S"),
        ("S1234567D", "S1234567D"),
        ("131052-308T", "131052-308T"),
        ("111.444.777-35", "111.444.777-35"),
        ("12.531.909-2", "12.531.909-2"),
        ("AB 12 34 56 C", "AB 12 34 56 C"),
        ("11010519491231002X", "11010519491231002X"),
        ("811228-9874", "811228-9874"),
        ("2 55 08 14 168 025 38", "2 55 08 14 168 025 38"),
        ("85.07.30-033.28", "85.07.30-033.28"),
        ("2341 2341 2346", "2341 2341 2346"),
        ("912-70-1234", "912-70-1234"),
        ("PESEL 44051401359", "44051401359"),
        ("NHS number 943 476 5919", "943 476 5919"),
        ("BSN: 111222333", "111222333"),
        ("passport number X1234567", "X1234567"),
        ("driver's license 2270-66-1551", "2270-66-1551"),
        ("SIN 046 454 286", "046 454 286"),
        ("Tax ID 36574261809", "36574261809"),
    ],
)
def test_ids_of_many_countries_are_found(text: str, number: str) -> None:
    assert detected(IDS, f"so {text}, then") == [(number, "national_id")]


@pytest.mark.parametrize(
    "text",
    [
        "12345678A",
        "44051401359",
        "943 476 5919",
        "PESEL 44051401358",
        "BSN 111222334",
        "order 811228-9875",
        "2341 2341 2347",
        "4111 2341 2341 2346",
        "550e8400-e29b-41d4-a716-446655440000",
        "tax number of items 12",
        "passport to the world",
        "2026-11-24",
    ],
)
def test_wrong_check_digits_bare_digits_and_parts_of_longer_runs_are_left_alone(text: str) -> None:
    assert detected(IDS, text) == []
