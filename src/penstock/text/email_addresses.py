"""E-mail addresses, found from their "@" outwards: a pattern that starts at the local part would look at every word."""

import re

from penstock.text.patterns import Found

_LOCAL = bytes(range(0x80, 0x100)) + b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+'-"
_NOT_FIRST = b"._%+'-"
_LONGEST_LOCAL_BYTES = 256
_LONGEST_DOMAIN_BYTES = 512
_DOMAIN = re.compile(
    rb"(?=[A-Za-z0-9\x80-\xff])(?:[A-Za-z0-9\x80-\xff_-]+\.)+(?:xn--[A-Za-z0-9-]{2,}|[A-Za-z]{2,24}|[\x80-\xff]{2,48})"
)
_VERSION = re.compile(rb"[0-9]+\.[0-9]+\.|[0-9]x\.")  # react@18.2.0-beta.rc, icon@2x.png


class EmailAddresses:
    """Finds e-mail addresses, international ones included."""

    proposal = rb"[A-Za-z0-9\x80-\xff._%+'-]@[A-Za-z0-9\x80-\xff]"

    def find(self, data: bytes) -> list[Found]:
        """Every address."""
        found: list[Found] = []
        done, at = 0, data.find(b"@")
        while at >= 0:
            before = data[max(done, at - _LONGEST_LOCAL_BYTES) : at]
            local = before[len(before.rstrip(_LOCAL)) :].lstrip(_NOT_FIRST)
            domain = _DOMAIN.match(data, at + 1, at + 1 + _LONGEST_DOMAIN_BYTES) if local else None
            if domain is not None and not _VERSION.match(domain[0]):
                done = domain.end()
                found.append(Found(at - len(local), done, "email"))
            at = data.find(b"@", max(at + 1, done))
        return found
