"""What becomes of records: routed into the store, to other backends or nowhere, sampled, redacted, written.

What goes to another backend is queued beside the store; the answer waits for both to be on disk, but a queue fails no request.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import pyarrow as pa
from msgspec import Struct

from penstock.ingest.flush import FlushThread
from penstock.ingest.forward_queue import ForwardQueue
from penstock.ingest.routing import STORE, Routing, group
from penstock.ingest.sampling import Sampling
from penstock.lake.arrow_schema import to_arrow
from penstock.lake.tables import TABLES
from penstock.policy_settings import PolicySettings
from penstock.records.feedback import Feedback
from penstock.records.span import Span

Redact = Callable[[Sequence[Span]], list[Span]]
Put = Callable[[str, pa.Table], "Future[None]"]


class Forward(Struct, frozen=True, kw_only=True):
    """One backend that gets copies."""

    queue: ForwardQueue
    thread: FlushThread
    to_penstock: bool

    def status(self) -> dict[str, Any]:
        """What waits, what went and what did not."""
        return {
            "queue_bytes": self.queue.size_bytes,
            "queue_max_bytes": self.queue.max_bytes,
            "forwarded_rows": self.thread.flushed_rows,
            "refused_rows": self.thread.refused_rows,
            "dropped_rows": self.queue.dropped_rows,
            "error": self.thread.failure,
        }


class Policy:
    """The policy of one edge worker."""

    def __init__(self, settings: PolicySettings, secret: bytes, forwards: Mapping[str, Forward]) -> None:
        """`secret` is the key of the home, which draws."""
        self._sampling = Sampling(settings.sample, secret)
        self._routing = Routing(settings.route)
        self._forwards = forwards
        self._counts = {"sampled_out": 0, "dropped": 0}

    def put_spans(self, spans: Sequence[Span], redact: Redact, store: Put) -> list["Future[None]"]:
        """Have spans written wherever they go; `store` puts rows into the spool. Text that is not kept is not looked at."""
        pipelines = self._routing.pipelines(spans)
        if () in pipelines:
            spans = [span for span, leads_to in zip(spans, pipelines, strict=True) if leads_to]
            self._counts["dropped"] += len(pipelines) - len(spans)
            pipelines = [leads_to for leads_to in pipelines if leads_to]
        sampled = self._sampling.thin_spans(spans)
        self._counts["sampled_out"] += sum(span.content_sampled is False for span in sampled)
        routed = group(redact(sampled), pipelines)
        written: list[Future[None]] = []
        tables: dict[int, pa.Table] = {}  # the same spans for several pipelines are converted once
        for pipeline, of_pipeline in routed.items():
            if id(of_pipeline) not in tables:
                tables[id(of_pipeline)] = to_arrow(TABLES["spans"], of_pipeline)
            rows = tables[id(of_pipeline)]
            written.append(store("spans", rows) if pipeline == STORE else self._forwards[pipeline].queue.offer("spans", rows))
        return written

    @property
    def takes_rows(self) -> bool:
        """Whether all spans are stored whole and go nowhere else, so that no single one has to be looked at."""
        return self._sampling.keeps_all and self._routing.stores_all

    def put_feedback(self, reports: Sequence[Feedback], store: Put) -> list["Future[None]"]:
        """Have reports written; they are always stored, and go to every other Penstock as well."""
        rows = to_arrow(TABLES["feedback"], reports)
        others = [forward.queue.offer("feedback", rows) for forward in self._forwards.values() if forward.to_penstock]
        return [store("feedback", rows), *others]

    def status(self) -> dict[str, Any]:
        """Counts since the start, and each backend's."""
        return {**self._counts, "forward": {name: forward.status() for name, forward in self._forwards.items()}}

    def close(self, timeout_s: float) -> None:
        """Forward once more and let go of the queues; what is left in them is adopted at the next start."""
        deadline = time.monotonic() + timeout_s
        for forward in self._forwards.values():
            forward.thread.ask_to_stop()
        for forward in self._forwards.values():
            forward.thread.stop(max(0.0, deadline - time.monotonic()))
            forward.queue.close(delete_if_empty=True)
