"""A report that is sent again under its key with other content amends the one before; with the same content it is that one."""

from collections.abc import Iterable

import msgspec

from penstock.records.feedback import Feedback, FeedbackStatus

_CONTENT = ("target_kind", "target_id", "target_key", "name", "value", "text", "source", "metadata")


def amend(before: Feedback, after: Feedback) -> Feedback | None:
    """The report with its new content, to be settled anew; None where nothing is new. It may be about something else now.

    The time stays the first one: all revisions of a row lie in one partition, which its time chooses.
    """
    changes = {name: getattr(after, name) for name in _CONTENT if getattr(after, name) != getattr(before, name)}
    if not changes:
        return None
    settled = {"status": FeedbackStatus.RECEIVED, "interaction_id": None, "session_id": None, "reason": None, "attribution": None}
    return msgspec.structs.replace(before, **changes, redactions=after.redactions, known_at=after.known_at, **settled)


def fold_repeats(arrived: Iterable[Feedback]) -> dict[str, Feedback]:
    """Each report once, by id, as its last delivery has it."""
    folded: dict[str, Feedback] = {}
    for row in sorted(arrived, key=lambda row: row.known_at):
        before = folded.get(row.feedback_id)
        folded[row.feedback_id] = row if before is None else amend(before, row) or before
    return folded
