"""Langfuse's scores: POST /api/public/scores, one or an array, and the score events of the older POST /api/public/ingestion.

A score with the id of an earlier one amends it. One of type CORRECTION, or of that name with words, is the corrected answer.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from penstock.errors import BadInputError
from penstock.formats.foreign_report import (
    Ecosystem,
    Received,
    Report,
    all_reasons,
    as_list,
    as_object,
    edited_beside,
    flat,
    read_as,
    say,
    span_target,
    trace_target,
)
from penstock.formats.report_time import read_time
from penstock.records.feedback import TargetKind

_CORRECTION_NAMES = ("correction", "corrected_output")
_PLACE = "scores[{}]"
_ERRORS = {400: "InvalidRequestError", 401: "UnauthorizedError", 403: "ForbiddenError", 413: "PayloadTooLargeError"}


class Score(Struct, rename="camel", frozen=True, kw_only=True):
    """The fields of a score that are read."""

    name: str
    value: float | bool | str
    id: str | None = None
    trace_id: str | None = None
    observation_id: str | None = None
    session_id: str | None = None
    data_type: Literal["NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT", "CORRECTION"] | None = None
    comment: str | None = None
    environment: str | None = None
    config_id: str | None = None
    queue_id: str | None = None
    source: str | None = None
    metadata: Any = None
    timestamp: str | None = None


class IngestionEvent(Struct, frozen=True, kw_only=True):
    """One event of a batch."""

    id: str
    type: str
    body: Any = None
    timestamp: str | None = None


def translate_score(item: Any) -> list[Report]:
    """The reports that one score is."""
    score = read_as(item, Score)
    kind, target_id = _target(score)
    is_correction = score.data_type == "CORRECTION" or (isinstance(score.value, str) and score.name in _CORRECTION_NAMES)
    said = say(None if is_correction else _value(score), score.comment)
    extra = {"environment": score.environment, "config_id": score.config_id, "queue_id": score.queue_id, "origin": score.source}
    metadata = score.metadata if isinstance(score.metadata, dict) else {"metadata": score.metadata}
    report = Report(
        target_kind=kind,
        target_id=target_id,
        name=score.name,
        value=said.value,
        text=said.text,
        occurred_at=read_time(score.timestamp) if score.timestamp else None,
        idempotency_key=f"langfuse:{score.id}" if score.id else None,
        source="langfuse",
        metadata={**flat(metadata), **flat(extra), **said.metadata},
    )
    return edited_beside(report, score.value) if is_correction else [report]


def translate_event(item: Any) -> list[Report]:
    """The reports that one event of a batch is; Penstock takes spans by OTLP only."""
    event = read_as(item, IngestionEvent)
    if event.type != "score-create":
        raise BadInputError(
            f"Events of type {event.type!r} are not taken here; traces come by OTLP, as Langfuse's SDKs send them."
        )
    body = as_object(event.body, "The body of a score-create event")
    return translate_score({"timestamp": event.timestamp, **body})


def _target(score: Score) -> tuple[TargetKind, str]:
    if score.observation_id is not None:
        if score.trace_id is None:
            raise BadInputError("A score on an observation needs its traceId as well.")
        return span_target(score.observation_id, score.trace_id)
    if score.trace_id is not None:
        return trace_target(score.trace_id)
    if score.session_id:
        return TargetKind.SESSION, score.session_id
    raise BadInputError("A score names a trace (traceId), an observation (observationId with traceId) or a session (sessionId).")


def _value(score: Score) -> Any:
    wants_words = score.data_type in ("CATEGORICAL", "TEXT")
    if score.data_type is not None and wants_words != isinstance(score.value, str):
        wanted = "words" if wants_words else "a number"
        raise BadInputError(
            f"A score of type {score.data_type} has {wanted} as its value; this one has {str(score.value)[:100]!r}."
        )
    if score.data_type != "BOOLEAN":
        return score.value
    if score.value not in (0, 1):
        raise BadInputError(f"A score of type BOOLEAN has the value 0 or 1; this one has {score.value!r}.")
    return bool(score.value)


def _scores(content: Any, _path: Mapping[str, str]) -> list[Any]:
    return content if isinstance(content, list) else [as_object(content, "A score")]


def _events(content: Any, _path: Mapping[str, str]) -> list[Any]:
    return as_list(as_object(content, "A batch").get("batch"), "batch")


def answer_scores(received: Received) -> tuple[int, Any]:
    """200 with the id of one score; of an array 202, or 207 where some were refused; 400 where all were."""
    if received.rejected and not received.accepted:
        return 400, refuse_score(400, all_reasons(received, _PLACE))
    if isinstance(received.content, dict):
        return 200, {"id": received.content.get("id") or received.accepted[0][0]}
    if not received.rejected:
        return 202, {"message": "Accepted"}
    errors = [{"message": f"{_PLACE.format(index)}: {reason}"} for index, reason in received.rejected.items()]
    return 207, {"accepted": len(received.accepted), "rejected": len(received.rejected), "errors": errors}


def answer_events(received: Received) -> tuple[int, Any]:
    """207 with the fate of each event, whatever it was."""
    batch = received.content["batch"]
    named = {index: item.get("id", "") if isinstance(item, dict) else "" for index, item in enumerate(batch)}
    errors = [
        {"id": named[index], "status": 400, "message": reason, "error": "InvalidRequestError"}
        for index, reason in received.rejected.items()
    ]
    return 207, {"successes": [{"id": named[index], "status": 201} for index in received.accepted], "errors": errors}


def refuse_score(status: int, message: str) -> Any:
    """A refusal as Langfuse writes it."""
    return {"message": message, "error": _ERRORS.get(status, "ServiceUnavailableError")}


LANGFUSE_SCORES = Ecosystem(name="langfuse", items=_scores, translate=translate_score, answer=answer_scores, refusal=refuse_score)
LANGFUSE_EVENTS = Ecosystem(name="langfuse", items=_events, translate=translate_event, answer=answer_events, refusal=refuse_score)
