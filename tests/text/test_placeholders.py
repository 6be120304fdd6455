"""What stands in place of a value depends on its kind's mode; numbers hold within a session, hashes everywhere."""

import re

import pytest

from penstock.text.placeholders import Placeholders, PlaceholderSpans

MASK = Placeholders(b"k" * 32, {})
HASH = Placeholders(b"k" * 32, {"email": "hash", "ip": "drop"})


def test_a_number_is_the_same_in_any_process_with_the_same_key() -> None:
    first = MASK.replace("email", b"jane@example.com", "s1")
    assert re.fullmatch(rb"\[EMAIL_[0-9]{1,4}\]", first)
    assert Placeholders(b"k" * 32, {}).replace("email", b"JANE@example.com", "s1") == first
    assert Placeholders(b"o" * 32, {}).replace("email", b"jane@example.com", "s1") != first
    assert len({MASK.replace("email", b"jane@example.com", f"s{number}") for number in range(50)}) > 40


def test_the_same_number_written_otherwise_gets_the_same_placeholder() -> None:
    assert MASK.replace("card", b"4111-1111-1111-1111", "s") == MASK.replace("card", b"4111 1111 1111 1111", "s")
    assert MASK.replace("iban", b"GB82 WEST 1234", "s") == MASK.replace("iban", b"gb82west1234", "s")


def test_a_hash_is_the_same_in_every_session_and_looks_like_no_number() -> None:
    hashed = HASH.replace("email", b"jane@example.com", "s1")
    assert hashed == HASH.replace("email", b"Jane@example.com", "s2")
    assert re.fullmatch(rb"\[EMAIL_HASH_[a-p]{24}\]", hashed)
    assert HASH.replace("email", b"joan@example.com", "s1") != hashed


def test_what_is_dropped_leaves_nothing() -> None:
    assert HASH.replace("ip", b"10.0.0.1", "s") == b""


@pytest.mark.parametrize(
    ("start", "end", "overlaps"), [(0, 2, False), (0, 3, True), (4, 6, True), (11, 13, True), (13, 15, False)]
)
def test_what_lies_in_a_placeholder_is_known(start: int, end: int, overlaps: bool) -> None:
    assert PlaceholderSpans(b"ab[EMAIL_123] x").overlap(start, end) is overlaps
    assert not PlaceholderSpans(b"ab[email_123] [X_12345]").overlap(start, end)


def test_only_a_whole_placeholder_is_one() -> None:
    assert MASK.is_one(b"[EMAIL_17]")
    assert MASK.is_one(HASH.replace("email", b"a@b.co", ""))
    assert not MASK.is_one(b"[EMAIL_17] 4155550134")
