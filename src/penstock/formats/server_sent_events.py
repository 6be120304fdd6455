"""Server-sent events, cut out of a byte stream as they come.

Each event keeps the bytes it came as, so that a gateway can pass it on untouched.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from penstock.errors import BadInputError

DONE = b"[DONE]"
_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_MAX_EVENT_BYTES = 16 * 1024 * 1024


class ServerSentEvent(Struct, frozen=True):
    """One event: all its bytes, and its data where it has any (a comment has none)."""

    raw: bytes
    data: bytes | None


class EventSplitter:
    """Takes bytes as they arrive, gives whole events."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """The events that end within this chunk. Raises BadInputError when one grows without end."""
        buffer = self._pending + chunk if self._pending else chunk
        start = 0
        # The end of an event may itself be cut in two.
        searched = max(0, len(self._pending) - 3)
        while (blank := _BLANK_LINE.search(buffer, searched)) is not None:
            yield _parse_event(buffer[start : blank.end()])
            start = searched = blank.end()
        self._pending = buffer[start:]
        if len(self._pending) > _MAX_EVENT_BYTES:
            raise BadInputError(f"A server-sent event is longer than {_MAX_EVENT_BYTES} bytes and does not end.")

    def rest(self) -> ServerSentEvent | None:
        """What is left when the stream ends: some servers leave out the last blank line."""
        left, self._pending = self._pending, b""
        return _parse_event(left) if left.strip() else None


def write_event(data: bytes) -> bytes:
    """One event with this data, which holds no line end."""
    return b"data: " + data + b"\n\n"


def _parse_event(raw: bytes) -> ServerSentEvent:
    if raw.startswith(b"data: ") and raw.count(b"\n") == 2 and b"\r" not in raw:
        return ServerSentEvent(raw, raw[6:-2])
    lines = [line for line in _LINE_END.split(raw) if line.startswith(b"data:")]
    if not lines:
        return ServerSentEvent(raw, None)
    return ServerSentEvent(raw, b"\n".join(line[5:].removeprefix(b" ") for line in lines))
