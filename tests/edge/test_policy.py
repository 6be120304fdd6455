"""An edge with a policy: what it samples out, drops and passes on, with real backends that are well, slow or dead."""

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec
import pytest

from penstock.assembly import build_edge_services
from penstock.edge.application import build_edge_app
from penstock.errors import ConfigurationError
from penstock.ingest.sampling import Sampling
from penstock.ingest.settle import settle_interactions
from penstock.ingest.settle_feedback import settle_feedback
from penstock.lake.lake import Lake
from penstock.policy_settings import (
    AttributeMatch,
    ForwardSettings,
    PolicySettings,
    RouteSettings,
    RoutingSettings,
    SamplePolicySettings,
    SampleSettings,
)
from penstock.records.clock import WriterClock
from penstock.settings import LakeSettings, Settings
from penstock.text.secret_key import load_key
from tests.edge.live_server import serve, wait_for
from tests.ingest.otlp_requests import CHAT, trace_request
from tests.ingest.spooled import numbered_span
from tests.replay.receiver import Receiver, receiving

MAIL = "jane.doe@example.com"
ASKED = [{"role": "user", "parts": [{"type": "text", "content": f"I am {MAIL}"}]}]


def policy(
    *, sample: SampleSettings | None = None, route: RoutingSettings | None = None, **forward: ForwardSettings
) -> PolicySettings:
    return PolicySettings(sample=sample or SampleSettings(), route=route or RoutingSettings(), forward=forward)


def tee(url: str, **settings: Any) -> PolicySettings:
    return policy(route=RoutingSettings(default_pipelines=["store", "far"]), far=ForwardSettings(endpoint=url, **settings))


@contextmanager
def edge(settings: Settings, given: PolicySettings, **edge_settings: Any) -> Iterator[str]:
    quick = msgspec.structs.replace(settings.edge, **{"flush_interval_s": 0.05, **edge_settings})
    with_policy = msgspec.structs.replace(settings, edge=quick, policy=given)
    services = build_edge_services(with_policy, 0)
    try:
        with serve(build_edge_app(services.door, services.registry, with_policy)) as url:
            yield url
    finally:
        services.close(5.0)


def send(url: str, number: int, *, application: str = "shop", **attributes: Any) -> None:
    request = trace_request(
        {**CHAT, "gen_ai.input.messages": ASKED, "user.id": MAIL, **attributes},
        trace_id=(number + 1).to_bytes(16, "big"),
        span_id=(number + 1).to_bytes(8, "big"),
        resource={"service.name": application},
    )
    headers = {"content-type": "application/x-protobuf"}
    assert httpx.post(f"{url}/v1/traces", content=request.SerializeToString(), headers=headers, timeout=10).status_code == 200


def status(url: str) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(f"{url}/v1/status").json()["ingest"]
    return answer


def open_lake(settings: Settings) -> Lake:
    lake = Lake(settings.home_path / "lake", LakeSettings())
    lake.create()
    return lake


