"""POST /v1/webhooks/NAME: events of another system, signed with a shared secret or sent with an API key.

Senders switch a webhook off that answers errors, so what reports nothing is answered 200 and counted. What is unsigned or cannot
be read at all is refused, and what cannot be stored now is asked for again.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.types import Receive, Scope, Send

from penstock.edge.answers import send_answer, send_json, send_refusal
from penstock.edge.ingest_door import IngestDoor
from penstock.edge.keys import KeyGuard
from penstock.edge.refusal import ClientGoneError, RefusedError, inviting_a_second_try, refuse
from penstock.edge.request_body import Headers, find_header, media_type, read_body
from penstock.errors import BadInputError, PenstockError
from penstock.outcomes.webhook_mapping import MOST_EVENTS, UNWANTED, map_events, split_events
from penstock.outcomes.webhook_signature import find_forgery
from penstock.outcomes.webhooks import Webhook
from penstock.records import access
from penstock.records.clock import utc_now

PATH = "/v1/webhooks/{name}"
_FORM = "application/x-www-form-urlencoded"
_MOST_FORM_FIELDS = 100
_TOLD_AGAIN_S = 60.0

logger = logging.getLogger(__name__)


class WebhookEndpoint:
    """Serves every webhook that is set."""

    def __init__(
        self,
        door: IngestDoor,
        guard: KeyGuard,
        hooks: Mapping[str, Webhook],
        max_body_bytes: int,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._door = door
        self._guard = guard
        self._hooks = hooks
        self._max_body_bytes = max_body_bytes
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}  # as many as there are rules and reasons

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["method"] == "HEAD":  # by which some senders look whether there is such a place
            known = scope.get("path_params", {}).get("name", "") in self._hooks
            await send_answer(send, 200 if known else 404, b"application/json", b"")
            return
        try:
            with inviting_a_second_try(f"A request to {scope['path']}"):
                answer = await self._serve(scope, receive)
        except ClientGoneError:
            return
        except PenstockError as error:
            await send_refusal(send, refuse(error))
            return
        await send_json(send, 200, answer)

    async def _serve(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        headers = scope["headers"]
        hook = self._hooks.get(scope.get("path_params", {}).get("name", ""))
        if hook is None:
            await self._guard.check(headers, access.Scope.FEEDBACK)
            raise RefusedError(
                404, "There is no such webhook; it is set in [webhooks.NAME], and /v1/webhooks/NAME is its address."
            )
        named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reversed(headers)}
        is_signed = hook.secret is not None and hook.settings.signature_header.lower() in named
        if not is_signed:
            await self._check_key(hook, headers)
        body = await read_body(headers, receive, self._max_body_bytes)
        now = self._clock()
        if is_signed and hook.secret is not None and (reason := find_forgery(hook.settings, hook.secret, named, body, now)):
            raise RefusedError(401, f"The signature does not hold. {reason}")
        events = split_events(read_content(headers, body, hook.settings.form_field), hook.settings.events)
        if len(events) > MOST_EVENTS:
            raise RefusedError(413, f"{len(events)} events in one request; send at most {MOST_EVENTS}.")
        mapped = map_events(hook.name, hook.settings.feedback, events, named, now)
        if mapped.feedback:
            await self._door.accept_feedback(mapped.feedback)
        self._tell(hook.name, mapped.ignored)
        return {"accepted": len(mapped.feedback), "ignored": mapped.ignored.total(), "reasons": dict(mapped.ignored)}

    async def _check_key(self, hook: Webhook, headers: Headers) -> None:
        """An ordinary key will do as well; where a secret is set, being on this machine will not."""
        if find_header(headers, b"origin"):
            raise RefusedError(403, "A web page cannot send events: outcomes come from where they are known.")
        key = await self._guard.check(headers, access.Scope.FEEDBACK)
        if hook.secret is not None and key is None:
            raise RefusedError(401, f"It has no {hook.settings.signature_header}; sign it with the secret that we share.")

    def _tell(self, hook: str, ignored: Counter[str]) -> None:
        """Log why events report nothing, each reason once a minute; that no rule wants an event is how it should be."""
        now = time.monotonic()
        for reason, count in ignored.items():
            if now - self._told.get((hook, reason), float("-inf")) < _TOLD_AGAIN_S:
                continue
            self._told[hook, reason] = now
            level = logging.INFO if reason == UNWANTED else logging.WARNING
            logger.log(level, "Webhook %s: %s of the events of a delivery are ignored: %s", hook, count, reason)


def read_content(headers: Headers, body: bytes, form_field: str) -> Any:
    """The JSON of a body, or of a form's field. Raises BadInputError."""
    if media_type(headers) == _FORM:
        body = _form_value(body, form_field)
    try:
        return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInputError(f"The body is no JSON: {error}.") from error


def _form_value(body: bytes, form_field: str) -> bytes:
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=_MOST_FORM_FIELDS, errors="strict")
    except ValueError as error:
        raise BadInputError("The body is no form of UTF-8 text in ASCII.") from error
    values = fields.get(form_field, [])
    if len(values) != 1:
        raise BadInputError(f"The form has {len(values)} fields `{form_field}`; exactly one holds the JSON.")
    return values[0].encode("utf-8")
