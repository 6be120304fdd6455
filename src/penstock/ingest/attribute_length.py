"""How long an attribute may be. Cut after redaction, never before: half an address is no address to a detector."""

from collections.abc import Mapping

MOST_ATTRIBUTE_CHARACTERS = 32_768


def cap_attributes(attributes: Mapping[str, str]) -> dict[str, str] | None:
    """The attributes with long values cut and their loss noted; None where none is too long."""
    if all(len(value) <= MOST_ATTRIBUTE_CHARACTERS for value in attributes.values()):
        return None
    return {name: _cap(value) for name, value in attributes.items()}


def _cap(value: str) -> str:
    lost = len(value) - MOST_ATTRIBUTE_CHARACTERS
    return f"{value[:MOST_ATTRIBUTE_CHARACTERS]}[TRUNCATED {lost}]" if lost > 0 else value
