"""The feedback endpoints of other ecosystems, so that their clients need only another base URL.

Each is read and answered by its translator in `formats/`; here are its paths, its keys and its way to the disk. A bad report
costs the good ones beside it nothing.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from penstock.edge.answers import send_answer, send_json, send_refusal
from penstock.edge.ingest_door import IngestDoor
from penstock.edge.keys import KeyGuard
from penstock.edge.refusal import ClientGoneError, RefusedError, inviting_a_second_try, refuse
from penstock.edge.request_body import media_type, read_body
from penstock.errors import BadInputError, PenstockError
from penstock.formats.feedback_datadog import DATADOG_METRICS
from penstock.formats.feedback_langfuse import LANGFUSE_EVENTS, LANGFUSE_SCORES
from penstock.formats.feedback_langsmith import LANGSMITH_FEEDBACK
from penstock.formats.feedback_mlflow import MLFLOW_ASSESSMENT
from penstock.formats.feedback_phoenix import PHOENIX_SESSIONS, PHOENIX_SPANS, PHOENIX_TRACES
from penstock.formats.feedback_tensorzero import TENSORZERO_FEEDBACK
from penstock.formats.foreign_report import Ecosystem, Received, Report, require_sound
from penstock.ingest.attribute_length import cut_before_redaction
from penstock.records import access
from penstock.records.clock import utc_now
from penstock.records.feedback import Feedback
from penstock.records.ids import digest, feedback_id

_MAX_REPORTS = 10_000
_PATHS: Mapping[str, Ecosystem] = {
    "/api/public/scores": LANGFUSE_SCORES,
    "/api/public/ingestion": LANGFUSE_EVENTS,
    "/api/v1/feedback": LANGSMITH_FEEDBACK,
    "/v1/span_annotations": PHOENIX_SPANS,
    "/v1/trace_annotations": PHOENIX_TRACES,
    "/v1/session_annotations": PHOENIX_SESSIONS,
    "/v1/span_notes": PHOENIX_SPANS,
    "/v1/trace_notes": PHOENIX_TRACES,
    "/v1/session_notes": PHOENIX_SESSIONS,
    "/api/3.0/mlflow/traces/{trace_id:path}/assessments": MLFLOW_ASSESSMENT,
    "/api/intake/llm-obs/v1/eval-metric": DATADOG_METRICS,
    "/api/intake/llm-obs/v2/eval-metric": DATADOG_METRICS,
}
# TensorZero's path is also LangSmith's where its client is given a base URL without /api/v1.
_SHARED_PATH = "/feedback"
_PROJECT = {"id": "penstock", "name": "penstock", "organization": {"id": "penstock", "name": "penstock"}, "metadata": {}}
# LangSmith's clients ask once; a missing limit ends the thread by which they send.
_BATCHES = {
    "use_multipart_endpoint": False,
    "scale_up_qsize_trigger": 1000,
    "scale_up_nthreads_limit": 16,
    "scale_down_nempty_trigger": 4,
    "size_limit": 100,
    "size_limit_bytes": 20_971_520,
}
_LANGSMITH = {"version": "", "batch_ingest_config": _BATCHES}
_INFORMATION: Mapping[str, Any] = {
    "/api/public/projects": {"data": [_PROJECT]},  # what Langfuse's clients ask to learn whether their keys hold
    "/api/public/health": {"status": "OK", "version": "3.0.0"},
    "/api/v1/info": _LANGSMITH,
    "/info": _LANGSMITH,
    "/arize_phoenix_version": "12.0.0",  # the first whose clients may annotate sessions
}


class ForeignFeedbackEndpoint:
    """Serves one path."""

    def __init__(
        self,
        choose: Callable[[Any], Ecosystem],
        door: IngestDoor,
        guard: KeyGuard,
        max_body_bytes: int,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._choose = choose  # by what a body holds; by None where there is none that can be read
        self._door = door
        self._guard = guard
        self._max_body_bytes = max_body_bytes
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            with inviting_a_second_try(f"A request to {scope['path']}"):
                content = await self._read(scope["headers"], receive)
                status, answer = await self._take(content, scope.get("path_params", {}))
        except ClientGoneError:
            return
        except _RefusedByError as error:
            refusal, ecosystem = refuse(error.reason), error.ecosystem
        except PenstockError as error:
            refusal, ecosystem = refuse(error), self._choose(None)
        else:
            await send_json(send, status, answer)
            return
        await send_json(send, refusal.status, ecosystem.refusal(refusal.status, str(refusal)), refusal.headers)

    async def _read(self, headers: Any, receive: Receive) -> Any:
        await self._guard.check(headers, access.Scope.FEEDBACK)
        if media_type(headers) != "application/json":
            raise RefusedError(415, "Feedback is sent as application/json.")
        try:
            return msgspec.json.decode(await read_body(headers, receive, self._max_body_bytes))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadInputError(f"The body is no JSON: {error}.") from error

    async def _take(self, content: Any, path: Mapping[str, str]) -> tuple[int, Any]:
        ecosystem = self._choose(content)
        try:
            items = ecosystem.items(content, path)
            if len(items) > _MAX_REPORTS:
                raise RefusedError(413, f"{len(items)} reports in one request; send at most {_MAX_REPORTS}.")
            kept, received = read_reports(ecosystem, content, items, self._clock())
            if kept:
                stored = await self._door.accept_feedback(kept)
                received = received.stored_as(dict(zip((report.feedback_id for report in kept), stored, strict=True)))
        except PenstockError as error:
            raise _RefusedByError(error, ecosystem) from error
        return ecosystem.answer(received)


class InformationEndpoint:
    """Serves what clients ask for before they send anything."""

    def __init__(self, content: Any, guard: KeyGuard) -> None:
        self._content = content
        self._guard = guard

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            await self._guard.check(scope["headers"], access.Scope.FEEDBACK, access.Scope.INGEST)
        except PenstockError as error:
            await send_refusal(send, refuse(error))
            return
        if isinstance(self._content, str):
            await send_answer(send, 200, b"text/plain", self._content.encode())
        else:
            await send_json(send, 200, self._content)


class _RefusedByError(PenstockError):
    """A refusal that an ecosystem writes which only the body told."""

    def __init__(self, reason: PenstockError, ecosystem: Ecosystem) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.ecosystem = ecosystem


def foreign_endpoints(
    door: IngestDoor, guard: KeyGuard, max_body_bytes: int, clock: Callable[[], datetime] = utc_now
) -> dict[str, ASGIApp]:
    """What serves POST on each path."""

    choices = {path: _always(ecosystem) for path, ecosystem in _PATHS.items()} | {_SHARED_PATH: _choose_by_shape}
    return {path: ForeignFeedbackEndpoint(choose, door, guard, max_body_bytes, clock) for path, choose in choices.items()}


def information_endpoints(guard: KeyGuard) -> dict[str, ASGIApp]:
    """What serves GET on each path."""
    return {path: InformationEndpoint(content, guard) for path, content in _INFORMATION.items()}


def read_reports(ecosystem: Ecosystem, content: Any, items: list[Any], now: datetime) -> tuple[list[Feedback], Received]:
    """The feedback to keep, and what became of each item."""
    kept: list[Feedback] = []
    accepted: dict[int, list[str]] = {}
    rejected: dict[int, str] = {}
    for index, item in enumerate(items):
        try:
            reports = ecosystem.translate(item)
            found = [(report, as_feedback(report, now)) for report in reports]
        except BadInputError as error:
            rejected[index] = str(error)
            continue
        accepted[index] = [feedback.feedback_id for _, feedback in found]
        kept.extend(feedback for report, feedback in found if not report.is_rehearsal)
    return kept, Received(content=content, accepted=accepted, rejected=rejected)


def as_feedback(report: Report, now: datetime) -> Feedback:
    """The record that a report is. Raises BadInputError."""
    require_sound(report)
    idempotency_key = report.idempotency_key or _content_key(report, now)
    return Feedback(
        feedback_id=feedback_id(idempotency_key),
        target_kind=report.target_kind,
        target_id=report.target_id,
        target_key=report.target_key,
        name=report.name,
        value=report.value,
        text=report.text,
        occurred_at=report.occurred_at or now,
        known_at=now,
        source=report.source,
        idempotency_key=idempotency_key,
        metadata=cut_before_redaction(report.metadata),
    )


def _content_key(report: Report, now: datetime) -> str:
    """A key for a report that has none: what it says and when; a thumb up that comes again after one down is another report."""
    when = (report.occurred_at or now).isoformat()
    return f"{report.source}:content:" + digest(msgspec.json.encode(report, order="deterministic").decode(), when)


def _always(ecosystem: Ecosystem) -> Callable[[Any], Ecosystem]:
    return lambda _content: ecosystem


def _choose_by_shape(content: Any) -> Ecosystem:
    return LANGSMITH_FEEDBACK if isinstance(content, dict) and "key" in content else TENSORZERO_FEEDBACK
