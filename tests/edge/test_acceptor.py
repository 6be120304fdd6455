"""Of several workers at one socket each gets as many connections as the others."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from penstock.edge.acceptor import Acceptor, Load

_WAIT_S = 30


class Counting(asyncio.Protocol):
    """Stands for one connection of a worker."""

    def __init__(self, connections: list["Counting"]) -> None:
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.append(self)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.remove(self)


class Socket:
    """A listening socket, its clients, and the workers that share it."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._clients: list[socket.socket] = []
        self._listeners: list[socket.socket] = []
        self.workers: list[list[Counting]] = []
        self._tasks: list[asyncio.Task[None]] = []

    def work(self, counts: list[int], number: int) -> None:
        connections: list[Counting] = []
        self.workers.append(connections)
        load = Load(counts, number)
        listener = self._listener.dup()
        self._listeners.append(listener)
        acceptor = Acceptor(listener, lambda: Counting(connections), lambda: len(connections), load, 64)
        self._tasks.append(asyncio.create_task(acceptor.run()))

    async def connect(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            client = socket.socket()
            client.setblocking(False)
            self._clients.append(client)
            await loop.sock_connect(client, self._listener.getsockname())

    async def spread(self, total: int) -> list[int]:
        """How many connections each worker has, once there are so many."""
        async with asyncio.timeout(_WAIT_S):
            while sum(map(len, self.workers)) != total:
                await asyncio.sleep(0.005)
        return [len(connections) for connections in self.workers]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for used in (*self._clients, *self._listeners):
            used.close()
        await self.spread(0)


@asynccontextmanager
async def shared_socket() -> AsyncIterator[Socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        shared = Socket(listener)
        try:
            yield shared
        finally:
            await shared.close()


async def test_connections_that_come_at_once_are_spread_evenly() -> None:
    async with shared_socket() as shared:
        counts = [0] * 3
        for number in range(3):
            shared.work(counts, number)
        await shared.connect(9)
        assert await shared.spread(9) == [3, 3, 3]


async def test_a_worker_whose_connections_ended_gets_the_next_ones() -> None:
    async with shared_socket() as shared:
        counts = [0, 0]
        for number in range(2):
            shared.work(counts, number)
        await shared.connect(4)
        assert await shared.spread(4) == [2, 2]
        for connection in list(shared.workers[0]):
            connection.transport.close()
        assert await shared.spread(2) == [0, 2]
        async with asyncio.timeout(_WAIT_S):
            while counts[0]:
                await asyncio.sleep(0.005)
        await shared.connect(2)
        assert await shared.spread(4) == [2, 2]


async def test_a_worker_that_takes_none_holds_up_nobody() -> None:
    async with shared_socket() as shared:
        shared.work([0, 0], 0)  # the other, with none, never accepts
        await shared.connect(5)
        assert await shared.spread(5) == [5]
