"""Characters written so that no pattern sees them: JSON and HTML escapes, percent signs, full-width forms.

Only what can hide an "@", a letter or a digit is unfolded. A text gives way to its unfolded form only where that held
something.
"""

import re

_SIGNS = (b"\\u00", b"%40", b"&#", b"\xef\xbc")  # no disguise is without one
_ESCAPED = re.compile(rb"\\+u00([2-7][0-9A-Fa-f])")
_AT_SIGN = re.compile(rb"%40|&#(?:0*64|[xX]0*40);|\xef\xbc\xa0")
_WIDE_DIGIT = re.compile(rb"\xef\xbc([\x90-\x99])")


def unfold(text: bytes) -> bytes:
    """The UTF-8 text with disguised ASCII characters written plainly."""
    if not any(sign in text for sign in _SIGNS):
        return text
    text = _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), text)
    text = _AT_SIGN.sub(b"@", text)
    return _WIDE_DIGIT.sub(lambda match: bytes([match[1][0] - 0x60]), text)
