"""Where an attribute's value goes, told by its name alone: what lets many spans be read at once, an attribute at a time.

Says the same as `read_genai` does span by span; names that take more than a look at the value have no place here.
"""

from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from penstock.formats.aliases import ATTRIBUTES, Convert
from penstock.formats.dialects import DIALECT_MARKERS
from penstock.formats.genai import (
    CONTENT,
    KEY_ENDINGS,
    KEY_PREFIX,
    LEGACY_PARAMETER_PREFIX,
    METADATA_PREFIXES,
    PARAMETER_PREFIX,
    PLAIN,
    SERVER_FIRST_TOKEN,
    TAG_PREFIX,
    TOOLS,
)


class Role(StrEnum):
    """What a value becomes."""

    COLUMN = "column"  # converted
    CONTENT = "content"  # messages, of which people read a part
    PARAMETER = "parameter"  # an entry of the JSON object of parameters
    KEYS = "keys"  # an entry of the business keys
    TAGS = "tags"
    ATTRIBUTES = "attributes"  # an entry of what no column holds


class Place(Struct, frozen=True):
    """Where one attribute goes; the name is the column's or the entry's."""

    role: Role
    name: str
    convert: Convert | None = None


@lru_cache(maxsize=4096)
def place_of(attribute: str) -> Place | None:
    """The place of an attribute's value; None where the whole span has to be looked at."""
    if attribute in DIALECT_MARKERS:
        return None
    known = ATTRIBUTES.get(attribute)
    if known is not None:
        return Place(Role.COLUMN, known[0], known[1])
    for prefix, role in ((PARAMETER_PREFIX, Role.PARAMETER), (KEY_PREFIX, Role.KEYS), (TAG_PREFIX, Role.TAGS)):
        if attribute.startswith(prefix):
            return Place(role, attribute[len(prefix) :])
    if attribute in CONTENT:
        return Place(Role.CONTENT, attribute)
    if attribute in PLAIN:
        return Place(Role.ATTRIBUTES, attribute)
    if attribute in (TOOLS, SERVER_FIRST_TOKEN):
        return None
    if attribute.startswith(("penstock.", "resource.", LEGACY_PARAMETER_PREFIX, *METADATA_PREFIXES)):
        return None
    if attribute.endswith(KEY_ENDINGS) and "." not in attribute:
        return None
    return Place(Role.ATTRIBUTES, attribute)
