"""Cards and phone numbers in a text: proposed by their shapes, judged as part of the run of digits that they stand in.

What surrounds a number can refute it (an order's number, a count of tokens), but not one with a country's code, nor a card.
"""

import re

from penstock.text.patterns import Found, compile_pattern
from penstock.text.personal_numbers import find_personal_numbers

# A digit after a decimal point begins no number of its own.
_LEFT = rb"(?:^|[^A-Za-z0-9.]|[^0-9]\.|^\.|\\[bfnrt]|\\u[0-9A-Fa-f]{4})"
_GAP = rb"(?:[ .()/-]|\xc2\xa0|\xe2\x80[\x90-\x95\xaf])"
_G = _GAP + rb"{1,3}"
_RUN = rb"\+?\(?[0-9](?:" + _GAP + rb"{0,3}[0-9])*"
_SHAPES = (
    rb"\+\(?[0-9](?:" + _GAP + rb"{0,3}[0-9]){7}",
    rb"\(?0(?:[ ()/-]|\xc2\xa0|\xe2\x80[\x90-\x95\xaf]){0,3}[0-9](?:" + _GAP + rb"{0,3}[0-9]){7}",
    rb"(?:1?[2-9][0-9]{9}|(?:[3-6]|2[2-7])[0-9]{11,18}|(?:1800|2131)[0-9]{11})(?:[^0-9]|$)",
    rb"\(?[0-9]{3}" + _G + rb"[0-9]{3}" + _G + rb"(?:[0-9]{3,4}|[0-9]{2}" + _G + rb"[0-9]{2})",
    rb"1\.[0-9]{3}\.[0-9]{3}\.[0-9]{4}",
    rb"\(?[0-9]{3}" + _G + rb"(?:[0-9]{7}|[0-9]{4}|[0-9]{2}" + _G + rb"[0-9]{3})",
    rb"[0-9]{4}" + _G + rb"(?:[0-9]{4}|[0-9]{6}" + _G + rb"[0-9]{4,5})",
    rb"[0-9]{6}" + _G + rb"[0-9]{4}",
    rb"8" + _G + rb"[0-9]{3}" + _G + rb"[0-9]{3}" + _G + rb"[0-9]{2}",
    rb"[6-9][0-9]{4} [0-9]{5}",
    rb"[0-9]{2} [0-9]{3} [0-9]{2} [0-9]{2}",
    rb"\(?[0-9]{2}" + _G + rb"(?:[0-9]{3}" + _G + rb"[0-9]{3}|[0-9]{4,5}" + _G + rb"[0-9]{4}|[0-9]{6})",
    rb"(?:[0-9]{2}" + _G + rb"){3}[0-9]{2}",
)
# After a word for it, a phone number may be written in any way.
_CALLED = (
    rb"(?i:phone|\btel\b|\bmobile|\bcell|\bfax|whatsapp|\banswering|"
    rb"\b(?:call|text|reach|ring|dial) (?:me|us|him|her|them))[^0-9\n\r\x1e+(]{0,20}"
    rb"(?P<called>[+(]?[0-9](?:" + _GAP + rb"{0,2}[0-9]){6,14})(?:[^0-9A-Za-z]|$)"
)
_DATE = re.compile(
    rb"(?:19|20)[0-9]{2}[-./][0-9]{1,2}[-./][0-9]{1,2}|[0-9]{1,2}[-./][0-9]{1,2}[-./](?:19|20)[0-9]{2}"
    rb"|[0-9]+\.[0-9]+(?![0-9.])"
)
_EXTENSION = rb"(?: ?(?:x|ext\.? ?)[0-9]{1,6})?"
_BACKWARDS = re.compile(rb"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt]))\+?\(?[0-9](?:" + _GAP + rb"{0,3}[0-9])*" + _GAP + rb"{0,3}\Z")
_FURTHEST_BACK_BYTES = 64
_LONGEST_RUN_BYTES = 16_384
_LONGEST_NUMBER_BYTES = 64
_NEARBY_BYTES = 40
_UUID = re.compile(rb"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_UUID_BYTES = 36
_MOST_PHONE_DIGITS = 15

_CALLS = rb"(?i)phone|\btel\b|telef|mobile|\bcell|\bfax|whatsapp|\bsms\b|\bcall|\bdial|contact|\btext me|handy|\bportable"
_COUNTS_OR_NAMES = (
    rb"(?i)(?:(?:order|invoice|ticket|case|ref|reference|tracking|sku|part|serial|s/n|account|acct|version|build|commit|revision"
    rb"|isbn|issn|doi|pmid|zip|postcode|postal|plz|tokens?|seq|sequence|batch|transaction|txn|item|product|article|asin|upc|ean|gtin"
    rb"|model|lot|receipt|claim|policy|flight|job|run|request|trace|span|issue|pr|bug|error|code|port|pid|page|row|line|chapter"
    rb"|section|uid|uuid|id|seed|hash|offset|timestamp|epoch|total|count|amount|price|population|size|bytes|number of"
    rb"|sum|balance)"
    rb"[ _-]?(?:ids?|no|nr|num|numbers?|code|count)?|#|=)[\"'\\]{0,3}[ .:#=]{0,3}(?:is |was |of )?[\"'\\#]{0,3}\z"
)
_MONEY_BEFORE = rb"(?:[$]|\xe2\x82\xac|\xc2\xa3|\xc2\xa5|\b(?:EUR|USD|GBP|CHF|SEK|NOK|DKK|JPY|INR))[ ]?\z"
_UNIT_AFTER = (
    rb"(?i)[ -]?(?:%|\xe2\x82\xac|[$]|(?:tokens?|bytes|[kmgt]i?b|m?s|sec|seconds|items|rows|users|requests|records"
    rb"|param(?:eter)?s"
    rb"|(?:[a-z\x80-\xff]+ ){1,3}(?:street|avenue|road|drive|lane|boulevard|st|ave|rd)"
    rb"|eur|usd|gbp|chf|kr|km|people|inhabitants|dollars|euros|times|views|steps|lines|files)\b)"
)


class DigitRuns:
    """Finds payment cards and phone numbers."""

    proposal = _LEFT + rb"(?P<number>" + rb"|".join(_SHAPES) + rb")|" + _CALLED

    def __init__(self) -> None:
        self._search = compile_pattern(self.proposal).search
        self._match_run = re.compile(_RUN + _EXTENSION).match
        self._calls = compile_pattern(_CALLS, with_groups=False).search
        self._counts_or_names = compile_pattern(_COUNTS_OR_NAMES + rb"|" + _MONEY_BEFORE, with_groups=False).search
        self._unit_after = compile_pattern(_UNIT_AFTER, with_groups=False).match

    def find(self, data: bytes) -> list[Found]:
        """Every card and phone number."""
        found: list[Found] = []
        position = 0
        while position <= len(data) and (match := self._search(data, position)) is not None:
            is_called = match.lastgroup == b"called"
            start = match.start(2) if is_called else self._begin(data, match.start(1), position)
            run = self._match_run(data, start, start + _LONGEST_RUN_BYTES)
            end = max(run.end() if run is not None else start, position + 1)
            is_cut = end - start == _LONGEST_RUN_BYTES
            numbers = find_personal_numbers(data[start:end], joined_after=is_cut or data[end : end + 1].isalnum())
            here = [Found(start + number.start, start + number.end, number.kind) for number in numbers if number.kind != "ip"]
            if is_cut:
                end -= _LONGEST_NUMBER_BYTES
                here = [number for number in here if number.start < end]
                end = max([end, *(number.end for number in here)])
            found.extend(number for number in here if not (self._is_refuted(number, data) or _is_in_uuid(number, data)))
            if is_called and not numbers and self._may_be_called(data, start, end):
                found.append(Found(start, end, "phone"))
            position = end
        return found

    def _may_be_called(self, data: bytes, start: int, end: int) -> bool:
        """Whether a whole run, written like no phone number that is known, is one because it is called one."""
        digits = sum(chr(byte).isdigit() for byte in data[start:end])
        if not 7 <= digits <= _MOST_PHONE_DIGITS or data[end : end + 1].isalnum() or _DATE.match(data, start, end):
            return False
        return self._counts_or_names(data[max(start - _NEARBY_BYTES, 0) : start]) is None and not self._counts(data, end)

    def _begin(self, data: bytes, start: int, done: int) -> int:
        """Where the run begins in which this shape stands."""
        first = max(done, start - _FURTHEST_BACK_BYTES)
        before = _BACKWARDS.search(data[first:start])
        return start if before is None else first + before.start()

    def _is_refuted(self, number: Found, data: bytes) -> bool:
        """Whether what looks like a phone number is called something else, or counts something."""
        if number.kind != "phone" or data[number.start : number.start + 1] in (b"+", b"("):
            return False
        before = data[max(number.start - _NEARBY_BYTES, 0) : number.start]
        if self._calls(before) is not None:
            return False
        return self._counts_or_names(before) is not None or self._counts(data, number.end)

    def _counts(self, data: bytes, end: int) -> bool:
        return self._unit_after(data[end : end + _NEARBY_BYTES]) is not None


def _is_in_uuid(number: Found, data: bytes) -> bool:
    first = max(number.start - _UUID_BYTES, 0)
    around = data[first : number.end + _UUID_BYTES]
    return b"-" in around and any(
        first + match.start() < number.end and number.start < first + match.end() for match in _UUID.finditer(around)
    )
