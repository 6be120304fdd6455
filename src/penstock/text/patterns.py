"""What all detectors share: how a pattern is compiled, where a word begins, and the ways of hiding a character.

Patterns are read over raw JSON as well as over text, so the left edge of a word also allows a JSON escape (`\\n4111...`).
They are RE2's, which takes linear time whatever a text holds.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import re2

Pattern = Any  # re2 has no types: search(data, position) gives a match with span, lastgroup and lastindex

SEPARATOR = b"\x1e"  # between strings that are scanned together; no built-in pattern may match across it

LEFT = rb"(?:^|[^A-Za-z0-9]|\\[bfnrt]|\\u[0-9A-Fa-f]{4})"

# Ways of writing a character so that no pattern sees it. A text with one is decoded or unfolded, and read again.
DISGUISE = rb"|".join(
    (
        rb"\\u00[2-7][0-9A-Fa-f]",  # an ASCII character
        rb"\\u[fF][fF](?:1[0-9]|20)",  # a full-width digit or "@"
        rb"[0-9)]\\u(?:00[aA]0|20[01][0-9A-Fa-f]|202[fF])",  # a space or dash within a number
        rb"@[A-Za-z0-9.-]*\\u[0-9A-Fa-f]{4}",  # a letter of a domain
        rb"[0-9A-Za-z):]\\+/",  # some encoders write every slash so
        rb"%40|&#(?:0*64|[xX]0*40);",
        rb"\xef\xbc(?:[\x90-\x99]|\xa0)",
    )
)


class Found(NamedTuple):
    """A part of a text that is personal or secret, in bytes from its start."""

    start: int
    end: int
    kind: str


class Detector(Protocol):
    """Finds some kinds of personal data or secrets in a text."""

    proposal: bytes  # RE2 pattern over bytes that matches in every text, or join of texts, in which something may be found

    def find(self, data: bytes) -> list[Found]:
        """What is there, in UTF-8 text, in order and without overlaps."""
        ...


def compile_pattern(pattern: bytes, *, with_groups: bool = True) -> Pattern:
    """The pattern over bytes; without groups a match knows only its ends, and is found many times faster."""
    options = _options()
    options.never_capture = not with_groups
    return re2.compile(pattern, options)


def compile_set(patterns: Sequence[bytes]) -> Any:
    """A set whose `Match(data)` gives the indexes of the patterns that match somewhere in the data, or None."""
    patterns_set = re2.Set.SearchSet(_options())
    for pattern in patterns:
        patterns_set.Add(pattern)
    patterns_set.Compile()
    return patterns_set


def each_first_group(search: Any, data: bytes) -> Iterator[tuple[int, int]]:
    """Where the first group of each match lies; the next is sought from its end, so that what follows it may begin another."""
    position = 0
    while (match := search(data, position)) is not None:
        start, position = match.span(1)
        yield start, position


def _options() -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = 64 * 1024 * 1024
    options.log_errors = False
    return options
