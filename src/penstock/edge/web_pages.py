"""Reports from web pages: which pages may send them, with which key, and what such a report may say.

Whatever a page holds, its key too, everyone who opens it holds as well. So no page may send unless its origin is configured, its
key opens nothing but feedback, and what it says is about single answers: it forges no outcome and amends nobody else's report.
"""

from collections.abc import Collection

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from penstock.edge.answers import send_answer, send_refusal
from penstock.edge.refusal import RefusedError
from penstock.edge.request_body import Headers, find_header
from penstock.errors import BadInputError
from penstock.records import access
from penstock.records.feedback import Feedback, TargetKind
from penstock.records.ids import feedback_id

SOURCE = "browser"

_KEY_SCOPES = {access.Scope.FEEDBACK, access.Scope.BROWSER}
_OUTCOMES = "outcome."
_TARGETS = (TargetKind.REQUEST, TargetKind.RESPONSE)
_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"authorization, content-type"),
    (b"access-control-max-age", b"7200"),  # as long as any browser keeps it
]


class OriginsEndpoint:
    """Serves POST, and the preflights that browsers send before it, to pages of some origins; other programs pass."""

    def __init__(self, endpoint: ASGIApp, origins: Collection[str]) -> None:
        self._endpoint = endpoint
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        origin = find_header(scope["headers"], b"origin")
        if origin and origin not in self._origins:
            await send_refusal(send, _no_such_origin(origin))
        elif scope["method"] == "OPTIONS":
            await send_answer(send, 200, b"text/plain", b"", [*_allow(origin), *_PREFLIGHT] if origin else [])
        elif origin:
            await self._endpoint(scope, receive, _adding(_allow(origin), send))
        else:
            await self._endpoint(scope, receive, send)


def _no_such_origin(origin: str) -> RefusedError:
    return RefusedError(403, f"Pages of {origin[:300]} may not send feedback; `edge.browser_origins` names those that may.")


def _allow(origin: str) -> Headers:
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", b"retry-after"),
        (b"vary", b"origin"),
    ]


def _adding(headers: Headers, send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *headers]}
        await send(message)

    return send_with_headers


def is_from_page(headers: Headers, key: access.Key | None) -> bool:
    """Whether reports come from a web page, as a browser says or the key does. Refuses a key that a page must not hold."""
    if find_header(headers, b"origin"):
        if key is not None and not _KEY_SCOPES.issuperset(key.scopes):
            raise RefusedError(
                403,
                f"The API key {key.name!r} is used in a web page, where everyone can read it, and opens more than feedback. "
                "Revoke it, and make one with `penstock keys create NAME --scope browser`.",
            )
        return True
    return key is not None and set(key.scopes) == {access.Scope.BROWSER}


def as_page_report(feedback: Feedback) -> Feedback:
    """A report as a page may give it. Raises BadInputError."""
    if feedback.target_kind not in _TARGETS:
        raise BadInputError(f"A web page reports by request_id or response_id; this report names a {feedback.target_kind}.")
    if feedback.name.lower().startswith(_OUTCOMES):
        raise BadInputError(f"A web page cannot report {feedback.name!r}: outcomes come from where they are known.")
    # With a prefix of its own, a key that a page makes up is never that of another sender's report.
    key = f"{SOURCE}:{feedback.idempotency_key}"
    return msgspec.structs.replace(feedback, source=SOURCE, idempotency_key=key, feedback_id=feedback_id(key))
