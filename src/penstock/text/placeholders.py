"""What stands in place of what was taken out: a typed, numbered placeholder, a keyed hash, or nothing.

The number is derived, not counted: a keyed hash of session, kind and value, so that every worker gives the same value of a
session the same number with no memory between them. Two values of one kind share a number once in 10,000 pairs.
"""

import hmac
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence

_NUMBERS = 10_000  # four digits are never a phone number
_HASH_LETTERS = 24  # of sixteen letters, for digits could again look like a number
_TO_LETTERS = bytes.maketrans(b"0123456789abcdef", b"abcdefghijklmnop")
_PLACEHOLDER = re.compile(rb"\[[A-Z][A-Z0-9_]*_(?:[0-9]{1,4}|HASH_[a-p]{24})\]")
_NUMBERED = re.compile(r"\[([A-Z][A-Z0-9_]*)_[0-9]{1,4}\]")
_GAPS = bytes(byte for byte in range(256) if not chr(byte).isalnum())
_WRITTEN_WITH_GAPS = frozenset({"phone", "card", "iban", "ssn", "national_id", "mac"})


def without_numbers(text: str) -> str:
    """The text with placeholders by kind alone, since a report may not know the session by which its target's are numbered."""
    return _NUMBERED.sub(r"[\1]", text) if "[" in text else text


class Placeholders:
    """Replaces values by the mode of their kind."""

    def __init__(self, key: bytes, modes: Mapping[str, str]) -> None:
        self._key = key
        self._modes = modes

    def replace(self, kind: str, value: bytes, session: str) -> bytes:
        """What is stored instead of the value."""
        mode = self._modes.get(kind, "mask")
        if mode == "drop":
            return b""
        same = (value.translate(None, _GAPS) if kind in _WRITTEN_WITH_GAPS else value).lower()
        # A masked value is numbered anew in every session; a hashed one is the same wherever it turns up.
        place = session.encode("utf-8", "replace") if mode == "mask" else b"\0hash"
        digest = hmac.digest(self._key, b"\0".join((place, kind.encode(), same)), "sha256")
        if mode == "hash":
            letters = digest.hex()[:_HASH_LETTERS].encode().translate(_TO_LETTERS)
            return b"[" + kind.upper().encode() + b"_HASH_" + letters + b"]"
        return f"[{kind.upper()}_{int.from_bytes(digest[:8], 'big') % _NUMBERS}]".encode()

    def is_one(self, text: bytes) -> bool:
        """Whether the text is a placeholder and nothing else."""
        return _PLACEHOLDER.fullmatch(text) is not None


class PlaceholderSpans:
    """Where placeholders stand already in a text; what a pattern sees in one is no new find."""

    def __init__(self, data: bytes) -> None:
        spans = [match.span() for match in _PLACEHOLDER.finditer(data)] if b"_" in data else []
        self._starts: Sequence[int] = [start for start, _ in spans]
        self._ends: Sequence[int] = [end for _, end in spans]

    def overlap(self, start: int, end: int) -> bool:
        """Whether one lies within these bytes, or these bytes within one."""
        at = bisect_right(self._ends, start)
        return at < len(self._starts) and self._starts[at] < end
