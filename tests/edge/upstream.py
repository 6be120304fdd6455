"""A scripted OpenAI-compatible upstream on loopback: the model's name says how it behaves."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TOKENS = ["Bonjour", " le", " monde", "."]
USAGE = {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
LOGPROBS = [-0.1, -0.2, -0.3, -0.4]


class ScriptedUpstream:
    """Counts requests, keeps their bodies, and notices when a client hangs up in the middle."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.heads: list[str] = []
        self.hung_up = threading.Event()
        self.port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    (int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0
                )
                body = json.loads(await reader.readexactly(length) or b"{}")
                self.heads.append(head)
                self.bodies.append(body)
                await self._answer(head, body, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: str, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        model = body.get("model", "")
        if head.startswith("GET /v1/models"):
            _whole(
                writer,
                200,
                {"object": "list", "data": [{"id": "upstream-model", "object": "model", "created": 1, "owned_by": "x"}]},
            )
        elif model.startswith("status-"):
            status = int(model.removeprefix("status-"))
            _whole(writer, status, {"error": {"message": f"says {status}", "type": "scripted", "param": None, "code": "c"}})
        elif model == "bad-json":
            _raw(writer, 200, b"<html>hello</html>")
        elif model == "hang":
            await self._until_hung_up(reader)
        elif model == "drop":
            raise ConnectionError
        elif body.get("stream"):
            await self._stream(model, head, body, reader, writer)
        else:
            _whole(writer, 200, whole_answer(body, "/chat/" in head))
        await writer.drain()

    async def _stream(
        self, model: str, head: str, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for position in range(len(TOKENS)):
            if model == "die-mid-stream" and position == 2:
                await writer.drain()
                raise ConnectionError
            if model == "hang-mid-stream" and position == 2:
                await writer.drain()
                await self._until_hung_up(reader)
            if model == "bad-json-mid-stream" and position == 2:
                _chunk(writer, b"data: {not json\n\n")
                await writer.drain()
                await self._until_hung_up(reader)
            _chunk(writer, _event(stream_chunk(body, "/chat/" in head, position)))
            await writer.drain()
        if (body.get("stream_options") or {}).get("include_usage"):
            _chunk(writer, _event({"id": "answer-1", "choices": [], "usage": USAGE}))
        if model != "no-done":
            _chunk(writer, b": a comment\n\n")
            _chunk(writer, b"data: [DONE]\n\n")
        _chunk(writer, b"")

    async def _until_hung_up(self, reader: asyncio.StreamReader) -> None:
        await reader.read(1)
        self.hung_up.set()
        raise ConnectionError


@contextmanager
def running_upstream(given: ScriptedUpstream | None = None) -> Iterator[ScriptedUpstream]:
    upstream = given or ScriptedUpstream()
    loop = asyncio.new_event_loop()
    started = threading.Event()
    stop = asyncio.Event()

    async def main() -> None:
        server = await asyncio.start_server(upstream.handle, "127.0.0.1", 0)
        upstream.port = server.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.01)

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield upstream
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def whole_answer(body: dict[str, Any], chat: bool) -> dict[str, Any]:
    text = "".join(TOKENS)
    content = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    choice = {"index": 0, "finish_reason": "stop", "logprobs": _logprobs(body, chat, range(len(TOKENS))), **content}
    return {
        "id": "answer-1",
        "object": "chat.completion" if chat else "text_completion",
        "created": 1,
        "model": body["model"],
        "choices": [choice],
        "usage": USAGE,
        "vendor_field": {"kept": True},
    }


def stream_chunk(body: dict[str, Any], chat: bool, position: int) -> dict[str, Any]:
    last = position == len(TOKENS) - 1
    content = {"delta": {"content": TOKENS[position]}} if chat else {"text": TOKENS[position]}
    choice = {
        "index": 0,
        "finish_reason": "stop" if last else None,
        "logprobs": _logprobs(body, chat, range(position, position + 1)),
        **content,
    }
    return {
        "id": "answer-1",
        "object": "chat.completion.chunk" if chat else "text_completion",
        "created": 1,
        "model": body["model"],
        "choices": [choice],
    }


def _logprobs(body: dict[str, Any], chat: bool, positions: range) -> dict[str, Any] | None:
    if not body.get("logprobs"):
        return None
    if chat:
        return {
            "content": [{"token": TOKENS[i], "logprob": LOGPROBS[i], "bytes": None, "top_logprobs": []} for i in positions],
            "refusal": None,
        }
    return {
        "tokens": [TOKENS[i] for i in positions],
        "token_logprobs": [LOGPROBS[i] for i in positions],
        "top_logprobs": None,
        "text_offset": [],
    }


def _event(content: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))


def _whole(writer: asyncio.StreamWriter, status: int, content: dict[str, Any]) -> None:
    _raw(writer, status, json.dumps(content).encode())


def _raw(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    retry = b"retry-after: 7\r\n" if status in (429, 503) else b""
    writer.write(
        b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n%s" % (status, retry, len(body), body)
    )
