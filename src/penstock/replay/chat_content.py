"""What went into a model and what came out, as an export holds it: text, JSON in text or a data frame's Python literals.

Whose shape it is, `formats.foreign_messages` knows, as for spans: a call reads alike whether it was sent or exported.
"""

from typing import Any

from msgspec import Struct, field

from penstock.formats.aliases import usage_columns
from penstock.formats.foreign_messages import response_facts, to_messages
from penstock.formats.messages import Messages
from penstock.replay.export_values import is_missing, structure


class Answer(Struct, frozen=True, kw_only=True):
    """What an output says besides its messages."""

    messages: Messages | None = None
    facts: dict[str, Any] = field(default_factory=dict)  # by the names of INTERACTION_FIELDS


def read_messages(value: Any, role: str) -> Messages | None:
    """The messages of an input (role user) or an output (role assistant); None where there are none."""
    value = structure(value)
    return None if is_missing(value) else to_messages(value, role) or None


def read_answer(value: Any) -> Answer:
    """The messages of an output, and the finish reason, ids, model and tokens that stand in it."""
    return Answer(messages=read_messages(value, "assistant"), facts=response_facts(structure(value)))


def read_usage(usage: Any) -> dict[str, int]:
    """Token counts under anybody's names; cached tokens are part of the input."""
    return usage_columns(structure(usage))
