"""OTLP clients that remember what was acknowledged: some send a body again until it is, as exporters do, others give it up."""

import itertools
import threading
import time
from collections.abc import Callable

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_CLIENTS = 3
_PAUSE_S = 0.01
_ANSWER_S = 20.0
_HEADERS = {"content-type": "application/x-protobuf"}


def chat_body(span_ids: list[int], *, text: str = "Where is my order?") -> bytes:
    """A request with one chat of a model per id, each a trace of its own."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    now_ns = time.time_ns()
    for number in span_ids:
        span = spans.add(
            trace_id=number.to_bytes(16, "big"),
            span_id=number.to_bytes(8, "big"),
            name="chat m",
            start_time_unix_nano=now_ns - 1_000_000,
            end_time_unix_nano=now_ns,
        )
        for key, value in (("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "m"), ("gen_ai.prompt", text)):
            span.attributes.add(key=key).value.string_value = value
    return bytes(request.SerializeToString())


def span_name(number: int) -> str:
    """The id of a span as the lake writes it."""
    return f"{number:016x}"


def send_chats(url: str, span_ids: list[int]) -> int:
    """Send one body; the status of the answer."""
    return httpx.post(f"{url}/v1/traces", content=chat_body(span_ids), headers=_HEADERS, timeout=_ANSWER_S).status_code


class Load:
    """Clients that send to these addresses in turn until stopped."""

    def __init__(
        self,
        urls: list[str],
        *,
        first_id: int = 1,
        pause_s: float = _PAUSE_S,
        on_acknowledged: Callable[[list[int]], None] | None = None,
    ) -> None:
        self._urls = itertools.cycle(urls)
        self._ids = itertools.count(first_id)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._pause_s = pause_s
        self._on_acknowledged = on_acknowledged
        self._acknowledged: set[int] = set()
        self._sent_once: set[int] = set()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(_CLIENTS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more; what was never acknowledged stays so."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_ANSWER_S + 5)
            assert not thread.is_alive()

    @property
    def acknowledged(self) -> set[str]:
        """The spans answered with 200."""
        with self._lock:
            return {span_name(number) for number in self._acknowledged}

    @property
    def sent_once(self) -> set[str]:
        """The spans that were acknowledged when they were sent for the first time, so can have been stored once only."""
        with self._lock:
            return {span_name(number) for number in self._sent_once}

    def _run(self, client: int) -> None:
        sends_again = client % 2 == 0
        with httpx.Client(timeout=_ANSWER_S, headers=_HEADERS) as connection:
            for size in itertools.cycle([1, 7, 30, 3]):
                if self._stop.is_set():
                    return
                self._deliver(connection, size, sends_again)
                self._stop.wait(self._pause_s)

    def _deliver(self, connection: httpx.Client, size: int, sends_again: bool) -> None:
        with self._lock:
            ids = [next(self._ids) for _ in range(size)]
        body = chat_body(ids)
        for attempt in itertools.count():
            if self._answers(connection, body):
                with self._lock:
                    self._acknowledged.update(ids)
                    self._sent_once.update(ids if attempt == 0 else [])
                if self._on_acknowledged is not None:
                    self._on_acknowledged(ids)
                return
            if not sends_again or self._stop.wait(0.1):
                return

    def _answers(self, connection: httpx.Client, body: bytes) -> bool:
        with self._lock:
            url = next(self._urls)
        try:
            return connection.post(f"{url}/v1/traces", content=body).status_code == 200
        except httpx.TransportError:
            return False
