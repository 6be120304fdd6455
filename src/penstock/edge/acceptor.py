"""Accepts connections for one of several workers at one socket, and leaves them to a worker that has fewer.

An event loop by itself takes all that wait at once, and sockets of their own get a share by chance: of eight exporters that stay
connected for days one worker then often has six.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, MutableSequence

_STEP_S = 0.001
_MOST_STEPS = 5  # a worker with fewer connections may be busy with them; then whoever has time takes the next
_COUNT_S = 0.02
_RETRY_S = 0.1

logger = logging.getLogger(__name__)


class Load:
    """How many connections each worker has, in memory that all of them share; this worker writes its own number only."""

    def __init__(self, counts: MutableSequence[int], worker: int) -> None:
        self._counts = counts
        self._worker = worker

    def note(self, connections: int) -> None:
        """Say how many connections this worker has."""
        self._counts[self._worker] = connections

    @property
    def is_least(self) -> bool:
        """Whether no worker has fewer."""
        return self._counts[self._worker] <= min(self._counts)


class Acceptor:
    """The accepting side of one worker."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        connections: Callable[[], int],
        load: Load,
        backlog: int,
    ) -> None:
        """`protocol` makes what serves one connection, `connections` counts them; the listener is shared with other processes."""
        self._listener = listener
        self._protocol = protocol
        self._connections = connections
        self._load = load
        listener.setblocking(False)
        listener.listen(backlog)

    async def run(self) -> None:
        """Accept until cancelled."""
        counting = asyncio.create_task(self._count())
        try:
            while True:
                await self._connection_waits()
                await self._let_others_go_first()
                await self._accept()
        finally:
            counting.cancel()

    async def _connection_waits(self) -> None:
        loop = asyncio.get_running_loop()
        waits = asyncio.Event()
        loop.add_reader(self._listener, waits.set)
        try:
            await waits.wait()
        finally:
            loop.remove_reader(self._listener)

    async def _let_others_go_first(self) -> None:
        for _ in range(_MOST_STEPS):
            if self._load.is_least:
                return
            await asyncio.sleep(_STEP_S)

    async def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return  # another worker took it
        except OSError as error:  # a client that went away at once, or no file left to open
            logger.warning("A connection could not be accepted: %s", error)
            await asyncio.sleep(_RETRY_S)
            return
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        except Exception as error:  # noqa: BLE001 - no connection may end the accepting of all others
            logger.warning("A connection was lost as it was accepted: %s", error)
            connection.close()
        self._load.note(self._connections())

    async def _count(self) -> None:
        """Connections also end."""
        while True:
            self._load.note(self._connections())
            await asyncio.sleep(_COUNT_S)
