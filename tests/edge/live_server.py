"""A real uvicorn, and a gRPC server beside it, in a thread, on free ports, for as long as a `with` lasts."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette

from penstock.edge.application import is_ready
from penstock.edge.otlp_grpc import OtlpGrpcServer
from penstock.edge.server import EdgeServer, bind_listener, uvicorn_config


@contextmanager
def serve(app: Starlette, *, wait_until_ready: bool = True, grpc: OtlpGrpcServer | None = None) -> Iterator[str]:
    listener = bind_listener("127.0.0.1", 0)
    port = listener.getsockname()[1]
    ready = threading.Event()
    server = EdgeServer(uvicorn_config(app), lambda: is_ready(app), ready.set, grpc)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        if wait_until_ready:
            assert ready.wait(20), "the server did not become ready"
        else:
            wait_for(lambda: server.started)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


def wait_for(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What the condition gives once it is true; fails the test when it stays untrue."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return found
