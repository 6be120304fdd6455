"""One edge worker: uvicorn on a bound socket, and gRPC beside it in the same event loop, from the first request it can serve to
the last one it has kept safe.
"""

import asyncio
import gc
import importlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn
from msgspec import Struct

from penstock.edge.acceptor import Acceptor, Load
from penstock.edge.application import build_edge_app, is_ready
from penstock.edge.ingest_door import IngestDoor
from penstock.edge.keys import KeyGuard, require_key_or_loopback
from penstock.edge.otlp_grpc import OtlpGrpcServer
from penstock.edge.slow_clients import PunctualProtocol
from penstock.errors import ConfigurationError
from penstock.registry.registry import Registry
from penstock.settings import EdgeSettings, Settings

_FINISH_S = 10  # for requests that are under way when the edge is told to stop
_FLUSH_S = 10.0  # for what the spool still holds; the rest stays in it and is adopted at the next start
# Exporters send every few seconds: a shorter time would close connections just as they are used again.
_KEEP_ALIVE_S = 75
_COLLECT_AFTER = 100_000
_BACKLOG = 2048
_POLL_S = 0.02


class EdgeServices(Struct, kw_only=True):
    """What one worker works with, built by the composition root."""

    door: IngestDoor
    registry: Registry
    close: Callable[[float], None]  # flushes for at most so many seconds, then closes everything


class EdgeServer(uvicorn.Server):
    """uvicorn that says when it is ready, and returns when it is told to stop instead of dying of the signal."""

    def __init__(
        self,
        config: uvicorn.Config,
        ready: Callable[[], bool],
        on_ready: Callable[[], None],
        grpc: OtlpGrpcServer | None = None,
        load: Load | None = None,
    ) -> None:
        super().__init__(config)
        self._load = load or Load([0], 0)
        self._grpc = grpc
        self._ready = ready
        self._on_ready = on_ready
        self._announcement: asyncio.Task[None] | None = None
        self._accepting: list[asyncio.Task[None]] = []

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and SIGINT; what stands behind `run` still has to flush."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and announce it as soon as requests can be served."""
        if self._grpc is not None:
            await self._grpc.start()
        await super().startup([])
        for listener in sockets or ():
            acceptor = Acceptor(listener, self._protocol, self._count_connections, self._load, _BACKLOG)
            self._accepting.append(asyncio.create_task(acceptor.run()))
        self._announcement = asyncio.create_task(self._announce())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, answering what is under way."""
        for task in (*self._accepting, self._announcement):
            if task is not None:
                task.cancel()
        stopping = [super().shutdown(sockets), *([self._grpc.stop(_FINISH_S)] if self._grpc is not None else [])]
        await asyncio.gather(*stopping)

    def _protocol(self) -> asyncio.Protocol:
        """What serves one connection, as uvicorn makes it."""
        make: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        return protocol

    def _count_connections(self) -> int:
        return len(self.server_state.connections)

    async def _announce(self) -> None:
        while not self._ready():
            await asyncio.sleep(_POLL_S)
        self._on_ready()


def serve_worker(
    settings: Settings,
    factory: str,
    worker: int,
    listener: socket.socket,
    grpc_port: int | None,
    on_ready: Callable[[], None],
    load: Load | None = None,
) -> None:
    """Build this worker's services, serve until told to stop, and flush what was taken; `load` is shared with other workers."""
    gc.set_threshold(_COLLECT_AFTER)  # a request makes thousands of objects, of which none is in a circle
    services: EdgeServices = find_factory(factory)(settings, worker)
    try:
        require_key_or_loopback(settings.edge.host, services.registry.keys)
        app = build_edge_app(services.door, services.registry, settings)
        grpc = None if grpc_port is None else build_grpc_server(settings, services, listener, grpc_port)
        server = EdgeServer(uvicorn_config(app, settings.edge.receive_timeout_s), lambda: is_ready(app), on_ready, grpc, load)
        server.run(sockets=[listener])
    finally:
        services.close(_FLUSH_S)


def build_grpc_server(settings: Settings, services: EdgeServices, listener: socket.socket, port: int) -> OtlpGrpcServer:
    """The gRPC server beside an HTTP listener, on the same address."""
    host = listener.getsockname()[0]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    guard = KeyGuard(services.registry.keys, host=settings.edge.host)
    return OtlpGrpcServer(services.door, guard, address, settings.edge.max_body_bytes)


def uvicorn_config(app: Any, receive_timeout_s: float = EdgeSettings().receive_timeout_s) -> uvicorn.Config:
    """How every edge worker runs uvicorn."""
    return uvicorn.Config(
        app,
        http=partial(PunctualProtocol, receive_timeout_s=receive_timeout_s),  # type: ignore[arg-type]  # called, no more
        lifespan="on",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_FINISH_S,
    )


def find_factory(name: str) -> Callable[[Settings, int], EdgeServices]:
    """The function behind `module:function`; a name can be given to a spawned process, a closure cannot."""
    module, _, function = name.partition(":")
    found: Callable[[Settings, int], EdgeServices] = getattr(importlib.import_module(module), function)
    return found


@contextmanager
def hold_port(host: str, port: int, setting: str) -> Iterator[int]:
    """A port that is ours while this lasts, and that servers of ours can share; 0 chooses one."""
    # Without sharing first: a port that somebody else has must be refused, not shared.
    with bind_listener(host, port, setting=setting) as probe:
        chosen: int = probe.getsockname()[1]
    # Held, but never listening, so that the port stays ours while workers come and go.
    with bind_listener(host, chosen, setting=setting, shared=True):
        yield chosen


def bind_listener(host: str, port: int, *, setting: str = "edge.port", shared: bool = False) -> socket.socket:
    """A bound socket that does not listen yet; `shared` lets other sockets of ours bind the same port."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror as error:
        raise ConfigurationError(f"edge.host {host!r} is no address of this machine: {error.strerror}.") from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"Cannot listen on {host} port {port}: {error.strerror}. Stop what listens there, or set {setting} (0 takes any)."
        ) from error
    return listener
