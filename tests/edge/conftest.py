"""An edge on a free port with a door that keeps what it is given, and a scripted upstream."""

from collections.abc import Iterator

import msgspec
import pytest

from penstock.edge.application import build_edge_app
from penstock.records.clock import utc_now
from penstock.records.training import Checkpoint
from penstock.registry.registry import Registry
from penstock.settings import GatewaySettings, Settings, UpstreamSettings
from tests.edge.live_server import serve
from tests.edge.recording_door import RecordingDoor
from tests.edge.upstream import ScriptedUpstream, running_upstream


def checkpoint(name: str, model: str, upstream: str = "scripted") -> Checkpoint:
    return Checkpoint(
        checkpoint_id=f"c_{name}",
        name=name,
        content_hash=f"b2:{name}",
        uri=None,
        upstream=upstream,
        model=model,
        created_at=utc_now(),
    )


@pytest.fixture
def door() -> RecordingDoor:
    return RecordingDoor()


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture
def edge(door: RecordingDoor, registry: Registry, settings: Settings) -> Iterator[str]:
    """Without any upstream, and with small bodies only."""
    small = msgspec.structs.replace(settings, edge=msgspec.structs.replace(settings.edge, max_body_bytes=1_000_000))
    with serve(build_edge_app(door, registry, small)) as url:
        yield url


@pytest.fixture
def gateway_settings(settings: Settings, upstream: ScriptedUpstream) -> Settings:
    upstreams = {
        "scripted": UpstreamSettings(base_url=upstream.base_url, logprobs=True, stream_usage=True),
        "dead": UpstreamSettings(base_url="http://127.0.0.1:9/v1"),
    }
    gateway = GatewaySettings(upstreams=upstreams, default_upstream="scripted", idle_timeout_s=0.5, route_refresh_s=0.02)
    return msgspec.structs.replace(settings, gateway=gateway)


@pytest.fixture
def gateway(door: RecordingDoor, registry: Registry, gateway_settings: Settings) -> Iterator[str]:
    """With the route `assistant`, which model `m1` of the scripted upstream serves."""
    registry.checkpoints.put(checkpoint("one", "m1"))
    registry.routes.set_stable("assistant", "c_one", utc_now())
    with serve(build_edge_app(door, registry, gateway_settings)) as url:
        yield url
