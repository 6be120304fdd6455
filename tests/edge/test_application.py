"""The application as a whole: when it is ready, what it tells of itself, and that it serves while the registry is away."""

import httpx
import msgspec
import pytest

from penstock.edge.application import build_edge_app
from penstock.edge.upstreams import Upstreams, known_upstreams
from penstock.errors import ConfigurationError
from penstock.registry.registry import Registry
from penstock.settings import GatewaySettings, ServingSettings, Settings, UpstreamSettings
from tests.edge.live_server import serve, wait_for
from tests.edge.recording_door import RecordingDoor


def test_it_is_healthy_once_the_routes_are_known(edge: str) -> None:
    assert httpx.get(f"{edge}/healthz").json() == {"status": "ready"}


def test_it_is_not_healthy_before_the_registry_was_reached(
    door: RecordingDoor, registry: Registry, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> int:
        raise OSError("no route to host")

    with monkeypatch.context() as patched:
        patched.setattr(registry.routes, "generation", away)
        with serve(build_edge_app(door, registry, settings), wait_until_ready=False) as url:
            response = wait_for(lambda: (found := httpx.get(f"{url}/healthz")) and "no route" in found.text and found)
            assert response.status_code == 503 and "retry-after" in response.headers
            patched.undo()
            wait_for(lambda: httpx.get(f"{url}/healthz").status_code == 200)


def test_its_status_tells_what_it_took_and_which_routes_it_serves(edge: str) -> None:
    status = httpx.get(f"{edge}/v1/status").json()
    assert status["ingest"] == {"accepted": 0}
    assert status["routes"] == {"generation": 0, "failure": None}
    assert status["pid"] > 0 and status["worker_id"]


def test_an_unknown_path_is_not_found_and_a_wrong_method_is_told(edge: str) -> None:
    assert httpx.get(f"{edge}/v2/nothing").status_code == 404
    assert httpx.get(f"{edge}/v1/traces").status_code == 405


def test_the_local_model_server_is_an_upstream_where_it_is_enabled(settings: Settings) -> None:
    assert known_upstreams(settings) == {}
    local = msgspec.structs.replace(settings, serving=ServingSettings(enabled=True, port=9999))
    assert known_upstreams(local)["local"] == UpstreamSettings(
        base_url="http://127.0.0.1:9999/v1", logprobs=True, stream_usage=True
    )


def test_an_upstreams_key_comes_from_its_variable_or_is_missed_at_once(settings: Settings) -> None:
    named = GatewaySettings(upstreams={"hosted": UpstreamSettings(base_url="http://x/v1", api_key_env="HOSTED_KEY")})
    hosted = msgspec.structs.replace(settings, gateway=named)
    assert Upstreams(hosted, {"HOSTED_KEY": "k"}).find("hosted") is not None
    with pytest.raises(ConfigurationError, match="HOSTED_KEY"):
        Upstreams(hosted, {})


def test_a_default_upstream_has_to_exist(settings: Settings) -> None:
    wrong = msgspec.structs.replace(settings, gateway=GatewaySettings(default_upstream="opanai"))
    with pytest.raises(ConfigurationError, match="opanai"):
        Upstreams(wrong, {})
