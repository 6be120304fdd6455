"""A gateway request as the client sent it: its body, untouched, and who asked, read from headers and a few body fields.

`safety_identifier` and `user` are OpenAI's own fields; everything that Penstock adds is a header `x-penstock-...`.
"""

import re
import secrets
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from penstock.edge.request_body import Headers, find_header
from penstock.errors import BadInputError
from penstock.model_client import CHAT
from penstock.records.ids import random_id
from penstock.records.interaction import Exposure

_PREFIX = b"x-penstock-"
_EXPOSURES = frozenset(Exposure)
_KEY_PREFIX = b"x-penstock-key-"
_TAG_PREFIX = b"x-penstock-tag-"
_MAX_HEADER_LENGTH = 1024
_TRACEPARENT = re.compile(r"^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$")


class GatewayRequest(Struct, frozen=True, kw_only=True):
    """One request to a model, and whose it is."""

    path: str  # below /v1
    raw: dict[str, Any]  # the body as it came
    model: str  # what the client calls it: a route, or what the default upstream knows
    is_stream: bool
    wants_logprobs: bool
    request_id: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    session_id: str | None
    user_id: str | None  # as sent; the ingest door makes it a keyed hash
    exposure: str
    segment: str | None
    application: str | None
    prompt_name: str | None
    prompt_version: str | None
    keys: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    started_at: datetime

    @property
    def unit(self) -> str:
        """What a sticky split keeps together."""
        return self.user_id or self.session_id or self.request_id


def read_request(path: str, headers: Headers, body: bytes, started_at: datetime) -> GatewayRequest:
    """Read what the client sent. Raises BadInputError with what is wrong."""
    raw = _read_body(body)
    given = _penstock_headers(headers)
    trace_id, parent_span_id = read_traceparent(find_header(headers, b"traceparent"))
    return GatewayRequest(
        path=path,
        raw=raw,
        model=raw["model"],
        is_stream=raw.get("stream") is True,
        wants_logprobs=_wants_logprobs(path, raw),
        request_id=given.get("request-id") or random_id("r"),
        trace_id=trace_id,
        span_id=secrets.token_hex(8),
        parent_span_id=parent_span_id,
        session_id=given.get("session") or _session_in(raw),
        user_id=_text(raw.get("user")) or _text(raw.get("safety_identifier")) or given.get("user"),
        exposure=_read_exposure(given.get("exposure")),
        segment=given.get("segment"),
        application=given.get("application"),
        prompt_name=given.get("prompt-name"),
        prompt_version=given.get("prompt-version"),
        keys=_named_headers(headers, _KEY_PREFIX),
        tags=_named_headers(headers, _TAG_PREFIX),
        started_at=started_at,
    )


class Added(Struct, frozen=True, kw_only=True):
    """What Penstock asks of an upstream that the client did not, and so must not see in the answer."""

    logprobs: bool = False
    usage: bool = False  # at the end of a stream


def what_to_add(request: GatewayRequest, *, logprobs: bool, stream_usage: bool) -> Added:
    """What an upstream that can give these has to be asked for, since the client did not."""
    return Added(
        logprobs=logprobs and not request.wants_logprobs,
        usage=stream_usage and request.is_stream and not _wants_usage(request.raw),
    )


def write_request(request: GatewayRequest, model: str, added: Added) -> bytes:
    """The body for the upstream: the client's, with the upstream's name of the model and what is asked for beyond."""
    changed: dict[str, Any] = {"model": model}
    if added.logprobs:
        changed["logprobs"] = True if request.path == CHAT else 1
    if added.usage:
        options = request.raw.get("stream_options")
        changed["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    return msgspec.json.encode({**request.raw, **changed})


def read_traceparent(header: str) -> tuple[str, str | None]:
    """The trace to join and the span to be a child of; a fresh trace where the header is missing or no valid W3C one."""
    found = _TRACEPARENT.match(header.strip().lower())
    if found is None:
        return secrets.token_hex(16), None
    version, trace_id, span_id, more = found.groups()
    is_valid = version != "ff" and (version != "00" or more is None) and trace_id.strip("0") and span_id.strip("0")
    return (trace_id, span_id) if is_valid else (secrets.token_hex(16), None)


def _read_body(body: bytes) -> dict[str, Any]:
    try:
        raw = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInputError(f"The body is no JSON object: {error}.") from error
    if not isinstance(raw.get("model"), str) or not raw["model"]:
        raise BadInputError("The body names no `model`; GET /v1/models lists the ones there are.")
    return raw


def _wants_logprobs(path: str, raw: dict[str, Any]) -> bool:
    asked = raw.get("logprobs")
    return asked is True if path == CHAT else asked is not None and asked is not False


def _wants_usage(raw: dict[str, Any]) -> bool:
    options = raw.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _session_in(raw: dict[str, Any]) -> str | None:
    metadata = raw.get("metadata")
    return _text(metadata.get("session_id")) if isinstance(metadata, dict) else None


def _read_exposure(given: str | None) -> str:
    if given is None:
        return Exposure.SERVED
    if given not in _EXPOSURES:
        raise BadInputError(f"x-penstock-exposure {given!r} is none of {', '.join(Exposure)}.")
    return given


def _penstock_headers(headers: Headers) -> dict[str, str]:
    return {
        name[len(_PREFIX) :].decode("latin-1"): _header_text(name, value)
        for name, value in headers
        if name.startswith(_PREFIX) and value
    }


def _named_headers(headers: Headers, prefix: bytes) -> dict[str, str]:
    return {
        name[len(prefix) :].decode("latin-1"): _header_text(name, value)
        for name, value in headers
        if name.startswith(prefix) and len(name) > len(prefix) and value
    }


def _header_text(name: bytes, value: bytes) -> str:
    if len(value) > _MAX_HEADER_LENGTH:
        raise BadInputError(f"The header {name.decode('latin-1')} is longer than {_MAX_HEADER_LENGTH} bytes.")
    try:
        return value.decode("utf-8").strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
