"""The outgoing model client: answers, streams, and a kind for each way in which a server can fail."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from penstock.errors import ConfigurationError, UpstreamError
from penstock.model_client import CHAT, ModelClient, Timeouts
from tests.edge.upstream import LOGPROBS, TOKENS, ScriptedUpstream, running_upstream

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture
async def client(upstream: ScriptedUpstream) -> AsyncIterator[ModelClient]:
    async with ModelClient(upstream.base_url, api_key="secret", timeouts=Timeouts(idle_s=0.3)) as opened:
        yield opened


async def test_a_chat_is_answered(client: ModelClient, upstream: ScriptedUpstream) -> None:
    answer = await client.chat({"model": "m", **HELLO})
    assert answer["choices"][0]["message"]["content"] == "".join(TOKENS)
    assert "Bearer secret" in upstream.heads[0]


async def test_a_completion_is_answered_with_its_logprobs(client: ModelClient) -> None:
    answer = await client.complete({"model": "m", "prompt": "x", "logprobs": 1})
    assert answer["choices"][0]["logprobs"]["token_logprobs"] == LOGPROBS


async def test_models_are_listed(client: ModelClient) -> None:
    assert [model["id"] for model in await client.models()] == ["upstream-model"]


async def test_a_stream_gives_its_chunks(client: ModelClient) -> None:
    chunks = [chunk async for chunk in client.stream({"model": "m", **HELLO})]
    assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks] == TOKENS


async def test_one_connection_serves_many_requests(client: ModelClient) -> None:
    for _ in range(3):
        async with client.exchange(CHAT, b'{"model": "m"}') as answer:
            await answer.read()


@pytest.mark.parametrize(
    ("model", "kind", "status"),
    [("status-500", "status", 500), ("bad-json", "protocol", None), ("hang", "timeout", None), ("drop", "disconnected", None)],
)
async def test_a_failure_has_its_kind(client: ModelClient, model: str, kind: str, status: int | None) -> None:
    with pytest.raises(UpstreamError) as caught:
        await client.chat({"model": model, **HELLO})
    assert (caught.value.kind, caught.value.status) == (kind, status)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("die-mid-stream", "disconnected"),
        ("hang-mid-stream", "timeout"),
        ("bad-json-mid-stream", "protocol"),
        ("no-done", "disconnected"),
        ("status-429", "status"),
    ],
)
async def test_a_stream_that_breaks_has_its_kind(client: ModelClient, model: str, kind: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        async for _ in client.stream({"model": model, **HELLO}):
            pass
    assert caught.value.kind == kind


async def test_a_server_that_is_not_there_refuses() -> None:
    async with ModelClient("http://127.0.0.1:9/v1") as client:
        with pytest.raises(UpstreamError) as caught:
            await client.chat(HELLO)
    assert caught.value.kind == "refused"


async def test_an_answer_that_does_not_end_is_cut_off(upstream: ScriptedUpstream) -> None:
    async with ModelClient(upstream.base_url, max_answer_bytes=50) as client:
        with pytest.raises(UpstreamError, match="more than 50 bytes"):
            await client.chat({"model": "m", **HELLO})


def test_an_address_without_a_scheme_is_told() -> None:
    with pytest.raises(ConfigurationError, match="http://"):
        ModelClient("localhost:8000/v1")
