"""IP and hardware addresses, told apart from versions, object ids, fingerprints and times."""

import ipaddress
import re
from typing import Any

from penstock.text.patterns import LEFT, Found, compile_pattern

_MAC = (
    rb"(?P<mac>(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4})"
)
_IPV6 = (
    rb"(?P<ipv6>(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}"
    rb"|(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}|(?:[0-9A-Fa-f]{1,4}:){1,7}:)"
)
_IPV4 = rb"(?P<ipv4>(?:[0-9]{1,3}\.){3}[0-9]{1,3})"
# 1.2.3.4 after one of these, or after `name/`, is a version.
_VERSION = re.compile(rb"(?i)(?:\b(?:version|ver|release|build|firmware|driver|rv|v)\.?[ :=\"]{0,3}|[a-z0-9_]/)$")
_HEXADECIMAL_GROUP = re.compile(rb"[:-][0-9A-Fa-f]{2}(?![0-9A-Za-z])")


class NetworkAddresses:
    """Finds IPv4, IPv6 and MAC addresses."""

    proposal = LEFT + rb"(?:" + rb"|".join((_MAC, _IPV6, _IPV4)) + rb")"

    def __init__(self) -> None:
        self._search = compile_pattern(self.proposal).search

    def find(self, data: bytes) -> list[Found]:
        """Every address."""
        found: list[Found] = []
        position = 0
        while position <= len(data) and (match := self._search(data, position)) is not None:
            start, end = match.span(match.lastindex)
            if _is_address(match, data, start, end):
                found.append(Found(start, end, "mac" if match.lastgroup == b"mac" else "ip"))
                position = end
            else:
                position = start + 1
        return found


def _is_address(match: Any, data: bytes, start: int, end: int) -> bool:
    value, before, after = data[start:end], data[max(start - 16, 0) : start], data[end : end + 3]
    if after[:1].isalnum():
        return False
    if match.lastgroup == b"mac":
        has_letter = any(chr(byte).isalpha() for byte in value)
        goes_on = _HEXADECIMAL_GROUP.match(after) is not None or (before[-1:] in (b":", b"-") and before[-2:-1].isalnum())
        return not goes_on and (has_letter or b":" in value) and len(set(value)) > 2
    # A number that goes on is a version or an object id.
    if (after[:1] == b"." and after[1:2].isdigit()) or (before[-1:] == b"." and before[-2:-1].isdigit()):
        return False
    if b":" not in value and _VERSION.search(before) is not None:
        return False
    return _is_valid(value)


def _is_valid(value: bytes) -> bool:
    """`a::b` is more often code than an address."""
    digits = sum(chr(byte).isalnum() for byte in value)
    if b":" in value and (digits < 4 or not any(chr(byte).isdigit() for byte in value)):
        return False
    try:
        ipaddress.ip_address(value.decode())
    except ValueError:
        return False
    return True
