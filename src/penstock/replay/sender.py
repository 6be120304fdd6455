"""Sends one request to the edge until it is answered for good, as an OTLP exporter would.

Retried: no connection, a time-out, 429, 502, 503, 504, each after Retry-After or a growing pause. Another refusal is the row's
fault and is returned with its reason; a key that is refused, or an edge that stays away, ends the replay with an error.
"""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import aiohttp
from google.protobuf.message import DecodeError
from msgspec import Struct
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from penstock.errors import ConfigurationError, UpstreamError
from penstock.formats.otlp import Encoding
from penstock.formats.retry_after import read_retry_after_s
from penstock.replay.otlp_bodies import Signal

_RETRIED = frozenset({429, 502, 503, 504})
_REASON_LENGTH = 300


class Patience(Struct, frozen=True, kw_only=True):
    """How long a replay waits for an edge that is busy or away."""

    request_timeout_s: float = 60.0
    first_pause_s: float = 0.2
    longest_pause_s: float = 30.0
    give_up_after_s: float = 600.0
    never_answered_after_s: float = 5.0  # before the first answer a wrong address is the likely reason


class Answer(Struct, frozen=True, kw_only=True):
    """What the edge made of a request; `reason` is None where it took all of it."""

    accepted: bool
    reason: str | None = None
    rejected_items: int = 0
    rejected: tuple[tuple[int, str], ...] = ()  # feedback: index and reason


class EdgeSender:
    """One connection pool to one edge."""

    def __init__(self, http: aiohttp.ClientSession, edge_url: str, patience: Patience, on_wait: Callable[[str], None]) -> None:
        self._http = http
        self._edge_url = edge_url.rstrip("/")
        self._patience = patience
        self._on_wait = on_wait
        self._answered = False

    async def send_telemetry(self, signal: Signal, content: bytes, content_type: str) -> Answer:
        """Send one OTLP body."""
        status, body = await self._post(f"/v1/{signal}", content, content_type)
        if status != 200:
            return Answer(accepted=False, reason=f"the edge answered {status}: {_readable(body)}")
        rejected, message = _partial_success(signal, body, content_type)
        return Answer(accepted=True, reason=message or None, rejected_items=rejected)

    async def send_feedback(self, reports: list[dict[str, Any]]) -> Answer:
        """Send reports; one that is refused costs the others nothing."""
        status, body = await self._post("/v1/feedback", json.dumps(reports).encode(), "application/json")
        try:
            answer = json.loads(body)
            refused = tuple((int(item["index"]), str(item["error"])[:_REASON_LENGTH]) for item in answer["rejected"])
        except (ValueError, KeyError, TypeError):
            refused = ()
        if status == 200 or refused:
            return Answer(accepted=True, rejected=refused, rejected_items=len(refused))
        return Answer(accepted=False, reason=f"the edge answered {status}: {_readable(body)}")

    async def _post(self, path: str, content: bytes, content_type: str) -> tuple[int, bytes]:
        """The final status and body."""
        waited_s = 0.0
        pause_s = self._patience.first_pause_s
        while True:
            status, body, retry_after_s, trouble = await self._try(path, content, content_type)
            if status is not None and status not in _RETRIED:
                self._check(status, path, body)
                return status, body
            limit_s = self._patience.give_up_after_s if self._answered else self._patience.never_answered_after_s
            if waited_s >= limit_s:
                raise self._give_up(path, waited_s, trouble)
            delay_s = retry_after_s if retry_after_s is not None else pause_s * random.uniform(0.8, 1.2)  # noqa: S311  jitter, no secret
            delay_s = min(delay_s, self._patience.longest_pause_s)
            self._on_wait(f"{trouble}; trying again in {delay_s:.1f} s")
            await asyncio.sleep(delay_s)
            waited_s += max(delay_s, self._patience.first_pause_s)
            pause_s = min(pause_s * 2, self._patience.longest_pause_s)

    async def _try(self, path: str, content: bytes, content_type: str) -> tuple[int | None, bytes, float | None, str]:
        """One attempt: status, body, Retry-After and what to say about it."""
        try:
            async with self._http.post(
                self._edge_url + path,
                data=content,
                headers={"Content-Type": content_type},
                timeout=aiohttp.ClientTimeout(total=self._patience.request_timeout_s),
            ) as response:
                body = await response.read()
                self._answered = True
                return (
                    response.status,
                    body,
                    read_retry_after_s(response.headers.get("Retry-After")),
                    f"the edge answered {response.status}",
                )
        except aiohttp.InvalidURL as error:
            raise ConfigurationError(f"{self._edge_url!r} is no URL of an edge; write it like http://127.0.0.1:4318.") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            return None, b"", None, f"no answer from the edge ({error or type(error).__name__})"

    def _check(self, status: int, path: str, body: bytes) -> None:
        """Raise for what no other row would fare better with."""
        if status in (401, 403):
            raise ConfigurationError(
                f"The edge refused the API key ({status}: {_readable(body)}). "
                "It needs the scopes ingest and feedback: `penstock keys create`."
            )
        if status in (404, 405):
            raise ConfigurationError(f"{self._edge_url}{path} answered {status}: is that the address of a Penstock edge?")
        if status >= 500 or status < 200 or 300 <= status < 400:
            raise UpstreamError(f"The edge at {self._edge_url} answered {status}: {_readable(body)}. The same command resumes.")

    def _give_up(self, path: str, waited_s: float, trouble: str) -> Exception:
        if not self._answered:
            return ConfigurationError(
                f"Nothing answers at {self._edge_url} ({trouble}). Start it with `penstock up`, or name another edge with --edge."
            )
        return UpstreamError(
            f"{self._edge_url}{path}: {trouble}, for {waited_s:.0f} s. The same command resumes where this one stopped."
        )


def _partial_success(signal: Signal, body: bytes, content_type: str) -> tuple[int, str]:
    """How many items were refused and why; an answer that cannot be read is taken for a full success, which its status says."""
    try:
        if content_type == Encoding.JSON:
            partial = json.loads(body or b"{}").get("partialSuccess", {})
            return int(partial.get("rejectedSpans", partial.get("rejectedLogRecords", 0))), str(partial.get("errorMessage", ""))
        if signal == "traces":
            spans = ExportTraceServiceResponse.FromString(body).partial_success
            return spans.rejected_spans, spans.error_message
        records = ExportLogsServiceResponse.FromString(body).partial_success
        return records.rejected_log_records, records.error_message
    except (DecodeError, ValueError, AttributeError, TypeError):
        return 0, ""


def _readable(body: bytes) -> str:
    """The text of a refusal, also out of a google.rpc.Status in protobuf."""
    text = body[: 4 * _REASON_LENGTH].decode("utf-8", "ignore")
    return "".join(character for character in text if character.isprintable()).strip()[:_REASON_LENGTH] or "no message"
