"""Cards and phone numbers are found in texts of every kind; order numbers, counts, versions and times are left alone."""

import pytest

from penstock.text.digit_runs import DigitRuns
from penstock.text.personal_numbers import _INNER_SHAPES, _LOCAL_SHAPES, find_personal_numbers
from tests.text.detected import detected

RUNS = DigitRuns()


@pytest.mark.parametrize(
    "number",
    [
        "+49 30 901820",
        "+44 (0)20 7946 0958",
        "+33 1 23 45 67 89",
        "+91-98765-43210",
        "+86 138 1234 5678",
        "+1.415.555.0134",
        "(030) 901820",
        "030/901820",
        "020 7946 0958",
        "0171 1234567",
        "06 12 34 56 78",
        "06-12345678",
        "+5511987654321",
        "+7 (495) 123-45-67",
        "8 (800) 555-35-35",
        "1-800-555-0199",
        "415.555.0134",
        "415 555 0134",
        "+353 87 123 4567",
        "+81-3-1234-5678",
        "090-1234-5678",
        "+61 412 345 678",
        "600 123 456",
        "+47 912 34 567",
        "(11) 98765-4321",
        "(415)555-0134",
        "415-555-0134 ext. 22",
        "0800 123 4567",
        "97654 43210",
        "4155550134",
    ],
)
def test_phone_numbers_are_found_whole_in_a_sentence(number: str) -> None:
    for text in (number, f"hello, {number} thanks", f"tel:{number}", f'"{number}"', f"a\\n{number}\\n"):
        assert detected(RUNS, text) == [(number, "phone")]


@pytest.mark.parametrize(
    "card",
    [
        "4111-1111-1111-1111",
        "5500 0000 0000 0004",
        "3400 000000 00009",
        "6011000000000004",
        "4111.1111.1111.1111",
        "30000000000004",
    ],
)
def test_cards_are_found_whole_in_a_sentence(card: str) -> None:
    for text in (card, f"card {card}, ok", f"order 17 paid with {card}"):
        assert detected(RUNS, text) == [(card, "card")]


def test_seven_digits_together_are_a_phone_number_where_they_are_called_one() -> None:
    assert detected(RUNS, "my phone number is 5550134") == [("5550134", "phone")]
    assert detected(RUNS, "call me at 5550134.") == [("5550134", "phone")]
    assert detected(RUNS, "5550134 rows") == []


@pytest.mark.parametrize(
    "text",
    [
        "order 4155550134",
        "Order #415-555-0134 shipped",
        "invoice 2024-0001234",
        "ticket 123 4567",
        "order_id=4155550134",
        '"order_id": "4155550134"',
        "v10.0.19041.1288",
        "550e8400-e29b-41d4-a716-446655440000",
        "2026-11-24T11:48:57.123456Z",
        "1732448937",
        "1795416471752092938",
        "d41d8cd98f00b204e9800998ecf8427e",
        "1,234,567 tokens",
        "12 345 678 tokens",
        "used 4155550134 tokens",
        "ISBN 978-3-16-148410-0",
        "ISBN 0306406152",
        "0.123456789012",
        "10 000 000",
        "EUR 123 456 789",
        "$ 12 345 678",
        "12:34:56",
        "2019-2020",
        "10.1038/s41586-020-2649-2",
        "20261124114857",
        "24.11.2026 14:30",
        "0001234567",
        "0123456789",
        "claude-3-5-sonnet-20241022",
        "[0.1234, 0.5678, -0.9012]",
        "40.712776 -74.005974",
        "resp_0123456789abcdef0123456789abcdef",
        "2 3 5 7 11 13 17 19 23 29 31",
        "101 2023 2003 1037 102",
        "2026-11-24 2026-11-25",
        "x = 1234 5678",
        "3747 3911 fourth avenue",
        "00f067aa0ba902b7",
        "resp-1-1795416471752092938",
    ],
)
def test_numbers_of_other_things_are_left_alone(text: str) -> None:
    assert detected(RUNS, text) == []
    assert detected(RUNS, f"and {text} then") == []


def test_a_run_longer_than_is_looked_at_in_one_piece_is_found_to_its_end() -> None:
    found = detected(RUNS, "4155550134 " * 5000)
    assert len(found) == 5000
    assert set(found) == {("4155550134", "phone")}


@pytest.mark.parametrize("shape", sorted({*_LOCAL_SHAPES, *_INNER_SHAPES}))
@pytest.mark.parametrize("gap", " -.")
@pytest.mark.parametrize("digit", "16789")
def test_no_shape_that_is_judged_a_number_is_left_unproposed(shape: tuple[int, ...], gap: str, digit: str) -> None:
    text = gap.join(digit * length for length in shape)
    judged = [
        (found.start, found.end) for found in find_personal_numbers(text.encode(), joined_after=False) if found.kind != "ip"
    ]
    assert [(found.start, found.end) for found in RUNS.find(text.encode())] == judged
