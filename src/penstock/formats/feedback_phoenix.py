"""Phoenix's annotations and notes of spans, traces and sessions: POST /v1/span_annotations and its siblings.

An annotation is one by target, name and identifier: sent again, it amends the one before. Spans are named without their trace.
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
    flat,
    read_as,
    say,
    span_target,
    trace_target,
)
from penstock.records.feedback import TargetKind
from penstock.records.ids import digest

NOTE = "note"
Subject = Literal["span", "trace", "session"]


class AnnotationResult(Struct, frozen=True, kw_only=True):
    """What it says."""

    label: str | None = None
    score: float | None = None
    explanation: str | None = None


class Annotation(Struct, frozen=True, kw_only=True):
    """The fields of an annotation, or of a note, that are read."""

    name: str = NOTE
    annotator_kind: Literal["LLM", "CODE", "HUMAN"] = "HUMAN"
    span_id: str | None = None
    trace_id: str | None = None
    session_id: str | None = None
    result: AnnotationResult | None = None
    note: str | None = None
    metadata: dict[str, Any] | None = None
    identifier: str | None = None


def translate_annotation(item: Any) -> list[Report]:
    """The report that one annotation is."""
    given = read_as(item, Annotation)
    if given.name.strip() == NOTE and given.note is None:
        raise BadInputError(
            "The name `note` is reserved; notes are sent to /v1/span_notes, /v1/trace_notes or /v1/session_notes."
        )
    kind, target_id = _target(given)
    value, text, extra = _content(given)
    identifier = given.identifier or ""
    # A note without an identifier is a new one each time; an annotation without one replaces the last of its name.
    is_one_of_many = given.note is not None and not identifier
    return [
        Report(
            target_kind=kind,
            target_id=target_id,
            name=given.name,
            value=value,
            text=text,
            idempotency_key=None if is_one_of_many else f"phoenix:{digest(kind, target_id, given.name, identifier)}",
            source="phoenix",
            metadata={**flat(given.metadata), **extra, "annotator_kind": given.annotator_kind},
        )
    ]


def _target(given: Annotation) -> tuple[TargetKind, str]:
    if given.span_id:
        return span_target(given.span_id)
    if given.trace_id:
        return trace_target(given.trace_id)
    if given.session_id:
        return TargetKind.SESSION, given.session_id
    raise BadInputError("An annotation names what it is about: span_id, trace_id or session_id.")


def _content(given: Annotation) -> tuple[float | None, str | None, dict[str, str]]:
    if given.note is not None:
        return None, given.note, {}
    result = given.result or AnnotationResult()
    if result.score is None and not result.label and not result.explanation:
        raise BadInputError("The result of an annotation has a label, a score or an explanation; this one has none.")
    if result.score is None:
        said = say(result.label or None, result.explanation)
        return None, said.text, said.metadata
    extra = {"label": result.label} if result.label else {}
    return say(result.score).value, result.explanation or result.label or None, extra


def _items(subject: Subject) -> Any:
    def items(content: Any, _path: Mapping[str, str]) -> list[Any]:
        data = as_object(content, "An annotation request").get("data")
        return [_about(subject, item) for item in ([data] if isinstance(data, dict) else as_list(data, "data"))]

    return items


def _about(subject: Subject, item: Any) -> Any:
    """The item with its own kind of target only, as the path says what it is about."""
    if not isinstance(item, dict):
        return item
    return {name: value for name, value in item.items() if not name.endswith("_id") or name == f"{subject}_id"}


def answer_annotations(received: Received) -> tuple[int, Any]:
    """200 with the id of each; 422 where any was refused, although the others are kept."""
    if received.rejected:
        kept = f" The other {len(received.accepted)} are kept." if received.accepted else ""
        return 422, refuse_annotations(422, all_reasons(received, "data[{}]") + kept)
    ids = [{"id": ids[0]} for ids in received.accepted.values()]
    return 200, {"data": ids[0] if isinstance(received.content.get("data"), dict) else ids}


def refuse_annotations(_status: int, message: str) -> Any:
    """A refusal as Phoenix writes it."""
    return {"detail": message}


def _ecosystem(subject: Subject) -> Ecosystem:
    return Ecosystem(
        name="phoenix",
        items=_items(subject),
        translate=translate_annotation,
        answer=answer_annotations,
        refusal=refuse_annotations,
    )


PHOENIX_SPANS = _ecosystem("span")
PHOENIX_TRACES = _ecosystem("trace")
PHOENIX_SESSIONS = _ecosystem("session")
