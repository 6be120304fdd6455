"""POST /v1/feedback: reports from outside, one or many, each with its target named in exactly one way.

A bad report is told back with its index and reason and costs the good ones beside it nothing. A report that is sent twice is one
report: its id comes from the idempotency key, which is derived from the content and its time where the sender gives none.
"""

import math
import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.types import Receive, Scope, Send

from penstock.edge.answers import send_json, send_refusal
from penstock.edge.ingest_door import IngestDoor
from penstock.edge.keys import KeyGuard
from penstock.edge.refusal import ClientGoneError, RefusedError, inviting_a_second_try, refuse
from penstock.edge.request_body import media_type, read_body
from penstock.edge.web_pages import as_page_report, is_from_page
from penstock.errors import BadInputError, PenstockError
from penstock.formats.foreign_report import BOOLEAN_SCALE, trace_target
from penstock.formats.json_value import load_json
from penstock.formats.report_time import is_far_ahead, read_time
from penstock.ingest.attribute_length import cut_before_redaction
from penstock.records import access
from penstock.records.clock import utc_now
from penstock.records.feedback import Feedback, TargetKind
from penstock.records.ids import digest, feedback_id

_MAX_ITEMS = 10_000
_TRACE_HEX = 32
_SPAN_HEX = 16
_SCALED_NAMES = ("rating", "score", "stars")  # a scale in their metadata is for numbers, and no truth lies on it

Identifier = Annotated[str, Meta(min_length=1, max_length=1024)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]


class BusinessKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A business key, such as a ticket's number."""

    name: Name
    value: Identifier


class FeedbackReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One report as it is sent; a misspelt field is refused, since it would silently lose what it says."""

    name: Name
    request_id: Identifier | None = None
    response_id: Identifier | None = None
    trace_id: Identifier | None = None
    span_id: Identifier | None = None
    session_id: Identifier | None = None
    key: BusinessKey | None = None
    value: float | bool | None = None
    text: str | None = None
    occurred_at: str | float | None = None
    idempotency_key: Identifier | None = None
    source: Name = "api"
    metadata: dict[str, str | float | int | bool | None] = {}


class FeedbackEndpoint:
    """Serves POST /v1/feedback."""

    def __init__(self, door: IngestDoor, guard: KeyGuard, max_body_bytes: int, clock: Callable[[], datetime] = utc_now) -> None:
        self._door = door
        self._guard = guard
        self._max_body_bytes = max_body_bytes
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            with inviting_a_second_try("A request to /v1/feedback"):
                status, answer = await self._serve(scope, receive)
        except ClientGoneError:
            return
        except PenstockError as error:
            await send_refusal(send, refuse(error))
            return
        await send_json(send, status, answer)

    async def _serve(self, scope: Scope, receive: Receive) -> tuple[int, dict[str, Any]]:
        headers = scope["headers"]
        key = await self._guard.check(headers, access.Scope.FEEDBACK, access.Scope.BROWSER)
        from_page = is_from_page(headers, key)
        if media_type(headers) != "application/json":
            raise RefusedError(415, "Feedback is sent as application/json.")
        items = read_items(await read_body(headers, receive, self._max_body_bytes))
        good: list[Feedback] = []
        rejected: list[dict[str, Any]] = []
        now = self._clock()
        for index, item in enumerate(items):
            try:
                feedback = build_feedback(item, now, index)
                good.append(as_page_report(feedback) if from_page else feedback)
            except BadInputError as error:
                rejected.append({"index": index, "error": str(error)})
        ids = await self._door.accept_feedback(good) if good else []
        answer = {"accepted": len(good), "feedback_ids": ids, "rejected": rejected}
        return (400 if rejected and not good else 200), answer


def read_items(body: bytes) -> list[Any]:
    """The reports of a body: one object, an array of them, or {"feedback": [...]}."""
    try:
        content = load_json(body)
    except ValueError as error:
        raise BadInputError(f"The body is no JSON: {error}.") from error
    if isinstance(content, dict) and set(content) == {"feedback"} and isinstance(content["feedback"], list):
        content = content["feedback"]
    items = content if isinstance(content, list) else [content]
    if len(items) > _MAX_ITEMS:
        raise RefusedError(413, f"{len(items)} reports in one request; send at most {_MAX_ITEMS}.")
    return items


def build_feedback(item: Any, now: datetime, place: int = 0) -> Feedback:
    """The record that one item of a request, at this place, is. Raises BadInputError with what is wrong."""
    try:
        report = msgspec.convert(item, FeedbackReport)
    except msgspec.ValidationError as error:
        raise BadInputError(f"{error}") from error
    _require_readable(report.name, "name of a report")
    kind, target_id, target_key = _target(report)
    # Reports without a time happened in the order in which they stand, so that the last of them counts.
    arrived_at = now + timedelta(microseconds=place)
    idempotency_key = _sender_key(report, kind, target_id, target_key) or _content_key(report, arrived_at)
    return Feedback(
        feedback_id=feedback_id(idempotency_key),
        target_kind=kind,
        target_id=target_id,
        target_key=target_key,
        name=report.name,
        value=None if report.value is None else _finite(report.value, "value"),
        text=report.text,
        occurred_at=arrived_at if report.occurred_at is None else _moment(report.occurred_at, now),
        known_at=now,
        source=report.source,
        idempotency_key=idempotency_key,
        metadata=cut_before_redaction(_metadata(report)),
    )


def _require_readable(name: str, what: str) -> None:
    """Refuse a name that nobody could read or ask for."""
    if not name.strip() or any(unicodedata.category(character) == "Cc" for character in name):
        raise BadInputError(f"The {what} is {name!r}; send one that can be read: not blank, and without control characters.")


def _finite(number: float, what: str) -> float:
    try:
        found = float(number)
    except OverflowError:  # from a whole number
        found = math.inf
    if not math.isfinite(found):
        raise BadInputError(f"The {what} is no finite number, or one beyond measure; send one that a 64-bit float holds.")
    return found


def _moment(given: str | float, now: datetime) -> datetime:
    """When it happened; a sender's clock may run ahead, but not by more than a day."""
    moment = read_time(given)
    if is_far_ahead(moment, now):
        raise BadInputError(
            f"occurred_at {moment.isoformat()} lies more than a day ahead of {now.isoformat()}; send when it happened."
        )
    return moment


