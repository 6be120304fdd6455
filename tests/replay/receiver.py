"""A tiny edge over real HTTP that keeps what it is sent and can be told to misbehave."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Reply = tuple[int, bytes, dict[str, str]]


@dataclass
class Receiver:
    """What arrived, and `misbehave`, which may answer a request in the edge's place."""

    url: str = ""
    bodies: list[tuple[str, str, bytes]] = field(default_factory=list)  # path, content type, body
    feedback: list[dict[str, Any]] = field(default_factory=list)
    requests: int = 0
    keys: set[str] = field(default_factory=set)
    headers: list[dict[str, str]] = field(default_factory=list)  # of every request, names in lower case
    misbehave: Callable[[int, str, bytes], Reply | None] = lambda _number, _path, _body: None

    def spans(self) -> list[Any]:
        """Every span that was taken, repeats included."""
        requests = [ExportTraceServiceRequest.FromString(body) for path, _, body in self.bodies if path == "/v1/traces"]
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def records(self) -> list[Any]:
        """Every log record that was taken."""
        requests = [ExportLogsServiceRequest.FromString(body) for path, _, body in self.bodies if path == "/v1/logs"]
        return [
            log
            for request in requests
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for log in scope.log_records
        ]

    def attributes(self, index: int = 0) -> dict[str, Any]:
        """The attributes of one span that was taken."""
        return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in self.spans()[index].attributes}

    def answer(self, path: str, content_type: str, body: bytes) -> Reply:
        self.requests += 1
        reply = self.misbehave(self.requests, path, body)
        if reply is not None:
            return reply
        if path == "/v1/feedback":
            reports = json.loads(body)
            self.feedback += reports
            return 200, json.dumps({"accepted": len(reports), "feedback_ids": [], "rejected": []}).encode(), {}
        self.bodies.append((path, content_type, body))
        return 200, b"{}" if content_type == "application/json" else b"", {}


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port of the loopback interface."""
    receiver = Receiver()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            with lock:
                receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
                receiver.keys.add(self.headers.get("Authorization", ""))
                status, content, headers = receiver.answer(self.path, self.headers["Content-Type"], body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
