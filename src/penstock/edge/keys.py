"""Who may call which endpoint: API keys with scopes.

With no active key at all, requests are open, but only where the edge listens on loopback alone. The registry is asked at most
once per key and few seconds; while it cannot be reached, the last answer holds.
"""

import asyncio
import base64
import binascii
import ipaddress
import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from penstock.edge.refusal import RETRY_AFTER_S, RefusedError
from penstock.edge.request_body import Headers, find_header
from penstock.errors import ConfigurationError, PenstockError
from penstock.records.access import Key, Scope
from penstock.registry.keys import Keys

_KEEP_S = 5.0
_MAX_KEPT = 10_000
_MAX_KEY_LENGTH = 512
_LOOKUPS_AT_ONCE = 4
_KEY_HEADERS = (b"x-api-key", b"api_key", b"dd-api-key")  # LangSmith and plain clients, Phoenix's older ones, Datadog

logger = logging.getLogger(__name__)


class _Kept(Struct, frozen=True):
    key: Key | None  # None: there is no such key
    until: float


class KeyGuard:
    """Checks the key of each request."""

    def __init__(self, keys: Keys, *, host: str, keep_s: float = _KEEP_S, now: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._may_be_open = is_loopback(host)
        self._keep_s = keep_s
        self._now = now
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._open = False
        self._open_until = float("-inf")
        self._lookups = asyncio.Semaphore(_LOOKUPS_AT_ONCE)

    async def check(self, headers: Headers, *scopes: Scope) -> Key | None:
        """Let the request pass, or refuse it: 401 without a valid key, 403 without one of the scopes, 503 if nobody can tell.

        Gives its key, or None where none is needed.
        """
        if await self._is_open():
            return None
        plain = _presented_key(headers)
        if not plain or len(plain) > _MAX_KEY_LENGTH:
            raise RefusedError(401, "This endpoint needs an API key: send `Authorization: Bearer KEY` or `x-api-key: KEY`.")
        key = await self._find(plain)
        if key is None:
            raise RefusedError(401, "The API key is unknown or revoked; `penstock keys list` shows the ones that hold.")
        if not {*scopes, Scope.ADMIN} & set(key.scopes):
            wanted = " or ".join(f"`{scope}`" for scope in scopes)
            raise RefusedError(
                403, f"The API key {key.name!r} lacks the scope {wanted}; `penstock keys create` makes one with it."
            )
        return key

    async def _is_open(self) -> bool:
        if not self._may_be_open:
            return False
        if self._now() >= self._open_until:
            try:
                self._open = not await asyncio.to_thread(self._keys.any_active)
            except PenstockError as error:
                logger.warning("Cannot ask the registry for API keys, so the last answer holds: %s", error)
            self._open_until = self._now() + self._keep_s
        return self._open

    async def _find(self, plain: str) -> Key | None:
        kept = self._kept.get(plain)
        if kept is not None and self._now() < kept.until:
            return kept.key
        try:
            async with self._lookups:
                key = await asyncio.to_thread(self._keys.verify, plain)
        except PenstockError as error:
            if kept is None:
                raise RefusedError(503, f"The API key cannot be checked: {error}", retry_after_s=RETRY_AFTER_S) from error
            key = kept.key
        self._keep(plain, key)
        return key

    def _keep(self, plain: str, key: Key | None) -> None:
        self._kept[plain] = _Kept(key, self._now() + self._keep_s)
        self._kept.move_to_end(plain)
        if len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach this address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_key_or_loopback(host: str, keys: Keys) -> None:
    """Refuse to listen on the network without an API key."""
    if not is_loopback(host) and not keys.any_active():
        raise ConfigurationError(
            f"edge.host is {host}, which other machines can reach, and there is no API key. "
            "Create one with `penstock keys create`, or listen on 127.0.0.1."
        )


def _presented_key(headers: Headers) -> str:
    kind, _, credentials = find_header(headers, b"authorization").partition(" ")
    if kind.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    if kind.lower() == "basic" and credentials.strip():
        return _basic_password(credentials.strip())
    return next((key for name in _KEY_HEADERS if (key := find_header(headers, name))), "")


def _basic_password(credentials: str) -> str:
    """The key as the password of HTTP's basic authentication, whatever the user is called; alone, it may be the user."""
    try:
        user, _, password = base64.b64decode(credentials, validate=True).decode("latin-1").partition(":")
    except binascii.Error:
        return ""
    return password or user
