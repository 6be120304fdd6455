"""What a report from another ecosystem says, in the one shape that every translator gives; pure, and without a clock.

A translator reads one ecosystem's requests and writes its answers; keys, storage and the time of arrival are the edge's. What has
no field of its own is kept in the metadata. A corrected answer becomes a report `edited` whose text is that answer.
"""

import math
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from penstock.errors import BadInputError
from penstock.records.feedback import TargetKind

MOST_NAME_CHARACTERS = 256
MOST_ID_CHARACTERS = 1024
EDITED = "edited"

_TRACE = re.compile("[0-9a-f]{32}")
_SPAN = re.compile("[0-9a-f]{16}")
BOOLEAN_SCALE = {"minimum": "0", "maximum": "1"}  # so that `false` under the name of a rating is bad, and not neither
_TEXT_KEYS = ("output", "answer", "response", "text", "content", "completion", "message", "expected_response")

Asked = TypeVar("Asked", bound=Struct)


class Report(Struct, frozen=True, kw_only=True):
    """One report; the same idempotency key with other content amends it."""

    target_kind: TargetKind
    target_id: str
    target_key: str | None = None
    name: str
    value: float | None = None
    text: str | None = None
    occurred_at: datetime | None = None  # None: when it arrives
    idempotency_key: str | None = None  # None: derived from the content
    source: str
    metadata: dict[str, str] = field(default_factory=dict)
    is_rehearsal: bool = False  # checked and answered, but not kept


class Received(Struct, frozen=True, kw_only=True):
    """What became of one request."""

    content: Any  # as it was sent
    accepted: dict[int, list[str]]  # by place in the request: the ids of the feedback that it became
    rejected: dict[int, str]  # by place: why not

    def stored_as(self, ids: Mapping[str, str]) -> "Received":
        """The same with the ids under which feedback stands, which may be others where it told of somebody."""
        accepted = {place: [ids.get(name, name) for name in names] for place, names in self.accepted.items()}
        return msgspec.structs.replace(self, accepted=accepted)


class Ecosystem(Struct, frozen=True, kw_only=True):
    """How one ecosystem sends reports, and what its clients want to hear."""

    name: str
    items: Callable[[Any, Mapping[str, str]], list[Any]]  # the reports of a body, given the path's parameters
    translate: Callable[[Any], list[Report]]  # one of them; raises BadInputError
    answer: Callable[[Received], tuple[int, Any]]  # status and content
    refusal: Callable[[int, str], Any]  # the content of a refusal with this status


class Said(Struct, frozen=True, kw_only=True):
    """A value that may be a number, a truth or words, as a report has it."""

    value: float | None = None
    text: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


def read_as(item: Any, shape: type[Asked]) -> Asked:
    """An item of a request as the fields that are read of it; others are left aside. Raises BadInputError."""
    try:
        return msgspec.convert(item, shape)
    except msgspec.ValidationError as error:
        raise BadInputError(f"{error}") from error


def say(value: Any, comment: str | None = None) -> Said:
    """Number and text of a value and the comment beside it; words come before the comment, which is kept all the same."""
    if isinstance(value, bool):
        return Said(value=float(value), text=comment or None, metadata=BOOLEAN_SCALE)
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise BadInputError(f"The value {value!r} is no finite number.")
        return Said(value=float(value), text=comment or None)
    if value is None:
        return Said(text=comment or None)
    words = value if isinstance(value, str) else as_json(value)
    return Said(text=words, metadata={"comment": comment} if comment else {})


def edited_beside(report: Report, correction: Any) -> list[Report]:
    """The report, and beside it the corrected answer as one of its own; alone where the report says nothing else."""
    final = final_text(correction)
    if final is None:
        return [report]
    beside = msgspec.structs.replace(
        report,
        name=EDITED,
        value=None,
        text=final,
        idempotency_key=f"{report.idempotency_key}:correction" if report.idempotency_key else None,
        metadata={**report.metadata, "reported_as": report.name},
    )
    return [beside] if report.value is None and report.text is None else [report, beside]


def final_text(correction: Any) -> str | None:
    """The text of a corrected answer: plain, in content blocks, or the one text in an object; None where it is none."""
    if isinstance(correction, str):
        return correction or None
    if isinstance(correction, list):
        texts = [text for block in correction if (text := final_text(block)) is not None]
        return "\n".join(texts) or None
    if isinstance(correction, dict):
        found = next((correction[key] for key in _TEXT_KEYS if correction.get(key)), None)
        if found is None and len(correction) == 1:
            found = next(iter(correction.values()))
        return final_text(found)
    return None


def flat(entries: Mapping[str, Any] | None, prefix: str = "") -> dict[str, str]:
    """Entries as metadata holds them: text as it is, anything else as JSON, nothing left out."""
    return {f"{prefix}{name}": as_text(value) for name, value in (entries or {}).items() if value is not None}


def as_text(value: Any) -> str:
    """Text as it is, anything else as JSON."""
    return value if isinstance(value, str) else as_json(value)


def as_json(value: Any) -> str:
    """A value as JSON."""
    return msgspec.json.encode(value).decode()


def trace_target(trace_id: str) -> tuple[TargetKind, str]:
    """The target that a trace id names: hexadecimal, or the same as a UUID. Raises BadInputError."""
    return TargetKind.TRACE, read_trace_id(trace_id)


def span_target(span_id: str, trace_id: str | None = None) -> tuple[TargetKind, str]:
    """The target that a span id names; without its trace it is looked for by itself. Raises BadInputError."""
    found = span_id.strip().lower()
    if not _SPAN.fullmatch(found):
        raise BadInputError(f"A span id has 16 hexadecimal digits; this is {span_id[:100]!r}.")
    return TargetKind.SPAN, f"{read_trace_id(trace_id) if trace_id is not None else ''}:{found}"


def run_target(run_id: str) -> tuple[TargetKind, str]:
    """The target that an id names which may be a request's, a response's or, as a UUID, a trace's."""
    given = run_id.strip()
    try:
        return TargetKind.RUN, str(uuid.UUID(given))
    except ValueError:
        return TargetKind.RUN, given


def read_trace_id(trace_id: str) -> str:
    """A trace id in lower-case hexadecimal."""
    found = trace_id.strip().lower().replace("-", "")
    if not _TRACE.fullmatch(found):
        raise BadInputError(f"A trace id has 32 hexadecimal digits; this is {trace_id[:100]!r}.")
    return found


def require_sound(report: Report) -> None:
    """Refuse a report whose names are missing or beyond measure."""
    for what, text, most in (
        ("name", report.name, MOST_NAME_CHARACTERS),
        ("target's id", report.target_id, MOST_ID_CHARACTERS),
        ("target's key", report.target_key or "-", MOST_NAME_CHARACTERS),
        ("id", report.idempotency_key or "-", MOST_ID_CHARACTERS),
    ):
        if not 0 < len(text) <= most:
            raise BadInputError(f"The {what} has {len(text)} characters; between 1 and {most} are taken.")


def as_list(content: Any, what: str) -> list[Any]:
    """Content that has to be an array."""
    if not isinstance(content, list):
        raise BadInputError(f"{what} is an array of objects; this body has {type(content).__name__}.")
    return content


def as_object(content: Any, what: str) -> dict[str, Any]:
    """Content that has to be an object."""
    if not isinstance(content, dict):
        raise BadInputError(f"{what} is a JSON object; this body is {type(content).__name__}.")
    return content


def all_reasons(received: Received, place: str) -> str:
    """Every reason of a refused report, each with its place."""
    return "; ".join(f"{place.format(index)}: {reason}" for index, reason in received.rejected.items())
