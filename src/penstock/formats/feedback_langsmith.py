"""LangSmith's feedback: POST /api/v1/feedback, one object. The same id again amends it; a correction is the corrected answer.

A run is known by an id that the client made up. It is looked for among request ids, response ids and, as a UUID, trace ids.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from penstock.errors import BadInputError
from penstock.formats.foreign_report import (
    Ecosystem,
    Received,
    Report,
    all_reasons,
    as_json,
    as_object,
    edited_beside,
    flat,
    read_as,
    run_target,
    say,
)
from penstock.formats.report_time import read_time


class FeedbackSource(Struct, frozen=True, kw_only=True):
    """Who says so."""

    type: str | None = None
    metadata: dict[str, Any] | None = None


class FeedbackConfig(Struct, frozen=True, kw_only=True):
    """How the score is to be read."""

    min: float | None = None
    max: float | None = None


class LangSmithFeedback(Struct, frozen=True, kw_only=True):
    """The fields that are read; session_id is a project there and no conversation."""

    key: str
    id: str | None = None
    run_id: str | None = None
    trace_id: str | None = None
    session_id: str | None = None
    score: float | bool | None = None
    value: Any = None
    comment: str | None = None
    correction: dict[str, Any] | str | None = None
    feedback_source: FeedbackSource | None = None
    source_info: dict[str, Any] | None = None
    feedback_config: FeedbackConfig | None = None
    created_at: str | float | None = None
    extra: dict[str, Any] | None = None


def translate_feedback(item: Any) -> list[Report]:
    """The reports that one piece of feedback is."""
    given = read_as(item, LangSmithFeedback)
    run_id = given.run_id or given.trace_id
    if not run_id:
        raise BadInputError("Feedback names its run by run_id or trace_id; feedback on a whole project is not taken.")
    kind, target_id = run_target(run_id)
    said = say(given.value if given.score is None else given.score, given.comment)
    scale = {**said.metadata, **_scale(given)}
    source = given.feedback_source or FeedbackSource()
    extra = {
        "annotator_kind": source.type,
        "project": given.session_id,
        "value": None if given.score is None else given.value,
        "correction": None if given.correction is None else as_json(given.correction),
    }
    report = Report(
        target_kind=kind,
        target_id=target_id,
        name=given.key,
        value=said.value,
        text=said.text,
        occurred_at=read_time(given.created_at) if given.created_at else None,
        idempotency_key=f"langsmith:{given.id}" if given.id else None,
        source="langsmith",
        metadata={**flat(given.extra), **flat(given.source_info), **flat(source.metadata), **flat(extra), **scale},
    )
    return edited_beside(report, given.correction)


def _scale(given: LangSmithFeedback) -> dict[str, str]:
    config = given.feedback_config
    if config is None or config.min is None or config.max is None:
        return {}
    return {"minimum": f"{config.min:g}", "maximum": f"{config.max:g}"}


def _single(content: Any, _path: Mapping[str, str]) -> list[Any]:
    return [as_object(content, "Feedback")]


def answer_feedback(received: Received) -> tuple[int, Any]:
    """200 with the feedback as it was sent, its id filled in; 422 where it was refused."""
    if received.rejected:
        return 422, refuse_feedback(422, all_reasons(received, "feedback"))
    return 200, {"id": received.accepted[0][0], **received.content}


def refuse_feedback(_status: int, message: str) -> Any:
    """A refusal as LangSmith writes it."""
    return {"detail": message}


LANGSMITH_FEEDBACK = Ecosystem(
    name="langsmith", items=_single, translate=translate_feedback, answer=answer_feedback, refusal=refuse_feedback
)
