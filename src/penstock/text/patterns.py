"""What personal data and secrets look like: one linear-time pattern for all kinds.

The pattern is read over raw JSON as well as over text, so its left edge also allows a JSON escape (`\\n4111...`).
It proposes; runs of digits are judged afterwards (personal_numbers.py), because no regular expression knows Luhn's rule.
"""

import re
from functools import lru_cache
from typing import Any

import re2

Pattern = Any  # re2 has no types: search(data, position) gives a match with span, lastgroup and lastindex

SEPARATOR = b"\x1e"  # between strings that are scanned together; no alternative may match across it

_LEFT = rb"(?:^|[^A-Za-z0-9]|\\[bfnrt]|\\u[0-9A-Fa-f]{4})"

_EMAIL = (
    rb"(?P<email>[A-Za-z0-9\x80-\xff][A-Za-z0-9\x80-\xff._%+'-]*@"
    rb"[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9.\x80-\xff-]*[A-Za-z0-9\x80-\xff])?\.(?:[A-Za-z\x80-\xff]{2,24}|xn--[A-Za-z0-9-]{2,}))"
)

_SECRET_SHAPES = (
    rb"sk-[A-Za-z0-9_-]{16,}",
    rb"(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}",
    rb"pk_[A-Za-z0-9_-]{20,}",
    rb"(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{16}",
    rb"gh[pousr]_[A-Za-z0-9]{20,}",
    rb"github_pat_[A-Za-z0-9_]{22,}",
    rb"glpat-[A-Za-z0-9_-]{16,}",
    rb"xox[abeprs]-[A-Za-z0-9-]{10,}",
    rb"AIza[A-Za-z0-9_-]{30,}",
    rb"ya29\.[A-Za-z0-9_-]{20,}",
    rb"hf_[A-Za-z0-9]{20,}",
    rb"npm_[A-Za-z0-9]{30,}",
    rb"pypi-[A-Za-z0-9_-]{30,}",
    rb"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    rb"dop_v1_[a-f0-9]{40,}",
    rb"dapi[a-f0-9]{32}",
    rb"SK[0-9a-f]{32}",
    rb"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)?",
    # A key without its end is masked to the end of the text.
    rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?:[^\x1e-]|-{1,4}[^\x1e-])*(?:-----END [A-Z0-9 ]*-----)?",
)
_SECRET = rb"(?P<secret>" + rb"|".join(_SECRET_SHAPES) + rb")"

_CREDENTIAL_NAMES = (
    rb"(?i:authorization|api[_-]?key|apikey|access[_-]?key|secret[_-]?key|account[_-]?key|access[_-]?token|auth[_-]?token"
    rb"|refresh[_-]?token|client[_-]?secret|private[_-]?key|password|passwd|secret)"
)
_CREDENTIAL_NAME = re.compile(_CREDENTIAL_NAMES.decode())
_ASSIGNED = (
    _CREDENTIAL_NAMES
    + rb"\\*[\"']?[ \t]*[:=\x1e][ \t]*\[?\\*[\"']?(?:(?i:bearer|basic|token) +)?(?P<assigned>[A-Za-z0-9+/_.~=-]{12,})"
)
_BEARER = rb"(?i:bearer|basic) +(?P<bearer>[A-Za-z0-9+/_.~-]{16,}=*)"
_IN_ADDRESS = rb"://[A-Za-z0-9._~%-]*:(?P<login>[^\s/@:\"'\\\[\]\x1e]{3,})@"

_GAP = rb"(?:[ .()/-]|\xc2\xa0|\xe2\x80[\x90-\x95\xaf])"
_NUMBER = rb"(?P<number>\+?\(?[0-9](?:" + _GAP + rb"{0,3}[0-9]){6,}(?: ?(?:x|ext\.? ?)[0-9]{1,6})?)"
_IPV4 = rb"(?P<ipv4>(?:[0-9]{1,3}\.){3}[0-9]{1,3})"
_IPV6 = (
    rb"(?P<ipv6>(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}"
    rb"|(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}|(?:[0-9A-Fa-f]{1,4}:){1,7}:)"
)

# Ways of writing a character so that no pattern sees it. A text with one is decoded or unfolded, and read again.
_DISGUISES = (
    rb"\\u00[2-7][0-9A-Fa-f]",  # an ASCII character
    rb"\\u[fF][fF](?:1[0-9]|20)",  # a full-width digit or "@"
    rb"[0-9)]\\u(?:00[aA]0|20[01][0-9A-Fa-f]|202[fF])",  # a space or dash within a number
    rb"@[A-Za-z0-9.-]*\\u[0-9A-Fa-f]{4}",  # a letter of a domain
    rb"[0-9A-Za-z):]\\+/",  # some encoders write every slash so
    rb"%40|&#(?:0*64|[xX]0*40);",
    rb"\xef\xbc(?:[\x90-\x99]|\xa0)",
)
_DISGUISE = rb"(?P<disguise>" + rb"|".join(_DISGUISES) + rb")"

_KEYS = rb"|".join((_IN_ADDRESS, _LEFT + rb"(?:" + rb"|".join((_SECRET, _ASSIGNED, _BEARER)) + rb")"))
_NUMBERS = _LEFT + rb"(?:" + rb"|".join((_IPV6, _NUMBER, _IPV4)) + rb")"

ANYTHING = rb"|".join((_DISGUISE, _EMAIL, _KEYS, _NUMBERS))
# The same, one after the other, for a text that holds something: a secret may contain an "@", an address only digits.
IN_ORDER = (_KEYS, _EMAIL, _NUMBERS)


@lru_cache(maxsize=4096)
def is_credential_name(name: str) -> bool:
    """Whether what is stored under this name is likely a secret."""
    return _CREDENTIAL_NAME.search(name) is not None


def compile_pattern(pattern: bytes) -> Pattern:
    """The pattern over UTF-8 bytes; its named groups are the kinds."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = 64 * 1024 * 1024
    options.log_errors = False
    return re2.compile(pattern, options)
