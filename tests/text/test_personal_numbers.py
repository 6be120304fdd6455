"""Runs of digits are told apart: cards, phone numbers, addresses and social security numbers from dates and lists."""

import pytest

from penstock.text.personal_numbers import end_of_counter, find_personal_numbers


def kinds(run: str, *, joined_after: bool = False) -> list[tuple[str, str]]:
    found = find_personal_numbers(run.encode(), joined_after=joined_after)
    return [(run.encode()[item.start : item.end].decode(), item.kind) for item in found]


@pytest.mark.parametrize(
    "run",
    ["905-674-3793", "60-56-85-91", "07700 063 966", "(37) 788-063",
     "0490 75 40 81", "699 956 915", "467 3395",
     "+1-984-182-0190", "+46 (0)8 928 571 38", "416 60 039", "9498777106", "03.93.92.16.85", "21 284 698 2548",
     "345-899-3560x4587", "0393 1144137",
     "259.735.7502x459", "001-518-640-0854", "(579)888-3058", "+447700 921 916", "14155550134", "1 415 555 0134"],
)  # fmt: skip
def test_phone_numbers_of_many_countries_are_found_whole(run: str) -> None:
    assert kinds(run) == [(run, "phone")]


@pytest.mark.parametrize(
    "number",
    ["4111111111111111", "4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "3782 822463 10005", "6304000000000000",
     "30569309025904", "2223003122003222", "4131034282458809939"],
)  # fmt: skip
def test_card_numbers_of_every_issuer_are_found(number: str) -> None:
    assert kinds(number) == [(number, "card")]


@pytest.mark.parametrize(
    "run",
    ["4111111111111112", "0000000000000000", "9111111111111111", "2026-11-23 14", "23.11.2026", "11/23/2026 10",
     "3.14159265358979", "0.4155550134 0.8123456789", "100 200 300 400 500", "1 2 3 4 5 6 7 8 9",
     "0 0 0 0 0 0 0 0 0 0", "00 00 00 00 00",
     "1795416471", "1795416471752092938", "2019-2020", "12345678", "1 234 567", "123.456.789.999"],
)  # fmt: skip
def test_dates_decimals_lists_and_ids_are_no_personal_numbers(run: str) -> None:
    assert kinds(run) == []


def test_several_numbers_in_one_run_are_each_found() -> None:
    assert kinds("4111 1111 1111 1111 4222222222222") == [("4111 1111 1111 1111", "card"), ("4222222222222", "card")]
    assert kinds("2026-11-23 415-555-0134") == [("415-555-0134", "phone")]
    assert kinds("10 192.168.1.1 5") == [("192.168.1.1", "ip")]
    assert kinds("536-22-8712") == [("536-22-8712", "ssn")]


def test_an_address_that_goes_on_is_a_version_and_no_address() -> None:
    assert kinds("10.20.30.40.50") == []
    assert kinds("256.100.100.100") == []


def test_digits_that_a_letter_follows_are_part_of_a_word() -> None:
    assert kinds("4155550134", joined_after=True) == []
    assert kinds("4155550134 12", joined_after=True) == [("4155550134", "phone")]


@pytest.mark.parametrize("run", [b"1764000000000000000", b"-12-1764000000000000000", b"9999999999999999999999"])
def test_a_count_of_nanoseconds_is_nothing_to_look_at(run: bytes) -> None:
    assert end_of_counter(b"resp" + run + b"\x1e4155550134", 4, 13) == 4 + len(run)


@pytest.mark.parametrize(
    "run",
    [b"4155550134", b"4155550134 1764000000000000000", b"4111111111111111116", b"110101199003074477", b"a@1764000000000000000"],
)
def test_whatever_may_be_more_is_looked_at(run: bytes) -> None:
    assert end_of_counter(run, 0, 8) is None
