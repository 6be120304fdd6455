"""Passing an upstream's answer on, whole or as a stream, and reading it as it goes by.

What the client gets is what the upstream sent, byte for byte, but for log-probabilities and counts that only Penstock asked for.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
from starlette.types import Send

from penstock.edge.answers import JSON, openai_error, send_answer
from penstock.edge.disconnect import DisconnectWatch
from penstock.edge.gateway_capture import Capture
from penstock.edge.gateway_request import Added
from penstock.edge.request_body import Headers
from penstock.errors import BadInputError, UpstreamError
from penstock.formats.server_sent_events import DONE, EventSplitter, ServerSentEvent, write_event
from penstock.model_client import OpenAnswer

_STREAM_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_OUTPUT_FIELDS = ("content", "tool_calls", "reasoning_content", "reasoning", "refusal", "function_call")
_DRAIN_S = 0.5
# An upstream that refuses our own key is our fault, not the client's: the client must not be told to mend its key.
_NOT_THE_CLIENTS_FAULT = frozenset({401, 403, 407})


class Relay:
    """One answer on its way from the upstream to the client."""

    def __init__(
        self,
        send: Send,
        headers: Headers,
        capture: Capture,
        watch: DisconnectWatch,
        clock: Callable[[], datetime],
        added: Added,
    ) -> None:
        self._send = send
        self._headers = headers
        self._capture = capture
        self._watch = watch
        self._clock = clock
        self._added = added
        self._has_begun = False
        self._is_done = False

    async def pass_on(self, answer: OpenAnswer) -> None:
        """Send the client what the upstream answers. Raises UpstreamError where that breaks off or makes no sense."""
        if not 200 <= answer.status < 300:
            await self._pass_failure(answer)
        elif answer.is_stream:
            await self._pass_stream(answer)
        else:
            await self._pass_whole(answer)

    async def fail(self, status: int, error: UpstreamError) -> None:
        """Tell the client that the upstream failed, inside the stream where that has begun."""
        content = msgspec.json.encode(openai_error(status, str(error), code=self._capture.error_type))
        if self._has_begun:
            await self._end_stream(write_event(content))
        else:
            await self._send_whole(status, content)

    async def _pass_whole(self, answer: OpenAnswer) -> None:
        body = await answer.read()
        response = _decode(body, "The upstream answered no JSON object")
        self._capture.response = response
        if self._added.logprobs and _has_logprobs(response):
            body = msgspec.json.encode(_without_logprobs(response))
        await self._send_whole(answer.status, body)

    async def _pass_failure(self, answer: OpenAnswer) -> None:
        body = await answer.read()
        text = body.decode("utf-8", "replace")
        self._capture.fail(f"upstream_{answer.status}", text)
        if answer.retry_after is not None:
            self._headers.append((b"retry-after", answer.retry_after.encode("latin-1", "replace")))
        status = client_status(answer.status)
        if status == answer.status and _is_openai_error(body):
            await self._send_whole(status, body)
            return
        message = f"The upstream {self._capture.destination.upstream!r} answered {answer.status}: {text[:300]}"
        await self._send_whole(status, msgspec.json.encode(openai_error(status, message, code=self._capture.error_type)))

    async def _pass_stream(self, answer: OpenAnswer) -> None:
        splitter = EventSplitter()
        chunks = answer.chunks()
        async for received in chunks:
            try:
                events = list(splitter.feed(received))
            except BadInputError as error:
                raise UpstreamError(str(error), kind="protocol") from error
            await self._send_events(events)
            if self._is_done:
                break
        else:
            await self._end_unfinished(splitter.rest())
        await self._end_stream(b"")
        await _drain(chunks)

    async def _end_unfinished(self, rest: ServerSentEvent | None) -> None:
        """The connection ended without [DONE]: well enough if every choice had said why it stopped."""
        if rest is not None:
            await self._send_events([rest])
        choices = self._capture.stream.response()["choices"]
        is_whole = bool(choices) and all(choice.get("finish_reason") for choice in choices)
        if not self._is_done and not is_whole:
            raise UpstreamError("The upstream ended its stream in the middle of the answer.", kind="disconnected")

    async def _send_events(self, events: list[ServerSentEvent]) -> None:
        """Pass whole events on; those before one that makes no sense are passed on all the same."""
        out: list[bytes] = []
        try:
            for event in events:
                out.append(self._read_event(event))
        finally:
            if out:
                await self._begin_stream()
                await self._send({"type": "http.response.body", "body": b"".join(out), "more_body": True})

    def _read_event(self, event: ServerSentEvent) -> bytes:
        if event.data is None or not event.data.strip():
            return event.raw
        if event.data.strip() == DONE:
            self._is_done = True
            return event.raw
        chunk = _decode(event.data, "The upstream streamed what is no JSON object")
        if _has_output(chunk):
            self._capture.note_first_token(self._clock())
        if isinstance(chunk.get("error"), dict):
            self._capture.fail("upstream_stream_error", str(chunk["error"].get("message", chunk["error"])))
        self._capture.stream.add(chunk)
        return self._as_asked(chunk, event)

    def _as_asked(self, chunk: dict[str, Any], event: ServerSentEvent) -> bytes:
        """The event without what only Penstock asked for; nothing where that was all."""
        wanted = chunk
        if self._added.usage and "usage" in chunk:
            wanted = {name: value for name, value in wanted.items() if name != "usage"}
            if not _choices(chunk) and chunk["usage"] is not None:
                return b""
        if self._added.logprobs and _has_logprobs(chunk):
            wanted = _without_logprobs(wanted)
        return event.raw if wanted is chunk else write_event(msgspec.json.encode(wanted))

    async def _begin_stream(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            await self._send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS + self._headers})

    async def _end_stream(self, last: bytes) -> None:
        await self._begin_stream()
        self._watch.answered = True
        await self._send({"type": "http.response.body", "body": last})

    async def _send_whole(self, status: int, body: bytes) -> None:
        self._watch.answered = True
        await send_answer(self._send, status, JSON, body, self._headers)


def client_status(upstream_status: int) -> int:
    """What the client is told where the upstream answered with this status and no success."""
    if 400 <= upstream_status < 500 and upstream_status not in _NOT_THE_CLIENTS_FAULT:
        return upstream_status
    return 504 if upstream_status == 504 else 502


def _decode(body: bytes, complaint: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamError(f"{complaint}: {body[:100]!r}.", kind="protocol") from error


def _is_openai_error(body: bytes) -> bool:
    try:
        return "error" in msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _has_output(chunk: Mapping[str, Any]) -> bool:
    for choice in _choices(chunk):
        delta = choice.get("delta")
        if choice.get("text") or (isinstance(delta, dict) and any(delta.get(name) for name in _OUTPUT_FIELDS)):
            return True
    return False


def _has_logprobs(response: Mapping[str, Any]) -> bool:
    return any(choice.get("logprobs") is not None for choice in _choices(response))


def _without_logprobs(response: Mapping[str, Any]) -> dict[str, Any]:
    """What the client asked for; the response itself keeps its log-probabilities for the capture."""
    return {**response, "choices": [{**choice, "logprobs": None} for choice in _choices(response)]}


def _choices(response: Mapping[str, Any]) -> list[dict[str, Any]]:
    choices = response.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read what little follows [DONE], so that the connection can be used again."""
    with suppress(TimeoutError, UpstreamError):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in chunks:
                pass
