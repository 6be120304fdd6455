"""A span, a webhook and a pulled row name one ticket; hashed alike by one home, they meet in the lake."""

import httpx
import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from penstock.app import Penstock
from penstock.assembly import build_edge_services
from penstock.edge.application import build_edge_app
from penstock.ingest.redact import Redaction
from penstock.ingest.settle import settle_interactions
from penstock.ingest.settle_feedback import settle_feedback
from penstock.outcome_settings import WebhookSettings
from penstock.outcomes.pull import Puller, load_sources
from penstock.outcomes.pull_state import StateFile
from penstock.policy_settings import PolicySettings, RedactSettings
from tests.edge.live_server import serve, wait_for
from tests.outcomes.hooks import SECRET, as_body, resolved_rule, signature, ticket_event
from tests.outcomes.tickets import Desk, desk_settings


@pytest.fixture
def stores(settings, tmp_path):
    return Penstock(
        msgspec.structs.replace(
            settings,
            policy=PolicySettings(redact=RedactSettings(hashed_keys=["ticket_id"])),
            edge=msgspec.structs.replace(settings.edge, flush_interval_s=0.05),
            webhooks={"desk": WebhookSettings(secret_env="DESK", feedback=[resolved_rule()])},
            pulls={"desk": desk_settings(f"sqlite:///{tmp_path / 'desk.db'}")},
        )
    )


def a_span_of(ticket):
    request = ExportTraceServiceRequest()
    span = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(trace_id=b"\1" * 16, span_id=b"\2" * 8, name="chat", start_time_unix_nano=1_772_355_600 * 10**9)
    )
    for name, value in (("gen_ai.operation.name", "chat"), ("penstock.key.ticket_id", ticket)):
        span.attributes.add(key=name).value.string_value = value
    return request.SerializeToString()


def test_outcomes_by_webhook_and_by_pull_find_the_interaction_by_its_hashed_key(stores, tmp_path):
    desk = Desk(f"sqlite:///{tmp_path / 'desk.db'}")
    desk.add(7)
    desk.close()
    services = build_edge_services(stores.settings, 0)
    try:
        with serve(build_edge_app(services.door, services.registry, stores.settings, environment={"DESK": SECRET})) as url:
            sent = httpx.post(f"{url}/v1/traces", content=a_span_of("T-7"), headers={"Content-Type": "application/x-protobuf"})
            assert sent.status_code == 200
            body = as_body(ticket_event("reopened", ticket="T-7", at="2026-03-01T11:00:00Z"))
            headers = {"X-Hub-Signature-256": "sha256=" + signature(body)}
            assert httpx.post(f"{url}/v1/webhooks/desk", content=body, headers=headers).json()["accepted"] == 1
            wait_for(lambda: stores.lake.version("spans") > 0 and stores.lake.version("feedback") > 0)
    finally:
        services.close(10.0)
    puller = Puller(stores.lake, Redaction(stores.redactor, ["ticket_id"]), stores.clock, {})
    puller.pull(load_sources(stores.settings.pulls)["desk"], StateFile(stores.home, "desk"))
    settle_interactions(stores.lake, stores.clock, price=lambda *_: None, sampling=stores.sampling)
    settle_feedback(stores.lake, stores.clock, 168.0)
    (interaction,) = stores.lake.to_records("interactions", stores.lake.current("interactions"))
    reports = stores.lake.to_records("feedback", stores.lake.current("feedback"))
    assert {(report.source, report.value, report.status) for report in reports} == {
        ("webhook:desk", 0.0, "matched"),
        ("pull:desk", 1.0, "matched"),
    }
    assert {report.interaction_id for report in reports} == {interaction.interaction_id}
    assert {report.target_id for report in reports} == set(interaction.keys.values())
    assert "T-7" not in str(reports)
