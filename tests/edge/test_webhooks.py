"""Webhooks over HTTP, as senders call them."""

import base64
import gzip
import json
import logging
import urllib.parse
from collections.abc import Iterator

import httpx
import msgspec
import pytest

from penstock.edge.application import build_edge_app
from penstock.errors import ConfigurationError
from penstock.outcome_settings import WebhookSettings
from penstock.records.access import Scope
from tests.edge.live_server import serve
from tests.outcomes.hooks import SECRET, as_body, resolved_rule, signature, ticket_event

HOOKS = {
    "desk": WebhookSettings(secret_env="DESK", feedback=[resolved_rule()]),
    "keyed": WebhookSettings(feedback=[resolved_rule()]),
    "ci": WebhookSettings(ready="github", secret_env="DESK"),
}


@pytest.fixture
def edge(door, registry, settings) -> Iterator[str]:
    small = msgspec.structs.replace(settings.edge, max_body_bytes=100_000)
    with_hooks = msgspec.structs.replace(settings, edge=small, webhooks=HOOKS)
    with serve(build_edge_app(door, registry, with_hooks, environment={"DESK": SECRET})) as url:
        yield url


def deliver(edge, body, hook="desk", *, secret=SECRET, **headers):
    signed = {"X-Hub-Signature-256": "sha256=" + signature(body, secret)} if secret else {}
    return httpx.post(
        f"{edge}/v1/webhooks/{hook}", content=body, headers={"Content-Type": "application/json", **signed, **headers}
    )


def test_a_signed_event_is_a_report(edge, door):
    answer = deliver(edge, as_body(ticket_event()))
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "ignored": 0, "reasons": {}})
    (report,) = door.feedback
    assert (report.name, report.target_id, report.value) == ("outcome.resolved", "4711", 1.0)


def test_a_delivery_that_comes_twice_has_one_id_and_events_out_of_order_keep_their_times(edge, door):
    solved, reopened = ticket_event(), ticket_event("reopened", event_id="e2", at="2026-03-01T11:00:00Z")
    for event in (reopened, solved, solved):
        assert deliver(edge, as_body(event)).status_code == 200
    assert len({report.feedback_id for report in door.feedback}) == 2
    assert max(door.feedback, key=lambda report: report.occurred_at).value == 0.0


def test_a_list_of_events_is_taken_and_what_reports_nothing_is_counted(edge, door, caplog):
    caplog.set_level(logging.INFO)
    events = [ticket_event(), ticket_event("open"), ticket_event(ticket=None)]
    for _ in range(2):
        answer = deliver(edge, as_body(events))
        assert answer.status_code == 200
        assert answer.json()["accepted"] == 1
        assert answer.json()["reasons"] == {"no rule is for such an event": 1, "`ticket.id` is missing": 1}
    told = [record.getMessage() for record in caplog.records if "`ticket.id` is missing" in record.getMessage()]
    assert len(told) == 1, "a reason is logged once a minute"


@pytest.mark.parametrize("given", [None, "sha256=" + "0" * 64])
def test_an_unsigned_or_forged_event_is_refused(edge, door, given):
    headers = {"X-Hub-Signature-256": given} if given else {}
    answer = deliver(edge, as_body(ticket_event()), secret=None, **headers)
    assert answer.status_code == 401
    assert door.feedback == []


def test_an_ordinary_key_will_do_where_nothing_is_signed(edge, door, registry):
    plain = registry.keys.create("desk", {Scope.FEEDBACK})
    other = registry.keys.create("app", {Scope.INGEST})
    for hook in ("desk", "keyed"):
        answer = deliver(edge, as_body(ticket_event()), hook, secret=None, Authorization=f"Bearer {plain}")
        assert answer.status_code == 200
        assert deliver(edge, as_body(ticket_event()), hook, secret=None).status_code == 401
        assert deliver(edge, as_body(ticket_event()), hook, secret=None, Authorization=f"Bearer {other}").status_code == 403
    basic = base64.b64encode(f"any:{plain}".encode()).decode()
    assert deliver(edge, as_body(ticket_event()), "keyed", secret=None, Authorization=f"Basic {basic}").status_code == 200


def test_a_key_does_not_make_up_for_a_wrong_signature(edge, registry):
    plain = registry.keys.create("desk", {Scope.FEEDBACK})
    assert deliver(edge, as_body(ticket_event()), secret="wrong", Authorization=f"Bearer {plain}").status_code == 401


