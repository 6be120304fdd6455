"""Kinds of the user's own, each an RE2 pattern over the text; `^` and `$` stand for the ends of a line."""

from collections.abc import Mapping

import re2

from penstock.text.patterns import Found


class CustomPatterns:
    """Finds what the patterns in policy.redact.patterns match."""

    proposal = b""  # not read over raw bytes: a user's pattern may use classes of characters

    def __init__(self, patterns: Mapping[str, str]) -> None:
        options = re2.Options()
        options.log_errors = False
        whole = "|".join(f"(?P<{name}>{pattern})" for name, pattern in patterns.items())
        self._any = re2.compile(f"(?m){whole}".encode(), options)
        self._kinds = {name: re2.compile(f"(?m){pattern}".encode(), options) for name, pattern in patterns.items()}

    def find(self, data: bytes) -> list[Found]:
        """Every match, of the patterns in the order of the file where two overlap."""
        if self._any.search(data) is None:
            return []
        taken: list[Found] = []
        for kind, pattern in self._kinds.items():
            for match in pattern.finditer(data):
                start, end = match.span()
                if end > start and not any(start < other.end and other.start < end for other in taken):
                    taken.append(Found(start, end, kind))
        return sorted(taken)
