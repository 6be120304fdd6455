"""Noticing that a client has gone while its answer is being made, so that nobody works for nobody."""

import asyncio
from types import TracebackType
from typing import Self

from starlette.types import Receive

from penstock.edge.refusal import ClientGoneError


class DisconnectWatch:
    """Cancels its block, which then raises ClientGoneError, when the client closes its connection before `answered` is set."""

    def __init__(self, receive: Receive) -> None:
        self.answered = False  # to be set before the last part of the answer is sent
        self._receive = receive
        self._gone = False
        self._watched: asyncio.Task[object] | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._watched = asyncio.current_task()
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        # A cancellation that somebody else asked for as well is left to run its course.
        if self._gone and error is not None and self._watched is not None and self._watched.uncancel() == 0:
            raise ClientGoneError("The client closed its connection before its answer was complete.") from error

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self.answered and self._watched is not None:
            self._gone = True
            self._watched.cancel()