def test_a_web_page_cannot_forge_an_outcome_although_the_edge_is_open(edge, door):
    headers = {"Origin": "https://evil.example.com", "Content-Type": "text/plain"}
    assert deliver(edge, as_body(ticket_event()), "keyed", secret=None).status_code == 200
    assert deliver(edge, as_body(ticket_event()), "keyed", secret=None, **headers).status_code == 403
    assert len(door.feedback) == 1


def test_a_form_with_a_payload_is_read(edge, door):
    body = urllib.parse.urlencode({"payload": json.dumps(ticket_event("solved", ticket="Nº 7")), "other": "x"}).encode()
    answer = deliver(edge, body, **{"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.json()["accepted"] == 1
    assert door.feedback[0].target_id == "Nº 7"


@pytest.mark.parametrize(
    "body", [b"", b"payload=", b"payload=%ff%fe", b"payload=1&payload=2", b"a=1", "payload=é".encode(), b"&" * 5000]
)
def test_a_form_that_holds_no_event_is_refused(edge, body):
    assert deliver(edge, body, **{"Content-Type": "application/x-www-form-urlencoded"}).status_code == 400


DEEP = b'{"a":' * 10_000 + b"1" + b"}" * 10_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe{\x00}\x00",
        '{"ticket": "é"}'.encode("latin-1"),
        b'{"a": NaN}',
        b'{"a": "\\ud800"}',
        b'"text"',
        b"12",
        b"null",
        b"[1, 2]",
        DEEP,
    ],
)
def test_what_is_no_event_is_refused_although_it_is_signed(edge, door, body):
    assert deliver(edge, body).status_code == 400
    assert door.feedback == []


@pytest.mark.parametrize(
    "event", [{}, {"ticket": []}, {"ticket": {"status": {"solved": 1}}}, {"ticket": {"id": 10**400, "status": 5}}]
)
def test_events_of_another_shape_are_answered_with_success_so_that_the_hook_stays_on(edge, door, event):
    answer = deliver(edge, as_body(event))
    assert (answer.status_code, answer.json()["accepted"], answer.json()["ignored"]) == (200, 0, 1)


def test_a_huge_body_and_a_bomb_are_refused(edge):
    assert deliver(edge, b" " * 200_000).status_code == 413
    bomb = gzip.compress(b" " * 50_000_000)
    assert deliver(edge, bomb, **{"Content-Encoding": "gzip"}).status_code == 413
    assert deliver(edge, as_body([{}] * 10_001)).status_code == 413


def test_a_byte_order_mark_is_forgiven(edge):
    assert deliver(edge, b"\xef\xbb\xbf" + as_body(ticket_event())).json()["accepted"] == 1


def test_a_hook_that_is_not_set_is_not_found_and_tells_nobody_without_a_key(edge, registry):
    assert deliver(edge, as_body(ticket_event()), "other").status_code == 404
    registry.keys.create("desk", {Scope.FEEDBACK})
    with_keys = httpx.get(f"{edge}/v1/webhooks/desk")
    assert with_keys.status_code == 405


def test_a_sender_may_look_whether_the_place_is_there(edge):
    assert httpx.head(f"{edge}/v1/webhooks/desk").status_code == 200
    assert httpx.head(f"{edge}/v1/webhooks/other").status_code == 404


def test_a_full_spool_asks_for_another_delivery(edge, door):
    door.fill()
    answer = deliver(edge, as_body(ticket_event()))
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


def test_github_signs_and_names_its_event_in_headers(edge, door):
    run = {"id": 1, "name": "lint", "head_sha": "ec26", "conclusion": "success", "completed_at": "2026-02-15T15:21:12Z"}
    body = as_body({"action": "completed", "check_run": run})
    assert deliver(edge, body, "ci", **{"X-GitHub-Event": "check_run"}).json()["accepted"] == 1
    assert deliver(edge, as_body({"zen": "Design for failure."}), "ci", **{"X-GitHub-Event": "ping"}).status_code == 200
    assert [report.name for report in door.feedback] == ["outcome.check.lint"]


def test_a_secret_that_is_missing_keeps_the_edge_from_starting(door, registry, settings):
    with pytest.raises(ConfigurationError, match="DESK"):
        build_edge_app(door, registry, msgspec.structs.replace(settings, webhooks=HOOKS), environment={})
