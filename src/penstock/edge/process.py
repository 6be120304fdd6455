"""The edge process: one worker in this process, or several that are spawned, watched and started anew when they die.

Workers are spawned, never forked, and each binds the port for itself, so that the kernel spreads connections over them. What a
dead worker had acknowledged lies in its spool, which the next one to start adopts.
"""

import logging
import multiprocessing
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Literal

from penstock.child_process import end_with_parent
from penstock.edge.acceptor import Load
from penstock.edge.run_file import remove_run_file, write_run_file
from penstock.edge.server import bind_listener, hold_port, serve_worker
from penstock.errors import ConfigurationError, PenstockError, StorageError
from penstock.settings import Settings

_POLL_S = 0.2
_RESTART_S = 1.0
_STOP_S = 30.0  # more than a worker takes to finish its requests and to flush

logger = logging.getLogger(__name__)


def run_edge(settings: Settings, factory: str) -> None:
    """Serve until SIGTERM or SIGINT. `factory` is "module:function", which builds a worker's EdgeServices."""
    if settings.edge.workers < 1:
        raise ConfigurationError(f"edge.workers is {settings.edge.workers}; at least one has to serve.")
    edge = settings.edge
    _allow_many_connections()
    try:
        with hold_port(edge.host, edge.grpc_port, "edge.grpc_port") if edge.grpc else nullcontext() as grpc_port:
            if edge.workers == 1:
                _run_single(settings, factory, grpc_port)
            else:
                WorkerPool(settings, factory, grpc_port).run()
    finally:
        remove_run_file(settings.home_path)


def _allow_many_connections() -> None:
    """Open as many files as the machine allows, as workers then may too: the usual 1024 are few for connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _run_single(settings: Settings, factory: str, grpc_port: int | None) -> None:
    with bind_listener(settings.edge.host, settings.edge.port) as listener:
        port = listener.getsockname()[1]

        def tell() -> None:
            write_run_file(settings.home_path, settings.edge.host, port, workers=1, grpc_port=grpc_port)

        serve_worker(settings, factory, 0, listener, grpc_port, tell)


class WorkerPool:
    """The parent of several workers; it takes no requests itself."""

    def __init__(self, settings: Settings, factory: str, grpc_port: int | None) -> None:
        self._settings = settings
        self._factory = factory
        self._grpc_port = grpc_port
        self._context = multiprocessing.get_context("spawn")
        self._connections = self._context.RawArray("i", settings.edge.workers)
        self._stopping = threading.Event()
        self._workers: dict[int, SpawnProcess] = {}
        self._reports: dict[int, Connection] = {}
        self._ready: set[int] = set()
        self._was_ready = False

    def run(self) -> None:
        """Start all workers and keep them running until told to stop."""
        edge = self._settings.edge
        with bind_listener(edge.host, edge.port) as listener, self._stop_at_signals():
            try:
                for worker in range(edge.workers):
                    self._start(worker, listener)
                while not self._stopping.is_set():
                    self._watch(listener)
            finally:
                self._stop_all()

    def _start(self, worker: int, listener: socket.socket) -> None:
        if worker in self._reports:
            self._reports.pop(worker).close()
        receiver, sender = self._context.Pipe(duplex=False)
        arguments = (self._settings, self._factory, worker, listener, self._grpc_port, sender, self._connections)
        process = self._context.Process(target=run_spawned_worker, args=arguments, name=f"edge-{worker}")
        process.start()
        sender.close()
        self._workers[worker], self._reports[worker] = process, receiver

    def _watch(self, listener: socket.socket) -> None:
        sentinels = [process.sentinel for process in self._workers.values()]
        wait([*self._reports.values(), *sentinels], timeout=_POLL_S)
        for worker in list(self._reports):
            self._read_report(worker)
        if len(self._ready) == self._settings.edge.workers and not self._was_ready:
            self._was_ready = True
            edge = self._settings.edge
            port = listener.getsockname()[1]
            write_run_file(self._settings.home_path, edge.host, port, workers=len(self._ready), grpc_port=self._grpc_port)
        for worker, process in list(self._workers.items()):
            if not process.is_alive() and not self._stopping.is_set():
                self._replace(worker, process, listener)

    def _read_report(self, worker: int) -> None:
        if not self._reports[worker].poll():
            return
        try:
            kind, text = self._reports[worker].recv()
        except EOFError:
            self._reports.pop(worker).close()
            return
        if kind == "ready":
            self._ready.add(worker)
        elif not self._was_ready:
            raise ConfigurationError(text) if kind == "configuration" else StorageError(text)
        else:
            logger.error("Edge worker %s could not start: %s", worker, text)

    def _replace(self, worker: int, process: SpawnProcess, listener: socket.socket) -> None:
        if worker in self._reports:
            self._read_report(worker)
        if not self._was_ready:
            raise StorageError(f"Edge worker {worker} ended with exit code {process.exitcode} before it was ready.")
        logger.error("Edge worker %s ended with exit code %s; another takes its place.", worker, process.exitcode)
        if not self._stopping.wait(_RESTART_S):
            self._start(worker, listener)

    def _stop_all(self) -> None:
        for process in self._workers.values():
            if process.is_alive():
                process.terminate()
        deadline = time.monotonic() + _STOP_S
        for process in self._workers.values():
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()

    @contextmanager
    def _stop_at_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, lambda *_: self._stopping.set()) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def run_spawned_worker(
    settings: Settings,
    factory: str,
    worker: int,
    listener: socket.socket,
    grpc_port: int | None,
    report: Connection,
    connections: Any,
) -> None:
    """What a spawned worker does; it tells its parent when it is ready, or why it could not start."""
    end_with_parent()

    def tell(kind: Literal["ready", "configuration", "storage"], text: str = "") -> None:
        report.send((kind, text))

    try:
        with listener:
            serve_worker(settings, factory, worker, listener, grpc_port, lambda: tell("ready"), Load(connections, worker))
    except ConfigurationError as error:
        tell("configuration", str(error))
    except PenstockError as error:
        tell("storage", str(error))
