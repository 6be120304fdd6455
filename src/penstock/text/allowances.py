"""What may stay: exact values, values that a pattern matches whole, e-mail addresses of certain domains, kinds that are kept."""

import re2

from penstock.policy_settings import RedactSettings


class Allowances:
    """Tells what is found but left alone."""

    def __init__(self, settings: RedactSettings) -> None:
        self._kept = frozenset(kind for kind, mode in settings.modes.items() if mode == "keep")
        self._values = frozenset(value.casefold().encode() for value in settings.allow)
        self._patterns = [re2.compile(pattern) for pattern in settings.allow_patterns]
        self._domains = tuple(domain.casefold().lstrip("@.").encode() for domain in settings.allow_domains)

    def allow(self, kind: str, value: bytes) -> bool:
        """Whether a value of this kind is left as it is."""
        if kind in self._kept:
            return True
        lowered = value.lower() if value.isascii() else value.decode("utf-8", "replace").casefold().encode()
        if lowered in self._values:
            return True
        if kind == "email" and self._domains:
            domain = lowered.rpartition(b"@")[2]
            if any(domain == allowed or domain.endswith(b"." + allowed) for allowed in self._domains):
                return True
        return bool(self._patterns) and any(pattern.fullmatch(value.decode("utf-8", "replace")) for pattern in self._patterns)
