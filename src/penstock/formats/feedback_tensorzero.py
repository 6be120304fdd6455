"""TensorZero's feedback: POST /feedback, a metric, a `comment` or a `demonstration`, which is the corrected answer.

An inference is looked for among request ids, response ids and, as a UUID, trace ids; an episode is a session.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from penstock.errors import BadInputError
from penstock.formats.foreign_report import (
    EDITED,
    Ecosystem,
    Received,
    Report,
    all_reasons,
    as_object,
    as_text,
    final_text,
    flat,
    read_as,
    run_target,
    say,
)
from penstock.records.feedback import TargetKind

COMMENT = "comment"
DEMONSTRATION = "demonstration"


class TensorZeroFeedback(Struct, frozen=True, kw_only=True):
    """The fields that are read."""

    metric_name: str
    value: Any
    inference_id: str | None = None
    episode_id: str | None = None
    tags: dict[str, str] | None = None
    dryrun: bool | None = None


def translate_feedback(item: Any) -> list[Report]:
    """The report that one piece of feedback is."""
    given = read_as(item, TensorZeroFeedback)
    kind, target_id = _target(given)
    name, value, text, metadata = _content(given)
    return [
        Report(
            target_kind=kind,
            target_id=target_id,
            name=name,
            value=value,
            text=text,
            source="tensorzero",
            metadata={**flat(given.tags), **metadata},
            is_rehearsal=bool(given.dryrun),
        )
    ]


def _target(given: TensorZeroFeedback) -> tuple[TargetKind, str]:
    if bool(given.inference_id) == bool(given.episode_id):
        raise BadInputError("Exactly one of inference_id and episode_id must be provided.")
    return run_target(given.inference_id) if given.inference_id else (TargetKind.SESSION, given.episode_id or "")


def _content(given: TensorZeroFeedback) -> tuple[str, float | None, str | None, dict[str, str]]:
    if given.metric_name == DEMONSTRATION:
        if given.inference_id is None:
            raise BadInputError("A demonstration is given for an inference_id, not for an episode.")
        text = final_text(given.value) or (as_text(given.value) if isinstance(given.value, dict) else None)
        if text is None:
            raise BadInputError("A demonstration is the right output: a string, an array of content blocks, or an object.")
        return EDITED, None, text, {"reported_as": DEMONSTRATION}
    if given.metric_name == COMMENT:
        if not isinstance(given.value, str):
            raise BadInputError("The value of a comment must be a string.")
        return COMMENT, None, given.value, {}
    if not isinstance(given.value, bool | int | float):
        raise BadInputError(f"The value of the metric {given.metric_name[:100]!r} must be a number or a boolean.")
    said = say(given.value)
    return given.metric_name, said.value, None, said.metadata


def _single(content: Any, _path: Mapping[str, str]) -> list[Any]:
    return [as_object(content, "Feedback")]


def answer_feedback(received: Received) -> tuple[int, Any]:
    """200 with the id, as a UUID, or 400."""
    if received.rejected:
        return 400, refuse_feedback(400, all_reasons(received, "feedback"))
    return 200, {"feedback_id": str(uuid.UUID(received.accepted[0][0].removeprefix("f_")))}


def refuse_feedback(_status: int, message: str) -> Any:
    """A refusal as TensorZero writes it."""
    return {"error": message}


TENSORZERO_FEEDBACK = Ecosystem(
    name="tensorzero", items=_single, translate=translate_feedback, answer=answer_feedback, refusal=refuse_feedback
)
