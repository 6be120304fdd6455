"""An ingest door that keeps what it is given in memory, and that can be told to be full."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from penstock.errors import SpoolFullError
from penstock.formats.otlp import Encoding, parse_traces
from penstock.records.feedback import Feedback
from penstock.records.span import Span

MOST_ANSWER_BYTES = 4 * 1024 * 1024  # that a client of OTLP has to read


class Accepted(Struct):
    rejected: int = 0
    message: str = ""


class RecordingDoor:
    def __init__(self) -> None:
        self.traces: list[Any] = []
        self.logs: list[Any] = []
        self.feedback: list[Feedback] = []
        self.spans: list[Span] = []
        self.failure: Exception | None = None
        self.fails_once = False
        self.answer = Accepted()

    def fill(self) -> None:
        self.failure = SpoolFullError("The spool holds 4 of 4 bytes; it takes more when the lake does.")

    async def accept_traces(self, request: Any) -> Accepted:
        return self._take(self.traces, [parse_traces(request, Encoding.PROTOBUF) if isinstance(request, bytes) else request])

    async def accept_logs(self, request: Any) -> Accepted:
        return self._take(self.logs, [request])

    async def accept_feedback(self, feedback: list[Feedback]) -> list[str]:
        self._take(self.feedback, feedback)
        return [report.feedback_id for report in feedback]

    def offer_span(self, span: Span) -> bool:
        self.spans.append(span)
        return True

    def status(self) -> Mapping[str, Any]:
        return {"accepted": len(self.spans)}

    def _take(self, kept: list[Any], items: list[Any]) -> Accepted:
        if self.failure is not None:
            failure, self.failure = self.failure, None if self.fails_once else self.failure
            raise failure
        kept.extend(items)
        return self.answer
