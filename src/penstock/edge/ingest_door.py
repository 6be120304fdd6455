"""What the edge asks of the ingest door: to put data on disk before it is acknowledged, and to take captures without waiting."""

from collections.abc import Mapping
from typing import Any, Protocol

from penstock.records.feedback import Feedback
from penstock.records.span import Span


class Acceptance(Protocol):
    """What the door says of one request; the rest of it is on disk."""

    @property
    def rejected(self) -> int:
        """How many records it did not accept."""

    @property
    def message(self) -> str:
        """Why, in words."""


class IngestDoor(Protocol):
    """Raises SpoolFullError, or another StorageError, where nothing can be kept."""

    async def accept_traces(self, request: Any) -> Acceptance:
        """Put the spans of an export request on disk."""

    async def accept_logs(self, request: Any) -> Acceptance:
        """Put the log records of an export request on disk."""

    async def accept_feedback(self, feedback: list[Feedback]) -> list[str]:
        """Put reports on disk and give the ids under which they stand, in their order."""

    def offer_span(self, span: Span) -> bool:
        """Take a capture without waiting, or count it as lost."""

    def status(self) -> Mapping[str, Any]:
        """Counts since the start, the depth of the spool, and what the flusher last failed with."""
