"""Which digits in a run of digits are a card, a phone number, an address or a social security number.

A run is groups of digits with short gaps between them. Windows of whole groups are judged, longest first, and only those
whose group lengths fit something, so that a long list of numbers costs little. Dates, decimals and lists are left alone.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from penstock.text.check_digits import passes_luhn
from penstock.text.patterns import Found

_GROUP = re.compile(rb"[0-9]+")
_MOST_GROUPS = 8
_ZERO = ord("0")

_CARD_SHAPES = frozenset(
    {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 5), (4, 4, 4), *((n,) for n in range(12, 20))}
)
_SOCIAL_SECURITY_SHAPE = (3, 2, 4)
_NORTH_AMERICAN_SHAPES = frozenset({(10,), (3, 3, 4), (3, 7), (6, 4)})
# Local numbers that carry no sign of being one, so that they must stand alone; with the gaps that they may have.
_LOCAL_SHAPES = {
    (3, 4): " -",
    (4, 4): " ",
    (3, 3, 3): " -",
    (2, 3, 3): " -",
    (3, 2, 3): " -",
    (2, 6): " ",
    (2, 2, 2, 2): "-",
    (2, 3, 3, 4): " -",
    (2, 4, 4): "-",
    (2, 3, 2, 2): " ",
    (3, 4, 4): " -",
    (2, 5, 4): " -",
    (3, 3, 2, 2): " -",
    (1, 3, 3, 2, 2): " -",
    (5, 5): " ",
}
# What may stand anywhere in a run; a longer first group is a country's 1, with or without a gap after it.
_INNER_SHAPES = (
    _CARD_SHAPES | _NORTH_AMERICAN_SHAPES | {_SOCIAL_SECURITY_SHAPE, (11,), (1, 10), (1, 3, 3, 4), (1, 3, 7), (1, 6, 4)}
)
_BEGINNINGS = frozenset(shape[:2] for shape in _INNER_SHAPES) | frozenset(shape for shape in _INNER_SHAPES if len(shape) == 1)
_FIRST_DIGITS = {(5, 5): "6789", (3, 4, 4): "1", (1, 3, 3, 2, 2): "8"}  # of India, China and Russia
_EVERYBODYS_EXAMPLE = "012345678901234567890 98765432109876543210"
_GAPS = {b" ": " ", b"-": "-", b".": ".", b"/": "/"}


class _Window(NamedTuple):
    digits: str
    shape: tuple[int, ...]
    gaps: tuple[str, ...]
    is_whole: bool  # the run holds nothing else
    has_plus: bool
    is_dotted_on: bool  # a dot and a digit come before or after it


_LONGEST = 19
_COUNTER = re.compile(rb"[^0-9A-Za-z]?(?:[0-9]{1,5}[-.])?([0-9]{%d,})(?![0-9A-Za-z])" % _LONGEST)


class _Run(NamedTuple):
    text: bytes
    groups: Sequence[tuple[int, int]]
    lengths: Sequence[int]
    gaps: Sequence[str]


def end_of_counter(data: bytes, start: int, end: int) -> int | None:
    """Where a number ends that a scan has begun to find, if it is so long that it can only count nanoseconds or be an id.

    No phone or national number has a group of 19 digits, and a card of that length fits an issuer.
    """
    counter = _COUNTER.match(data, start)
    if counter is None or counter.end() < end:
        return None
    digits = counter[1]
    return None if len(digits) == _LONGEST and _has_issuer(digits.decode()) else counter.end()


def find_personal_numbers(run: bytes, *, joined_after: bool) -> list[Found]:
    """The personal numbers in a run; `joined_after` says that a letter or digit follows, so that its last group is no number."""
    groups = [match.span() for match in _GROUP.finditer(run)]
    has_extension = len(groups) > 1 and b"x" in run[groups[-2][1] : groups[-1][0]].lower()
    if has_extension or (joined_after and groups):
        groups.pop()
    gaps = [_gap(run[left[1] : right[0]]) for left, right in pairwise(groups)]
    split = _Run(run, groups, [stop - start for start, stop in groups], gaps)
    found: list[Found] = []
    first = 0
    while first < len(groups):
        last = _longest(split, first)
        if last is None:
            first += 1
            continue
        end, kind = last
        start = 0 if kind == "phone" and first == 0 else groups[first][0]
        finish = len(run) if has_extension and kind == "phone" and end == len(groups) else groups[end - 1][1]
        found.append(Found(start, finish, kind))
        first = end
    return found


def _longest(run: _Run, first: int) -> tuple[int, str] | None:
    """The end of the longest personal number that begins with this group, and its kind."""
    lengths = tuple(run.lengths[first : first + _MOST_GROUPS])
    is_whole_run = first == 0 and len(lengths) == len(run.groups)
    # A first group with a sign of its own may be followed by groups of any length.
    is_free = (first == 0 and run.text.startswith(b"+")) or (
        lengths[0] > 1 and run.text[run.groups[first][0]] == _ZERO and run.gaps[first - 1 : first] != ["-"]
    )
    may_begin = lengths[:2] in _BEGINNINGS or lengths[:1] in _BEGINNINGS
    if not (first == 0 or is_free or may_begin or run.gaps[first : first + 1] == ["."]):
        return None
    for count in range(len(lengths), 0, -1):
        shape = lengths[:count]
        is_local = is_whole_run and count == len(lengths) and shape in _LOCAL_SHAPES
        is_dotted = count == 4 and run.gaps[first] == "." and max(shape) <= 3
        if not (is_free or is_local or is_dotted or shape in _INNER_SHAPES):
            continue
        if _splits_decimal(run.gaps, first) or _splits_decimal(run.gaps, first + count):
            continue
        kind = _judge(_window(run, first, first + count))
        if kind:
            return first + count, kind
    return None


def _splits_decimal(gaps: Sequence[str], at: int) -> bool:
    """Whether the limit before this group runs through a decimal number, so that one side is no number of its own."""
    if not 0 < at <= len(gaps) or gaps[at - 1] != ".":
        return False
    return (at < 2 or gaps[at - 2] != ".") and (at == len(gaps) or gaps[at] != ".")


def _window(run: _Run, first: int, end: int) -> _Window:
    return _Window(
        digits=b"".join([run.text[start:stop] for start, stop in run.groups[first:end]]).decode(),
        shape=tuple(run.lengths[first:end]),
        gaps=tuple(run.gaps[first : end - 1]),
        is_whole=first == 0 and end == len(run.groups),
        has_plus=first == 0 and run.text.startswith(b"+"),
        is_dotted_on="." in (*run.gaps[max(first - 1, 0) : first], *run.gaps[end - 1 : end]),
    )


def _gap(raw: bytes) -> str:
    """What kind of gap it is; spaces and dashes of every sort count as the plain ones."""
    known = _GAPS.get(raw)
    if known is not None:
        return known
    text = raw.decode("utf-8", "replace")
    if any(bracket in text for bracket in "()"):
        return "("
    for plain, kinds in ((".", "."), ("/", "/"), ("-", "-‐‑‒–—―")):
        if any(kind in text for kind in kinds):
            return plain
    return " "


def _judge(window: _Window) -> str | None:
    if _is_card(window):
        return "card"
    if _is_date(window) or window.gaps == (".",):  # two groups and a dot are a decimal
        return None
    if _is_social_security_number(window):
        return "ssn"
    if _is_address(window):
        return "ip"
    return "phone" if _is_phone(window) else None


def _is_card(window: _Window) -> bool:
    digits = window.digits
    if window.shape not in _CARD_SHAPES or len(set(window.gaps)) > 1 or window.has_plus or len(set(digits)) == 1:
        return False
    return (not window.gaps or window.gaps[0] in " -.") and _has_issuer(digits) and passes_luhn(digits)


def _has_issuer(digits: str) -> bool:
    """Whether number and length fit an issuer; without this every tenth long number would pass for a card."""
    length, head = len(digits), int(digits[:4])
    return (
        (digits[0] == "4" and length in (13, 16, 19))
        or (digits[0] == "6" and length >= 12)
        or (digits[0] == "5" and (length == 16 or head // 100 in (50, 56, 57, 58)))
        or (2221 <= head <= 2720 and length == 16)
        or (head // 100 in (34, 37) and length == 15)
        or (head // 100 == 35 and length == 16)
        or ((3000 <= head <= 3059 or head // 100 in (36, 38, 39)) and length in (14, 16))
        or (head in (1800, 2131) and length == 15)
        or digits.startswith("0604")
    )


def _is_date(window: _Window) -> bool:
    """Whether it starts as a date does: 2026-11-23, 23.11.2026, 11/23/26."""
    if len(window.shape) < 3 or window.has_plus or window.gaps[0] != window.gaps[1] or window.gaps[0] not in "-./":
        return False
    digits, shape = window.digits, window.shape
    if shape[:3] == (4, 2, 2):
        return digits[:2] in ("19", "20") and int(digits[4:6]) <= 12 and int(digits[6:8]) <= 31
    if shape[0] > 2 or shape[1] > 2 or shape[2] not in (2, 4):
        return False
    one, other = int(digits[: shape[0]]), int(digits[shape[0] : shape[0] + shape[1]])
    year = digits[sum(shape[:2]) : sum(shape[:3])]
    is_day = min(one, other) <= 12 and max(one, other) <= 31 and min(one, other) > 0
    return is_day and (year[:2] in ("19", "20") if len(year) == 4 else len(shape) == 3)


def _is_social_security_number(window: _Window) -> bool:
    if window.shape != _SOCIAL_SECURITY_SHAPE or len(set(window.gaps)) > 1 or window.gaps[0] not in "- ":
        return False
    area, group, serial = window.digits[:3], window.digits[3:5], window.digits[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _is_address(window: _Window) -> bool:
    if len(window.shape) != 4 or set(window.gaps) != {"."} or max(window.shape) > 3 or window.is_dotted_on:
        return False
    octets, at = [], 0
    for length in window.shape:
        octets.append(int(window.digits[at : at + length]))
        at += length
    return max(octets) <= 255


def _is_phone(window: _Window) -> bool:
    digits, shape = window.digits, window.shape
    total = len(digits)
    if (len(shape) == 1 and digits in _EVERYBODYS_EXAMPLE) or (window.is_dotted_on and set(window.gaps) == {"."}):
        return False
    if window.has_plus:
        return total == 11 if digits[0] == "1" else 8 <= total <= 16
    if digits.startswith("00"):
        return 10 <= total <= 16 and digits[2] != "0" and (len(shape) > 1 or total >= 12)
    if _is_north_american(window):
        return True
    if digits[0] == "0":
        return 9 <= total <= 12 if len(shape) > 1 else 10 <= total <= 11
    gaps = _LOCAL_SHAPES.get(shape)
    if digits.endswith("000") or digits[0] not in _FIRST_DIGITS.get(shape, digits[0]):  # a count in thousands; several numbers
        return False
    return window.is_whole and gaps is not None and all(gap == "(" or gap in gaps for gap in window.gaps)


def _is_north_american(window: _Window) -> bool:
    digits, shape, gaps = window.digits, window.shape, window.gaps
    if shape[0] == 1 and digits[0] == "1":
        digits, shape, gaps = digits[1:], shape[1:], gaps[1:]
    elif shape == (11,) and digits[0] == "1":
        digits, shape = digits[1:], (10,)
    if len(digits) != 10 or shape not in _NORTH_AMERICAN_SHAPES:
        return False
    is_valid = digits[0] in "23456789" and digits[3] in "23456789"
    is_written_as_one = shape == (3, 3, 4) and all(gap in "-.(" for gap in gaps)
    return is_valid or is_written_as_one
