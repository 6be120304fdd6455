"""The one outgoing model client: OpenAI-compatible servers, over one pooled session per server.

Every failure is an UpstreamError whose `kind` says what went wrong: refused, timeout, disconnected, status, protocol.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

import aiohttp
import msgspec
from msgspec import Struct

from penstock.errors import BadInputError, ConfigurationError, UpstreamError
from penstock.formats.server_sent_events import DONE, EventSplitter

CHAT = "/chat/completions"
COMPLETIONS = "/completions"
MODELS = "/models"
_OK = 200
# Under the 5 s after which uvicorn closes an idle connection: a request sent into a closing one would be lost.
_KEEPALIVE_S = 4.0
_MESSAGE_BYTES = 300


class Timeouts(Struct, frozen=True, kw_only=True):
    """How long an upstream may take."""

    connect_s: float = 5.0
    idle_s: float = 60.0  # silence before or within an answer


class OpenAnswer:
    """An answer of which only the head has been read."""

    def __init__(self, response: aiohttp.ClientResponse, max_bytes: int, name: str) -> None:
        self.status = response.status
        self.content_type = response.headers.get("content-type", "")
        self.retry_after = response.headers.get("retry-after")
        self._response = response
        self._max_bytes = max_bytes
        self._name = name

    @property
    def is_stream(self) -> bool:
        """Whether it is a stream of server-sent events."""
        return self.content_type.startswith("text/event-stream")

    async def read(self) -> bytes:
        """The whole body."""
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > self._max_bytes:
                raise UpstreamError(f"{self._name} answered with more than {self._max_bytes} bytes.", kind="protocol")
            parts.append(chunk)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        with _translate(self._name):
            async for chunk in self._response.content.iter_any():
                yield chunk


class ModelClient:
    """Speaks to one OpenAI-compatible server; belongs to the event loop it is first used in."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        timeouts: Timeouts | None = None,
        max_answer_bytes: int = 64 * 1024 * 1024,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"The model server's address {base_url!r} must start with http:// or https:// and end in /v1."
            )
        self.base_url = base_url.rstrip("/")
        self._headers = {**(headers or {}), **({"authorization": f"Bearer {api_key}"} if api_key else {})}
        self._timeouts = timeouts or Timeouts()
        self._max_answer_bytes = max_answer_bytes
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every pooled connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def exchange(
        self, path: str, body: bytes | None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[OpenAnswer]:
        """Send these bytes (GET without any) and give the answer, whatever its status; leaving early drops the connection."""
        sent = {**(headers or {}), **self._headers}
        if body is not None:
            sent.setdefault("content-type", "application/json")
        with _translate(self.base_url):
            response = await self._open_session().request(
                "GET" if body is None else "POST", self.base_url + path, data=body, headers=sent, allow_redirects=False
            )
        try:
            yield OpenAnswer(response, self._max_answer_bytes, self.base_url)
        finally:
            # An answer read to its end has given its connection back already; any other must not be reused.
            response.close()

    async def chat(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One chat completion."""
        return await self._post(CHAT, request)

    async def complete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One text completion."""
        return await self._post(COMPLETIONS, request)

    async def models(self) -> list[dict[str, Any]]:
        """What the server lists under /models."""
        async with self.exchange(MODELS, None) as answer:
            listed = self._decode(await self._success(answer)).get("data")
        if not isinstance(listed, list):
            raise UpstreamError(f"{self.base_url}{MODELS} has no list `data`.", kind="protocol")
        return listed

    async def stream(self, request: Mapping[str, Any], path: str = CHAT) -> AsyncIterator[dict[str, Any]]:
        """The chunks of one streamed completion; a stream that ends without [DONE] is an error."""
        body = msgspec.json.encode({**request, "stream": True})
        async with self.exchange(path, body) as answer:
            if not answer.is_stream:
                await self._success(answer)
                raise UpstreamError(f"{self.base_url}{path} answered {answer.content_type!r}, no event stream.", kind="protocol")
            splitter = EventSplitter()
            async for received in answer.chunks():
                for data in _event_data(splitter, received, self.base_url):
                    if data == DONE:
                        return
                    yield self._chunk(data)
        raise UpstreamError(f"{self.base_url} ended its stream without [DONE].", kind="disconnected")

    async def _post(self, path: str, request: Mapping[str, Any]) -> dict[str, Any]:
        async with self.exchange(path, msgspec.json.encode(request)) as answer:
            return self._decode(await self._success(answer))

    async def _success(self, answer: OpenAnswer) -> bytes:
        body = await answer.read()
        if answer.status != _OK:
            text = body[:_MESSAGE_BYTES].decode("utf-8", "replace")
            raise UpstreamError(
                f"{self.base_url} answered {answer.status}: {text}", kind="status", status=answer.status, body=body
            )
        return body

    def _chunk(self, data: bytes) -> dict[str, Any]:
        chunk = self._decode(data)
        if "error" in chunk:
            raise UpstreamError(
                f"{self.base_url} failed within its stream: {chunk['error']}", kind="status", status=_OK, body=data
            )
        return chunk

    def _decode(self, body: bytes) -> dict[str, Any]:
        try:
            return msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            text = body[:_MESSAGE_BYTES].decode("utf-8", "replace")
            raise UpstreamError(f"{self.base_url} answered no JSON object: {text!r}", kind="protocol", body=body) from error

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect_s, sock_read=self._timeouts.idle_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"accept-encoding": "identity"},  # a compressed stream would be held back until a block is full
            )
        return self._session


def _event_data(splitter: EventSplitter, received: bytes, name: str) -> Iterator[bytes]:
    try:
        for event in splitter.feed(received):
            if event.data is not None:
                yield event.data
    except BadInputError as error:
        raise UpstreamError(f"{name}: {error}", kind="protocol") from error


@contextmanager
def _translate(name: str) -> Iterator[None]:
    """Turn what aiohttp raises into an UpstreamError."""
    try:
        yield
    except TimeoutError as error:
        raise UpstreamError(f"{name} did not answer in time: {error or 'it stayed silent'}.", kind="timeout") from error
    except aiohttp.ClientConnectorError as error:
        raise UpstreamError(f"{name} cannot be reached: {error}.", kind="refused") from error
    except aiohttp.ClientResponseError as error:
        raise UpstreamError(f"{name} answered no valid HTTP: {error.message or error}.", kind="protocol") from error
    except aiohttp.ClientError as error:
        raise UpstreamError(f"{name} broke off the connection: {error or type(error).__name__}.", kind="disconnected") from error
