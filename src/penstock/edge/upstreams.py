"""The model servers behind the gateway: one pooled client for each name in the settings."""

import os
from collections.abc import Mapping

from msgspec import Struct

from penstock.errors import ConfigurationError
from penstock.model_client import ModelClient, Timeouts
from penstock.settings import Settings, UpstreamSettings

LOCAL = "local"


class Upstream(Struct, frozen=True, kw_only=True):
    """One model server."""

    name: str
    client: ModelClient
    logprobs: bool  # ask it for log-probabilities
    stream_usage: bool  # ask it to end a stream with its token counts


class Upstreams:
    """Every model server, by name."""

    def __init__(self, settings: Settings, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self.default = settings.gateway.default_upstream
        self._timeouts = Timeouts(connect_s=settings.gateway.connect_timeout_s, idle_s=settings.gateway.idle_timeout_s)
        self._by_name = {name: self._open(name, found, environment) for name, found in known_upstreams(settings).items()}
        if self.default and self.default not in self._by_name:
            known = ", ".join(sorted(self._by_name)) or "none"
            raise ConfigurationError(f"gateway.default_upstream is {self.default!r}, but the upstreams are: {known}.")

    def find(self, name: str) -> Upstream | None:
        """The model server of this name."""
        return self._by_name.get(name)

    async def close(self) -> None:
        """Close every connection."""
        for upstream in self._by_name.values():
            await upstream.client.close()

    def _open(self, name: str, settings: UpstreamSettings, environment: Mapping[str, str]) -> Upstream:
        api_key = environment.get(settings.api_key_env) if settings.api_key_env else None
        if settings.api_key_env and not api_key:
            raise ConfigurationError(
                f"gateway.upstreams.{name}.api_key_env names {settings.api_key_env}, which is not set; set it, or leave it empty."
            )
        client = ModelClient(settings.base_url, api_key=api_key, timeouts=self._timeouts)
        return Upstream(name=name, client=client, logprobs=settings.logprobs, stream_usage=settings.stream_usage)


def known_upstreams(settings: Settings) -> dict[str, UpstreamSettings]:
    """The upstreams of the settings, and the local model server where that is enabled and not described otherwise."""
    upstreams = dict(settings.gateway.upstreams)
    if settings.serving.enabled and LOCAL not in upstreams:
        address = f"http://{settings.serving.host}:{settings.serving.port}/v1"
        upstreams[LOCAL] = UpstreamSettings(base_url=address, logprobs=True, stream_usage=True)
    return upstreams
