"""Every signal definition there is, by name; a new one is a file of its own and a line here."""

from collections.abc import Mapping
from pathlib import Path

from penstock.settings import SignalSettings
from penstock.signals.abandonment import ABANDONMENT
from penstock.signals.acceptance import ACCEPTANCE
from penstock.signals.comment import COMMENT
from penstock.signals.completion import COMPLETION
from penstock.signals.copy import COPY
from penstock.signals.definition import Definition, label
from penstock.signals.dwell import DWELL
from penstock.signals.edit import EDIT
from penstock.signals.feedback_due import JUDGED
from penstock.signals.follow_up_depth import FOLLOW_UP_DEPTH
from penstock.signals.natural_feedback import FEEDBACK
from penstock.signals.other_feedback import OTHER_FEEDBACK
from penstock.signals.outcome import OUTCOME
from penstock.signals.predicted_completion import PREDICTED_COMPLETION
from penstock.signals.rating import RATING
from penstock.signals.regenerate import REGENERATE, REGENERATE_REPORT
from penstock.signals.retention import RETENTION
from penstock.signals.retry import RETRY
from penstock.signals.silent import SILENT
from penstock.signals.user_defined import user_definitions

DEFINITIONS: dict[str, Definition] = {
    definition.name: definition
    for definition in (
        RATING,
        COMMENT,
        COPY,
        DWELL,
        ACCEPTANCE,
        SILENT,
        EDIT,
        RETENTION,
        REGENERATE,
        REGENERATE_REPORT,
        RETRY,
        ABANDONMENT,
        FEEDBACK,
        COMPLETION,
        PREDICTED_COMPLETION,
        FOLLOW_UP_DEPTH,
        OUTCOME,
        OTHER_FEEDBACK,
    )
}
# The judge is no definition, and its signals stand beside those of the definitions all the same.
BUILT_IN_NAMES = frozenset({*DEFINITIONS, JUDGED.partition("@")[0]})


def all_definitions(declared: Mapping[str, SignalSettings], home: Path) -> dict[str, Definition]:
    """The built-in definitions and those that penstock.toml declares. Raises ConfigurationError."""
    return {**DEFINITIONS, **user_definitions(declared, BUILT_IN_NAMES, home)}


def in_force(declared: Mapping[str, SignalSettings], home: Path) -> list[str]:
    """The same as signals name them, `name@version`; what others have found counts no longer. Raises ConfigurationError."""
    return [label(definition) for definition in all_definitions(declared, home).values()]
