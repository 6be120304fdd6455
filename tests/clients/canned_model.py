"""An OpenAI-compatible server on loopback whose answers depend on the request alone, so that every client hears the same."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOLD = "Order A-1001 shipped yesterday."
_FINGERPRINT = "fp_canned"


class _CannedModel(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        model = body["model"]
        if model.startswith("err-"):
            status = int(model.removeprefix("err-"))
            self._send(status, {"error": {"message": f"says {status}", "type": "canned", "param": None, "code": None}})
        elif self.path.endswith("/embeddings"):
            self._send(200, _embeddings(body))
        elif body.get("stream"):
            self._stream(body)
        else:
            self._send(200, _completion(body))

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""

    def _send(self, status: int, content: dict[str, Any]) -> None:
        self._answer(status, "application/json", json.dumps(content).encode())

    def _stream(self, body: dict[str, Any]) -> None:
        whole = _completion(body)
        message, reason = whole["choices"][0]["message"], whole["choices"][0]["finish_reason"]
        words = [{"content": word + " "} for word in (message["content"] or "").split()]
        calls = [{"tool_calls": [{"index": 0, **call}]} for call in message.get("tool_calls", [])]
        pieces: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *words, *calls, {}]
        chunks = [
            {**_head(body, "chat.completion.chunk"), "choices": [{"index": 0, "delta": piece, "finish_reason": None}]}
            for piece in pieces
        ]
        chunks[-1]["choices"][0]["finish_reason"] = reason
        if (body.get("stream_options") or {}).get("include_usage"):
            chunks.append({**_head(body, "chat.completion.chunk"), "choices": [], "usage": whole["usage"]})
        lines = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]
        self._answer(200, "text/event-stream", b"".join([*lines, b"data: [DONE]\n\n"]))

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def running_model() -> Iterator[str]:
    """The base URL of one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _CannedModel)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _head(body: dict[str, Any], kind: str) -> dict[str, Any]:
    turns = len(body["messages"])
    return {
        "id": f"chatcmpl-{turns}-{'stream' if body.get('stream') else 'whole'}",
        "object": kind,
        "created": 1,
        "model": f"{body['model']}-2024-07-18",
        "system_fingerprint": _FINGERPRINT,
    }


def _completion(body: dict[str, Any]) -> dict[str, Any]:
    turns = len(body["messages"])
    message: dict[str, Any] = {"role": "assistant", "content": f"Answer {turns} to you."}
    reason = "stop"
    if body["messages"][-1]["role"] == "tool":
        message["content"] = TOLD
    elif body.get("tools"):
        call = {"name": "lookup_order", "arguments": '{"order_id": "A-1001"}'}
        message.update(content=None, tool_calls=[{"id": "call_1", "type": "function", "function": call}])
        reason = "tool_calls"
    usage = {
        "prompt_tokens": 20 + turns,
        "completion_tokens": 11,
        "total_tokens": 31 + turns,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    choice = {"index": 0, "finish_reason": reason, "logprobs": None, "message": message}
    return {**_head(body, "chat.completion"), "choices": [choice], "usage": usage}


def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    data = [{"object": "embedding", "index": index, "embedding": [0.25] * 96} for index in range(len(texts))]
    return {"object": "list", "model": body["model"], "data": data, "usage": {"prompt_tokens": 9, "total_tokens": 9}}
