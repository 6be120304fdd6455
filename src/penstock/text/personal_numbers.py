"""Which digits in a run of digits are a card, a phone number, an address or a social security number.

A run is groups of digits with short gaps between them. Windows of whole groups are judged, longest first; what reads
as a date, a decimal or a plain list of numbers is left alone.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

_GROUP = re.compile(rb"[0-9]+")
_MOST_GROUPS = 8
_MOST_DIGITS = 19
_FEWEST_DIGITS = 7  # of anything but an IP address
_ADDRESS_GROUPS = 4
_ZERO = ord("0")

# Lengths of the groups of local numbers that carry no sign of being one, so that they must stand alone; with their gaps.
_LOCAL_SHAPES = {
    (3, 4): " -",
    (4, 4): " ",
    (3, 3, 3): " -",
    (2, 3, 3): " -",
    (3, 2, 3): " -",
    (2, 6): " ",
    (2, 2, 2, 2): "-",
    (2, 3, 3, 4): " -",
}
_CARD_SHAPES = {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 5), (4, 4, 4)}


class Found(NamedTuple):
    """A part of a run that is personal, in bytes from its start."""

    start: int
    end: int
    kind: str


class _Window(NamedTuple):
    digits: str
    shape: tuple[int, ...]
    gaps: tuple[str, ...]
    is_whole: bool  # the run holds nothing else
    has_plus: bool
    is_dotted_on: bool  # a dot and a digit come before or after it


def find_personal_numbers(run: bytes, *, joined_after: bool) -> list[Found]:
    """The personal numbers in a run; `joined_after` says that a letter or digit follows, so that its last group is no number."""
    groups = [match.span() for match in _GROUP.finditer(run)]
    extension = _extension_of(run, groups)
    if extension or (joined_after and groups):
        groups.pop()
    gaps = [_gap(run[left[1] : right[0]]) for left, right in pairwise(groups)]
    found: list[Found] = []
    first = 0
    while first < len(groups):
        last = _longest(run, groups, gaps, first)
        if last is None:
            first += 1
            continue
        end, kind = last
        start = 0 if kind == "phone" and first == 0 else groups[first][0]
        finish = len(run) if extension and kind == "phone" and end == len(groups) else groups[end - 1][1]
        found.append(Found(start, finish, kind))
        first = end
    return found


def passes_luhn(digits: str) -> bool:
    """Luhn's check sum, which every payment card number satisfies."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _extension_of(run: bytes, groups: Sequence[tuple[int, int]]) -> bool:
    return len(groups) > 1 and b"x" in run[groups[-2][1] : groups[-1][0]].lower()


def _longest(run: bytes, groups: Sequence[tuple[int, int]], gaps: Sequence[str], first: int) -> tuple[int, str] | None:
    """The end of the longest personal number that begins with this group, and its kind."""
    if not _may_begin(run, groups, first):
        return None
    total, lengths = 0, []
    for start, stop in groups[first : first + _MOST_GROUPS]:
        total += stop - start
        if total > _MOST_DIGITS:
            break
        lengths.append(total)
    for count in range(len(lengths), 0, -1):
        if lengths[count - 1] < _FEWEST_DIGITS and count < _ADDRESS_GROUPS:
            return None
        end = first + count
        if _splits_decimal(gaps, first) or _splits_decimal(gaps, end):
            continue
        kind = _judge(_window(run, groups, gaps, first, end))
        if kind:
            return end, kind
    return None


def _may_begin(run: bytes, groups: Sequence[tuple[int, int]], first: int) -> bool:
    """A quick look that spares long lists of numbers the judging: no number within a run begins with a few free digits."""
    start, stop = groups[first]
    if first == 0 or stop - start > 2 or run[start] == _ZERO:
        return True
    if run[start - 1 : start] == b".":
        return False
    following = groups[first + 1] if first + 1 < len(groups) else (0, 0)
    is_north_american = run[start:stop] == b"1" and following[1] - following[0] == 3
    return is_north_american or run[stop : stop + 1] == b"."


def _splits_decimal(gaps: Sequence[str], at: int) -> bool:
    """Whether the limit before this group runs through a decimal number, so that one side is no number of its own."""
    if not 0 < at <= len(gaps) or gaps[at - 1] != ".":
        return False
    return (at < 2 or gaps[at - 2] != ".") and (at == len(gaps) or gaps[at] != ".")


def _window(run: bytes, groups: Sequence[tuple[int, int]], gaps: Sequence[str], first: int, end: int) -> _Window:
    spans = groups[first:end]
    return _Window(
        digits=b"".join([run[start:stop] for start, stop in spans]).decode(),
        shape=tuple([stop - start for start, stop in spans]),
        gaps=tuple(gaps[first : end - 1]),
        is_whole=first == 0 and end == len(groups),
        has_plus=first == 0 and run.startswith(b"+"),
        is_dotted_on="." in (*gaps[max(first - 1, 0) : first], *gaps[end - 1 : end]),
    )


def _gap(raw: bytes) -> str:
    """What kind of gap it is; spaces and dashes of every sort count as the plain ones."""
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
    if _is_date(window) or _is_decimal(window):
        return None
    if _is_social_security_number(window):
        return "ssn"
    if _is_address(window):
        return "ip"
    return "phone" if _is_phone(window) else None


def _is_card(window: _Window) -> bool:
    digits = window.digits
    if not 12 <= len(digits) <= 19 or len(set(digits)) == 1 or len(set(window.gaps)) > 1 or window.has_plus:
        return False
    if len(window.shape) > 1 and (window.shape not in _CARD_SHAPES or window.gaps[0] not in " -."):
        return False
    return _has_issuer(digits) and passes_luhn(digits)


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
    return (
        min(one, other) <= 12 and max(one, other) <= 31 and min(one, other) > 0 and (len(year) == 2 or year[:2] in ("19", "20"))
    )


def _is_decimal(window: _Window) -> bool:
    return len(window.shape) == 2 and window.gaps == (".",)


def _is_social_security_number(window: _Window) -> bool:
    if window.shape != (3, 2, 4) or len(set(window.gaps)) > 1 or window.gaps[0] not in "- ":
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
    if window.has_plus:
        return total == 11 if digits[0] == "1" else 8 <= total <= 16
    if digits.startswith("00") and 10 <= total <= 16:
        return len(shape) > 1 or (total >= 12 and digits[2] != "0")
    if _is_north_american(window):
        return True
    if digits[:1] == "0" and digits[1:2] not in ("0", ""):
        return 9 <= total <= 11 and (len(shape) > 1 or total >= 10)
    gaps = _LOCAL_SHAPES.get(shape)
    return window.is_whole and gaps is not None and all(gap == "(" or gap in gaps for gap in window.gaps)


def _is_north_american(window: _Window) -> bool:
    digits, shape, gaps = window.digits, window.shape, window.gaps
    if shape[0] == 1 and digits[0] == "1":
        digits, shape, gaps = digits[1:], shape[1:], gaps[1:]
    elif len(digits) == 11 and digits[0] == "1" and len(shape) == 1:
        digits, shape = digits[1:], (10,)
    if len(digits) != 10 or shape not in {(10,), (3, 3, 4), (3, 7), (6, 4)}:
        return False
    is_valid = digits[0] in "23456789" and digits[3] in "23456789"
    is_written_as_one = shape == (3, 3, 4) and all(gap in "-.(" for gap in gaps)
    return is_valid or is_written_as_one
