"""Reports from web pages: whose preflight is answered, which keys a page may hold, and what it can say."""

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from penstock.edge.application import build_edge_app
from penstock.records.access import Scope
from penstock.registry.registry import Registry
from penstock.settings import Settings
from tests.edge.live_server import serve
from tests.edge.recording_door import RecordingDoor

SHOP = "https://shop.example.com"
REPORT = {"request_id": "r1", "name": "copy", "value": 1, "idempotency_key": "k", "source": "ci"}


@pytest.fixture
def shop_edge(door: RecordingDoor, registry: Registry, settings: Settings) -> Iterator[str]:
    """An edge to which the shop's pages may send."""
    named = msgspec.structs.replace(settings, edge=msgspec.structs.replace(settings.edge, browser_origins=[SHOP]))
    with serve(build_edge_app(door, registry, named)) as url:
        yield url


def send(url: str, report: Any = REPORT, *, origin: str = SHOP, key: str = "") -> httpx.Response:
    headers = {name: value for name, value in {"origin": origin, "x-api-key": key}.items() if value}
    return httpx.post(f"{url}/v1/feedback", json=report, headers=headers)


def preflight(url: str, origin: str, path: str = "/v1/feedback") -> httpx.Response:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    return httpx.options(f"{url}{path}", headers={"origin": origin, **asked})


def test_the_preflight_of_a_configured_origin_is_answered_without_a_key(shop_edge: str, registry: Registry) -> None:
    registry.keys.create("so that the edge is closed", {Scope.ADMIN})
    answer = preflight(shop_edge, SHOP)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type"
    assert answer.headers["vary"] == "origin"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://shop.example.com.evil.example", "http://shop.example.com", f"{SHOP}:444", "null", "*", "x" * 5000]
)
def test_no_other_origin_gets_anything_in(shop_edge: str, door: RecordingDoor, origin: str) -> None:
    for answer in (preflight(shop_edge, origin), send(shop_edge, origin=origin)):
        assert answer.status_code == 403
        assert "edge.browser_origins" in answer.json()["error"] and len(answer.text) < 500
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert door.feedback == []


def test_by_default_no_page_may_send(edge: str, door: RecordingDoor) -> None:
    assert preflight(edge, SHOP).status_code == send(edge).status_code == 403
    assert send(edge, origin="").status_code == 200


def test_other_endpoints_answer_no_preflight(shop_edge: str) -> None:
    for path in ("/v1/traces", "/v1/chat/completions", "/api/public/scores", "/v1/status"):
        answer = preflight(shop_edge, SHOP, path)
        assert answer.status_code == 405 and "access-control-allow-origin" not in answer.headers


def test_an_answer_to_a_page_can_be_read_by_it_a_refusal_too(shop_edge: str, door: RecordingDoor) -> None:
    assert send(shop_edge).headers["access-control-allow-origin"] == SHOP
    door.fill()
    full = send(shop_edge)
    assert (full.status_code, full.headers["access-control-allow-origin"]) == (503, SHOP)
    assert "retry-after" in full.headers["access-control-expose-headers"]


@pytest.mark.parametrize("scope", [Scope.BROWSER, Scope.FEEDBACK])
def test_a_page_may_hold_a_key_that_opens_feedback_alone(shop_edge: str, registry: Registry, scope: Scope) -> None:
    assert send(shop_edge, key=registry.keys.create("page", {scope})).status_code == 200


@pytest.mark.parametrize("scopes", [{Scope.ADMIN}, {Scope.FEEDBACK, Scope.GATEWAY}, {Scope.BROWSER, Scope.INGEST}])
def test_a_key_that_opens_more_is_refused_from_a_page(
    shop_edge: str, registry: Registry, door: RecordingDoor, scopes: set[str]
) -> None:
    answer = send(shop_edge, key=registry.keys.create("too much", scopes))
    assert answer.status_code == 403 and "penstock keys create" in answer.json()["error"]
    assert send(shop_edge, key="wrong").status_code == send(shop_edge).status_code == 401
    assert door.feedback == []


def test_a_browser_key_opens_nothing_but_feedback(shop_edge: str, registry: Registry) -> None:
    headers = {"x-api-key": registry.keys.create("page", {Scope.BROWSER})}
    assert httpx.post(f"{shop_edge}/v1/traces", json={}, headers=headers).status_code == 403
    assert httpx.post(f"{shop_edge}/v1/chat/completions", json={}, headers=headers).status_code == 403
    assert httpx.post(f"{shop_edge}/api/public/scores", json={}, headers=headers).status_code == 403
    assert httpx.get(f"{shop_edge}/v1/status", headers=headers).status_code == 403


@pytest.mark.parametrize("origin", [SHOP, ""])
@pytest.mark.parametrize(
    ("report", "reason"),
    [
        ({"session_id": "s1", "name": "rating", "value": 1}, "session"),
        ({"trace_id": "a" * 32, "name": "rating", "value": 1}, "trace"),
        ({"key": {"name": "ticket_id", "value": "T-1"}, "name": "rating", "value": 1}, "key"),
        ({"request_id": "r1", "name": "outcome.solved", "value": 1}, "outcome"),
        ({"request_id": "r1", "name": "Outcome.solved", "value": 1}, "Outcome"),
    ],
)
def test_whoever_takes_a_key_out_of_a_page_can_report_on_single_answers_only(
    shop_edge: str, registry: Registry, door: RecordingDoor, report: dict[str, Any], reason: str, origin: str
) -> None:
    answer = send(shop_edge, [report, REPORT], origin=origin, key=registry.keys.create("page", {Scope.BROWSER}))
    assert [reason in item["error"] for item in answer.json()["rejected"]] == [True]
    assert [(feedback.name, feedback.source) for feedback in door.feedback] == [("copy", "browser")]


def test_a_page_amends_its_own_reports_and_nobody_elses(shop_edge: str, door: RecordingDoor) -> None:
    send(shop_edge, origin="")
    send(shop_edge)
    send(shop_edge, {**REPORT, "value": 0})
    ours, theirs, amended = door.feedback
    assert ours.feedback_id != theirs.feedback_id == amended.feedback_id
    assert (ours.source, theirs.source) == ("ci", "browser")