def rows(settings: Settings, table: str) -> list[Any]:
    lake = open_lake(settings)
    return lake.to_records(table, lake.current(table))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def test_a_tee_gets_what_is_stored_redacted(settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAR_KEY", "secret")
    with edge(settings, tee(receiver.url, headers_env={"authorization": "FAR_KEY"})) as url:
        send(url, 1)
        wait_for(lambda: receiver.spans())
        wait_for(lambda: status(url)["policy"]["forward"]["far"]["forwarded_rows"] == 1)
    (stored,) = rows(settings, "spans")
    assert receiver.keys == {"secret"}
    assert b"jane" not in receiver.bodies[0][2]
    sent = receiver.attributes()
    assert (sent["user.id"], sent["gen_ai.input.messages"]) == (stored.user_id, stored.input_messages)


def test_routes_drop_tee_and_send_away(settings: Settings, receiver: Receiver) -> None:
    table = [
        RouteSettings(name="noise", applications=["health"], pipelines=[]),
        RouteSettings(name="away", applications=["bank"], pipelines=["far"]),
    ]
    given = policy(route=RoutingSettings(table=table), far=ForwardSettings(endpoint=receiver.url))
    with edge(settings, given) as url:
        for number, application in enumerate(("health", "bank", "shop")):
            send(url, number, application=application)
        wait_for(lambda: receiver.spans())
        assert status(url)["policy"]["dropped"] == 1
    assert [row.application for row in rows(settings, "spans")] == ["shop"]
    assert [span.span_id for span in receiver.spans()] == [(2).to_bytes(8, "big")]


def test_a_route_sees_what_sampling_and_redaction_take_away(settings: Settings) -> None:
    table = [RouteSettings(name="jane", attributes=[AttributeMatch(key="custom", values=[MAIL])], pipelines=[])]
    given = policy(sample=SampleSettings(sampling_percentage=0.001), route=RoutingSettings(table=table))
    with edge(settings, given) as url:
        send(url, 1, custom=MAIL)
        send(url, 2, custom="other")
    assert [row.span_id for row in rows(settings, "spans")] == [f"{3:016x}"]


def test_a_dead_backend_stops_nothing_and_its_queue_outlives_the_edge(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    with socket.create_server(("127.0.0.1", 0)) as held:
        address = f"http://127.0.0.1:{held.getsockname()[1]}"
    with edge(settings, tee(address)) as url:
        for number in range(10):
            send(url, number)
        forward = wait_for(lambda: (found := status(url)["policy"]["forward"]["far"])["error"] and found)
        assert forward["queue_bytes"] > 0 and forward["forwarded_rows"] == 0
        wait_for(lambda: status(url)["spool_bytes"] == 0)
    assert len(rows(settings, "spans")) == 10
    with receiving() as receiver, edge(settings, tee(receiver.url)) as url:
        wait_for(lambda: len(receiver.spans()) == 10)
    assert len(rows(settings, "spans")) == 10


def test_a_slow_backend_slows_no_answer_and_its_full_queue_gives_up_the_oldest(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    with silent_server() as address, edge(settings, tee(address, queue_max_bytes=60_000, timeout_s=30)) as url:
        for number in range(60):
            send(url, number)  # were each to wait for the backend, the test's own time would be up long before the last
        forward = status(url)["policy"]["forward"]["far"]
        assert forward["dropped_rows"] > 0 and forward["queue_bytes"] <= 60_000
    assert len(rows(settings, "spans")) == 60


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections and never answers."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    for connection in held:
        connection.close()


def test_a_sampled_out_interaction_keeps_a_thin_row_that_its_feedback_finds(settings: Settings) -> None:
    given = policy(sample=SampleSettings(sampling_percentage=50))
    with edge(settings, given) as url:
        for number in range(40):
            send(url, number, **{"penstock.request.id": f"r{number}", "custom": "x"})
            httpx.post(f"{url}/v1/feedback", json={"request_id": f"r{number}", "name": "rating", "value": 1})
        assert 8 < status(url)["policy"]["sampled_out"] < 32
    lake, clock = open_lake(settings), WriterClock()
    settle_interactions(lake, clock, sampling=Sampling(given.sample, load_key(settings.home_path)))
    settle_feedback(lake, clock, 1.0)
    found = lake.to_records("interactions", lake.current("interactions"))
    assert len(found) == 40 and {row.sample_probability for row in found} == {0.5}
    out = [row for row in found if not row.content_sampled]
    assert 8 < len(out) < 32 and all(row.input_messages is None and row.user_id for row in out)
    assert all(span.attributes == {} for span in rows(settings, "spans") if not span.content_sampled)
    assert {report.status for report in rows(settings, "feedback")} == {"matched"}


def test_an_error_that_comes_through_another_worker_keeps_the_trace(settings: Settings) -> None:
    """Two workers, each with its own spool: neither sees the whole trace, settling does."""
    errors = SamplePolicySettings(name="errors", status_codes=["ERROR"])
    given = policy(sample=SampleSettings(sampling_percentage=0.001, policies=[errors]))
    with edge(settings, given) as one, edge(settings, given) as two:
        for number in range(20):
            send(one, number)
        for number in range(5):
            request = trace_request(
                {"error.type": "boom"}, trace_id=(number + 1).to_bytes(16, "big"), span_id=(number + 100).to_bytes(8, "big")
            )
            httpx.post(
                f"{two}/v1/traces", content=request.SerializeToString(), headers={"content-type": "application/x-protobuf"}
            )
    lake = open_lake(settings)
    settle_interactions(lake, WriterClock(), sampling=Sampling(given.sample, load_key(settings.home_path)))
    found = lake.to_records("interactions", lake.current("interactions").order_by("trace_id"))
    assert [bool(row.content_sampled) for row in found] == [True] * 5 + [False] * 15
    assert [row.sample_probability for row in found] == [1.0] * 5 + [0.00001] * 15


def test_feedback_goes_to_every_other_penstock_and_is_stored(settings: Settings, receiver: Receiver) -> None:
    with edge(settings, tee(receiver.url, penstock=True)) as url:
        httpx.post(f"{url}/v1/feedback", json={"request_id": "r", "name": "rating", "value": 1, "text": f"ask {MAIL}"})
        (report,) = wait_for(lambda: receiver.feedback)
    assert (report["request_id"], report["value"]) == ("r", 1.0) and MAIL not in report["text"]
    assert len(rows(settings, "feedback")) == 1


def test_captures_of_the_gateway_go_the_same_way(settings: Settings, receiver: Receiver) -> None:
    quick = msgspec.structs.replace(settings.edge, flush_interval_s=0.05)
    services = build_edge_services(msgspec.structs.replace(settings, edge=quick, policy=tee(receiver.url)), 0)
    services.door.offer_span(numbered_span(3))
    wait_for(lambda: receiver.spans())
    services.close(5.0)
    assert len(rows(settings, "spans")) == 1


def test_a_rule_that_cannot_be_read_stops_the_edge_from_starting(settings: Settings) -> None:
    match = AttributeMatch(key="a", values=["("], enabled_regex_matching=True)
    bad = policy(sample=SampleSettings(policies=[SamplePolicySettings(name="bad", attributes=[match])]))
    with pytest.raises(ConfigurationError, match=r"policy\.sample\.policies \(bad\)"):
        build_edge_services(msgspec.structs.replace(settings, policy=bad), 0)


async def test_a_door_that_is_closed_lets_go_of_its_queues(settings: Settings, receiver: Receiver) -> None:
    given = msgspec.structs.replace(settings, policy=tee(receiver.url))
    services = build_edge_services(given, 0)
    await services.door.accept_traces(trace_request(CHAT))
    await asyncio.to_thread(services.close, 5.0)
    assert len(receiver.spans()) == 1
    assert list((settings.home_path / "forward" / "far").glob("*.db")) == []
