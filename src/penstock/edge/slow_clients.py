"""A request has to arrive within a time limit, from its first byte, or from the connection on, to its last.

Without one, clients that send a little and then nothing would hold their connections for ever, until none is left for others.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TOO_SLOW = b"The request did not arrive in time; send it again, in smaller parts if the line is slow."
_ANSWER = b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"


class PunctualProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, which ends connections that take too long to send a request."""

    def __init__(self, *given: Any, receive_timeout_s: float, **named: Any) -> None:
        super().__init__(*given, **named)
        self._receive_timeout_s = receive_timeout_s
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a first request."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._relax()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins; while it waits for nothing, uvicorn's keep-alive ends a connection."""
        super().on_message_begin()
        if self._deadline is None:
            self._expect()

    def on_message_complete(self) -> None:
        """A request is here."""
        self._relax()
        super().on_message_complete()

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(self._receive_timeout_s, self._give_up)

    def _relax(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if self.flow.read_paused:  # it is we who read no further: an answer before this one is still under way
            self._expect()
            return
        self._deadline = None
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(_ANSWER % (len(_TOO_SLOW), _TOO_SLOW))
        self.transport.close()
