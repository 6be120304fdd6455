"""API keys: who is let in where, and what happens when the registry cannot tell."""

import base64
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google.rpc.status_pb2 import Status

from penstock.edge.application import build_edge_app
from penstock.edge.keys import KeyGuard, is_loopback, require_key_or_loopback
from penstock.edge.refusal import RefusedError
from penstock.errors import ConfigurationError, StorageError
from penstock.records.access import Scope
from penstock.registry.keys import Keys
from penstock.registry.registry import Registry
from penstock.settings import Settings
from tests.edge.live_server import serve
from tests.edge.recording_door import RecordingDoor


def bearer(key: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", f"Bearer {key}".encode())]


class UnreachableKeys(Keys):
    """Keys whose registry goes away when it is told to."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry._database)
        self.is_away = False
        self.asked = 0

    def verify(self, plain: str) -> Any:
        self.asked += 1
        if self.is_away:
            raise StorageError("The registry is away.")
        return super().verify(plain)

    def any_active(self) -> bool:
        if self.is_away:
            raise StorageError("The registry is away.")
        return super().any_active()


@pytest.fixture
def guarded(door: RecordingDoor, registry: Registry, settings: Settings) -> Iterator[tuple[str, str]]:
    """An edge, and a key that may only send feedback."""
    key = registry.keys.create("feedback only", {Scope.FEEDBACK})
    with serve(build_edge_app(door, registry, settings)) as url:
        yield url, key


def test_without_any_key_requests_on_loopback_are_open(edge: str) -> None:
    assert httpx.post(f"{edge}/v1/traces", content=b"", headers={"content-type": "application/x-protobuf"}).status_code == 200


def test_once_there_is_a_key_a_request_without_one_is_refused_in_the_endpoints_own_encoding(guarded: tuple[str, str]) -> None:
    url, _ = guarded
    otlp = httpx.post(f"{url}/v1/traces", content=b"", headers={"content-type": "application/x-protobuf"})
    assert otlp.status_code == 401
    assert Status.FromString(otlp.content).code == 16
    chat = httpx.post(f"{url}/v1/chat/completions", json={"model": "m", "messages": []})
    assert chat.status_code == 401
    assert chat.json()["error"]["type"] == "authentication_error"
    assert httpx.get(f"{url}/v1/models").status_code == 401
    feedback = httpx.post(f"{url}/v1/feedback", json=[])
    assert feedback.status_code == 401
    assert "API key" in feedback.json()["error"]
    assert httpx.get(f"{url}/v1/status").status_code == 401


def test_a_key_opens_what_its_scope_says_and_nothing_else(guarded: tuple[str, str]) -> None:
    url, key = guarded
    headers = {"authorization": f"Bearer {key}"}
    assert httpx.post(f"{url}/v1/feedback", json=[], headers=headers).status_code == 200
    assert httpx.post(f"{url}/v1/feedback", json=[], headers={"x-api-key": key}).status_code == 200
    otlp = httpx.post(f"{url}/v1/traces", content=b"{}", headers={**headers, "content-type": "application/json"})
    assert (otlp.status_code, otlp.json()["code"]) == (403, 7)
    chat = httpx.post(f"{url}/v1/chat/completions", json={"model": "m"}, headers=headers)
    assert (chat.status_code, chat.json()["error"]["type"]) == (403, "permission_error")


def test_a_key_is_taken_in_every_way_in_which_clients_show_one(guarded: tuple[str, str]) -> None:
    url, key = guarded
    ways: list[dict[str, str]] = [
        {"authorization": "Basic " + base64.b64encode(f"pk-public:{key}".encode()).decode()},
        {"authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()},
        {"authorization": f"bearer {key}"},
        {"api_key": key},
        {"dd-api-key": key},
    ]
    for headers in ways:
        assert httpx.post(f"{url}/v1/feedback", json=[], headers=headers).status_code == 200, headers
    for wrong in ("Basic", "Basic %%%", "Basic " + base64.b64encode(b"pk:wrong").decode(), f"Digest {key}"):
        assert httpx.post(f"{url}/v1/feedback", json=[], headers={"authorization": wrong}).status_code == 401, wrong


def test_a_wrong_key_is_refused(guarded: tuple[str, str]) -> None:
    url, key = guarded
    for wrong in (key[:-1] + ("0" if key[-1] != "0" else "1"), "pk_x_y", "nonsense", "x" * 600):
        assert httpx.post(f"{url}/v1/feedback", json=[], headers={"authorization": f"Bearer {wrong}"}).status_code == 401


def test_health_needs_no_key(guarded: tuple[str, str]) -> None:
    assert httpx.get(f"{guarded[0]}/healthz").status_code == 200


async def test_a_key_is_looked_up_once_and_then_kept_for_a_while(registry: Registry) -> None:
    keys = UnreachableKeys(registry)
    plain = keys.create("k", {Scope.INGEST})
    now = time.monotonic()
    guard = KeyGuard(keys, host="127.0.0.1", now=lambda: now)
    for _ in range(3):
        await guard.check(bearer(plain), Scope.INGEST)
    assert keys.asked == 1
    now += 6
    await guard.check(bearer(plain), Scope.INGEST)
    assert keys.asked == 2


async def test_a_revoked_key_is_refused_once_it_has_been_looked_up_again(registry: Registry) -> None:
    plain = registry.keys.create("k", {Scope.INGEST})
    registry.keys.create("other", {Scope.INGEST})
    now = time.monotonic()
    guard = KeyGuard(registry.keys, host="127.0.0.1", now=lambda: now)
    await guard.check(bearer(plain), Scope.INGEST)
    registry.keys.revoke(registry.keys.list()[0].key_id)
    now += 6
    with pytest.raises(RefusedError) as refused:
        await guard.check(bearer(plain), Scope.INGEST)
    assert refused.value.status == 401


async def test_while_the_registry_is_away_known_keys_hold_and_unknown_ones_are_asked_to_come_back(registry: Registry) -> None:
    keys = UnreachableKeys(registry)
    plain = keys.create("k", {Scope.INGEST})
    now = time.monotonic()
    guard = KeyGuard(keys, host="127.0.0.1", now=lambda: now)
    await guard.check(bearer(plain), Scope.INGEST)
    keys.is_away = True
    now += 6
    await guard.check(bearer(plain), Scope.INGEST)
    with pytest.raises(RefusedError) as refused:
        await guard.check(bearer("pk_1_2"), Scope.INGEST)
    assert (refused.value.status, refused.value.retry_after_s) == (503, 2)


async def test_an_edge_that_never_reached_its_registry_is_not_open(registry: Registry) -> None:
    keys = UnreachableKeys(registry)
    keys.is_away = True
    with pytest.raises(RefusedError):
        await KeyGuard(keys, host="127.0.0.1").check([], Scope.INGEST)


async def test_on_the_network_nothing_is_open_even_when_every_key_is_gone(registry: Registry) -> None:
    with pytest.raises(RefusedError) as refused:
        await KeyGuard(registry.keys, host="0.0.0.0").check([], Scope.INGEST)
    assert refused.value.status == 401


async def test_the_admin_scope_opens_everything(registry: Registry) -> None:
    plain = registry.keys.create("root", {Scope.ADMIN})
    for scope in Scope:
        await KeyGuard(registry.keys, host="0.0.0.0").check(bearer(plain), scope)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("127.8.8.8", True),
        ("0.0.0.0", False),
        ("::", False),
        ("edge.local", False),
    ],
)
def test_loopback_is_told_from_the_network(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_listening_on_the_network_needs_a_key(registry: Registry) -> None:
    with pytest.raises(ConfigurationError, match="penstock keys create"):
        require_key_or_loopback("0.0.0.0", registry.keys)
    require_key_or_loopback("127.0.0.1", registry.keys)
    registry.keys.create("k", {Scope.INGEST})
    require_key_or_loopback("0.0.0.0", registry.keys)
