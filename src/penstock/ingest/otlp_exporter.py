"""Sends OTLP requests and feedback to another backend over HTTP, one at a time, and says what became of each.

Whether a refusal is for good is decided here: a body that the backend cannot read never gets better; anything else, a wrong key
or address included, may be mended, so it is kept and tried again, after Retry-After where the backend names one.
"""

import asyncio
import gzip
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec
from google.protobuf.message import DecodeError
from msgspec import Struct
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from penstock.errors import BadInputError, ConfigurationError, UpstreamError
from penstock.formats.otlp import Encoding
from penstock.formats.retry_after import read_retry_after_s
from penstock.policy_settings import ForwardSettings

TRACES, LOGS, FEEDBACK = "/v1/traces", "/v1/logs", "/v1/feedback"
_FOR_GOOD = frozenset({400, 413, 415, 422})
_NO_SUCH_PATH = frozenset({404, 405})
_REASON_LENGTH = 300
_LONGEST_WAIT_S = 3600.0


class TooLargeError(BadInputError):
    """The backend takes no body of this size."""


class Sent(Struct, frozen=True):
    """An answer of success; some of the records may have been refused for good."""

    rejected: int = 0
    reason: str = ""


class OtlpExporter:
    """One connection pool to one backend, used by one thread."""

    def __init__(self, settings: ForwardSettings, environment: Mapping[str, str], name: str) -> None:
        self.name = name
        self._base = settings.endpoint.rstrip("/")
        self._compress = settings.compression == "gzip"
        self._timeout = aiohttp.ClientTimeout(total=settings.timeout_s)
        self._headers = {**settings.headers, **_secret_headers(settings, environment, name)}
        self._runner = asyncio.Runner()
        self._session: aiohttp.ClientSession | None = None
        self._not_before = 0.0

    def send_telemetry(self, path: str, request: Any) -> Sent:
        """Send an export request; raises BadInputError where it is refused for good, UpstreamError where it is for now."""
        body = self._post(path, request.SerializeToString(), str(Encoding.PROTOBUF))
        response_type = ExportTraceServiceResponse if path == TRACES else ExportLogsServiceResponse
        try:
            partial = response_type.FromString(body).partial_success
        except DecodeError:
            return Sent()  # its status says that it took everything
        rejected = partial.rejected_spans if path == TRACES else partial.rejected_log_records
        return Sent(rejected, partial.error_message[:_REASON_LENGTH])

    def send_feedback(self, reports: list[dict[str, Any]]) -> Sent:
        """Send reports to another Penstock; raises as the other does."""
        body = self._post(FEEDBACK, msgspec.json.encode(reports), "application/json")
        try:
            refused = msgspec.json.decode(body)["rejected"]
            return Sent(len(refused), str(refused[0]["error"])[:_REASON_LENGTH] if refused else "")
        except (msgspec.DecodeError, KeyError, TypeError, IndexError):
            return Sent()

    def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            self._runner.run(self._session.close())
            self._session = None
        self._runner.close()

    def _post(self, path: str, content: bytes, content_type: str) -> bytes:
        remaining = self._not_before - time.monotonic()
        if remaining > 0:
            raise UpstreamError(f"{self.name} ({self._base}) asked to be left alone; {remaining:.0f} s remain.", kind="status")
        status, headers, body = self._runner.run(self._request(path, content, content_type))
        if 200 <= status < 300:
            return body
        message = f"{self.name} ({self._base}{path}) answered {status}: {_readable(body)}"
        if status == 413:
            raise TooLargeError(message)
        if status in _FOR_GOOD or (status in _NO_SUCH_PATH and path == FEEDBACK):
            raise BadInputError(message)
        wait_s = read_retry_after_s(headers.get("Retry-After"))
        if wait_s is not None:
            self._not_before = time.monotonic() + min(wait_s, _LONGEST_WAIT_S)
        raise UpstreamError(message, kind="status", status=status, body=body)

    async def _request(self, path: str, content: bytes, content_type: str) -> tuple[int, Mapping[str, str], bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=self._timeout)
        headers = {"Content-Type": content_type}
        if self._compress:
            content = gzip.compress(content, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
        try:
            async with self._session.post(self._base + path, data=content, headers=headers, allow_redirects=False) as response:
                return response.status, response.headers, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise UpstreamError(f"{self.name} ({self._base}{path}) does not answer: {reason}.", kind="refused") from error


def _secret_headers(settings: ForwardSettings, environment: Mapping[str, str], name: str) -> dict[str, str]:
    missing = [variable for variable in settings.headers_env.values() if not environment.get(variable)]
    if missing:
        raise ConfigurationError(
            f"policy.forward.{name} takes a header from {', '.join(missing)}, which is not set in the environment."
        )
    return {header: environment[variable] for header, variable in settings.headers_env.items()}


def _readable(body: bytes) -> str:
    """The text of a refusal, also out of a google.rpc.Status in protobuf."""
    text = body[: 4 * _REASON_LENGTH].decode("utf-8", "ignore")
    return "".join(character for character in text if character.isprintable()).strip()[:_REASON_LENGTH] or "no message"
