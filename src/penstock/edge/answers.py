"""Writing answers straight to ASGI: one start, one body, no objects in between on the hot path."""

from typing import Any

import msgspec
from starlette.types import Send

from penstock.edge.refusal import RefusedError
from penstock.edge.request_body import Headers

JSON = b"application/json"


async def send_answer(send: Send, status: int, content_type: bytes, body: bytes, headers: Headers | None = None) -> None:
    """A whole answer."""
    fixed = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fixed + (headers or [])})
    await send({"type": "http.response.body", "body": body})


async def send_json(send: Send, status: int, content: Any, headers: Headers | None = None) -> None:
    """A whole answer in JSON."""
    await send_answer(send, status, JSON, msgspec.json.encode(content), headers)


async def send_refusal(send: Send, refusal: RefusedError) -> None:
    """A refusal, in the plain JSON of the endpoints that are ours."""
    await send_json(send, refusal.status, {"error": str(refusal)}, refusal.headers)


def openai_error(status: int, message: str, *, code: str | None = None) -> dict[str, Any]:
    """An error as OpenAI's API writes it, which is what its clients can read."""
    return {"error": {"message": message, "type": _openai_type(status), "param": None, "code": code}}


def _openai_type(status: int) -> str:
    names = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
    return names.get(status, "invalid_request_error" if status < 500 else "upstream_error")