def _target(report: FeedbackReport) -> tuple[TargetKind, str, str | None]:
    """Kind, id and, for a business key, its name."""
    named: list[tuple[TargetKind, str, str | None]] = []
    if report.request_id is not None:
        named.append((TargetKind.REQUEST, report.request_id, None))
    if report.response_id is not None:
        named.append((TargetKind.RESPONSE, report.response_id, None))
    if report.span_id is not None:
        named.append((TargetKind.SPAN, _span_target(report), None))
    elif report.trace_id is not None:
        named.append((*trace_target(report.trace_id), None))
    if report.session_id is not None:
        named.append((TargetKind.SESSION, report.session_id, None))
    if report.key is not None:
        _require_readable(report.key.name, "name of a key")
        named.append((TargetKind.KEY, report.key.value, report.key.name))
    if len(named) != 1:
        given = " and ".join(str(kind) for kind, _, _ in named) or "none"
        raise BadInputError(
            f"A report names its target in exactly one way, this one has {given}: "
            "request_id, response_id, trace_id with or without span_id, session_id, or key with name and value."
        )
    return named[0]


def _span_target(report: FeedbackReport) -> str:
    trace_id, span_id = (report.trace_id or "").lower(), (report.span_id or "").lower()
    if not (_is_hex(trace_id, _TRACE_HEX) and _is_hex(span_id, _SPAN_HEX)):
        raise BadInputError(
            f"A span is named by trace_id ({_TRACE_HEX} hex digits) and span_id ({_SPAN_HEX}), "
            f"this report has {report.trace_id!r} and {report.span_id!r}."
        )
    return f"{trace_id}:{span_id}"


def _is_hex(text: str, length: int) -> bool:
    return len(text) == length and all(digit in "0123456789abcdef" for digit in text)


def _sender_key(report: FeedbackReport, kind: TargetKind, target_id: str, target_key: str | None) -> str | None:
    """The sender's own key, for this target and name alone: one that names many reports must not make them one.

    A report that comes through a relay has such a key already.
    """
    key, mark = report.idempotency_key, f":{digest(kind, target_key or '', target_id, report.name)}"
    return None if key is None else key if key.endswith(mark) else key + mark


def _content_key(report: FeedbackReport, arrived_at: datetime) -> str:
    """A key for a report that has none: what it says and when, so that a thumb up after one down is not the one before it."""
    when = [arrived_at.isoformat()] if report.occurred_at is None else []
    return "content:" + digest(msgspec.json.encode(report, order="deterministic").decode(), *when)


def _metadata(report: FeedbackReport) -> dict[str, str]:
    """The metadata as text; beside a truth also its scale, so that `false` as a rating is bad, and as a verdict takes it back."""
    said = {name: _metadata_text(name, value) for name, value in report.metadata.items() if value is not None}
    if not isinstance(report.value, bool):
        return said
    return {**said, **BOOLEAN_SCALE} if report.name.lower() in _SCALED_NAMES else {**BOOLEAN_SCALE, **said}


def _metadata_text(name: str, value: str | float | int | bool) -> str:
    if isinstance(value, str):
        return value
    _finite(value, f"metadata {name[:100]!r}")
    return msgspec.json.encode(value).decode()
