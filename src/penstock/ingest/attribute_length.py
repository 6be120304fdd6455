"""How long an attribute may be, and how it is cut without leaving half an address, which no detector would know.

Before redaction a text is cut where it is `OVERLAP` longer than may stay, so that a huge one costs no more than a long one; after
redaction the overlap goes too, and with it whatever the first cut went through.
"""

import re
from collections.abc import Mapping

MOST_ATTRIBUTE_CHARACTERS = 32_768
OVERLAP = 8_192  # longer than anything that is looked for, a private key of 8,192 bits included
_CUT = re.compile("\ufdd0([0-9]+)\ufdd0$")  # a character that no text has; one that has it loses its own end


def cut_before_redaction(attributes: dict[str, str]) -> dict[str, str]:
    """The attributes with what is far too long cut, and a mark that says so to the second cut."""
    if all(len(value) <= MOST_ATTRIBUTE_CHARACTERS + OVERLAP for value in attributes.values()):
        return attributes
    return {name: _cut_before(value) for name, value in attributes.items()}


def cut_after_redaction(attributes: Mapping[str, str]) -> dict[str, str] | None:
    """The attributes as they may be stored, their loss noted; None where none is too long."""
    if all(len(value) <= MOST_ATTRIBUTE_CHARACTERS and "\ufdd0" not in value for value in attributes.values()):
        return None
    return {name: _cut_after(value) for name, value in attributes.items()}


def _cut_before(value: str) -> str:
    lost = len(value) - MOST_ATTRIBUTE_CHARACTERS
    return f"{value[: MOST_ATTRIBUTE_CHARACTERS + OVERLAP]}\ufdd0{lost}\ufdd0" if lost > OVERLAP else value


def _cut_after(value: str) -> str:
    mark = _CUT.search(value)
    if mark is not None:
        return f"{value[: mark.start()][:-OVERLAP][:MOST_ATTRIBUTE_CHARACTERS]}[TRUNCATED {mark[1]}]"
    lost = len(value) - MOST_ATTRIBUTE_CHARACTERS
    return f"{value[:MOST_ATTRIBUTE_CHARACTERS]}[TRUNCATED {lost}]" if lost > 0 else value
