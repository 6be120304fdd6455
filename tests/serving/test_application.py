import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.serving.conftest import serve

MESSAGES: list[Any] = [{"role": "user", "content": "tab: abcd"}]
CHAT = {"model": "one", "messages": MESSAGES, "max_tokens": 12, "seed": 5, "logprobs": True}


def post(url: str, path: str, body: Any) -> httpx.Response:
    return httpx.post(url + path, json=body, timeout=60)


def chat(url: str, **fields: Any) -> dict[str, Any]:
    response = post(url, "/chat/completions", CHAT | fields)
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_the_official_client_gets_an_answer_with_its_logprobs(server_url: str) -> None:
    with openai.OpenAI(base_url=server_url, api_key="none", max_retries=0) as client:
        answer = client.chat.completions.create(model="one", messages=MESSAGES, max_tokens=12, seed=5, logprobs=True)
        logprobs = answer.choices[0].logprobs
        assert logprobs is not None and logprobs.content is not None and answer.usage is not None
        assert len(logprobs.content) == answer.usage.completion_tokens
        assert all(token.logprob <= 0 for token in logprobs.content)
        assert [model.id for model in client.models.list()] == ["broken", "one", "two"]


def test_the_official_client_reads_the_same_answer_from_a_stream(server_url: str) -> None:
    whole = chat(server_url)["choices"][0]
    with openai.OpenAI(base_url=server_url, api_key="none", max_retries=0) as client:
        options: Any = {"include_usage": True}
        stream = client.chat.completions.create(
            model="one", messages=MESSAGES, max_tokens=12, seed=5, logprobs=True, stream=True, stream_options=options
        )
        chunks = list(stream)
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == whole["message"]["content"]
    assert choices[-1].finish_reason == whole["finish_reason"]
    tokens = [token.logprob for choice in choices if choice.logprobs for token in choice.logprobs.content or []]
    assert tokens == pytest.approx([token["logprob"] for token in whole["logprobs"]["content"]], abs=1e-4)
    assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens == len(tokens)


def test_a_stream_ends_with_done(server_url: str) -> None:
    with httpx.stream("POST", server_url + "/chat/completions", json=CHAT | {"stream": True}, timeout=60) as response:
        lines = [line for line in response.iter_lines() if line]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert lines[-1] == "data: [DONE]"
    assert json.loads(lines[0].removeprefix("data: "))["choices"][0]["delta"]["role"] == "assistant"


def test_several_choices_of_one_request_differ(server_url: str) -> None:
    choices = chat(server_url, n=4, max_tokens=20)["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2, 3]
    assert len({choice["message"]["content"] for choice in choices}) > 1


def test_an_answer_scores_what_it_was_sampled_with(server_url: str) -> None:
    choices = chat(server_url, n=100, max_tokens=100)["choices"]
    ended = next(one for one in choices if one["finish_reason"] == "stop" and one["message"]["content"].isascii())
    item = {"messages": MESSAGES, "completion": ended["message"]["content"]}
    scored = post(server_url, "/score", {"model": "one", "items": [item, item | {"finish_reason": "length"}]}).json()["data"]
    sampled = [token["logprob"] for token in ended["logprobs"]["content"]]
    if len(sampled) == len(scored[0]["tokens"]):
        assert scored[0]["logprob"] == pytest.approx(sum(sampled), abs=1e-3)
    assert scored[0]["tokens"][-1] == "<|end|>"
    assert scored[1]["token_logprobs"] == pytest.approx(scored[0]["token_logprobs"][:-1], abs=1e-4)


def test_many_completions_are_scored_in_one_request_in_their_order(server_url: str) -> None:
    texts = ["a", "bb", "abcd", "", "dcba"] * 10
    items = [{"messages": MESSAGES, "completion": text} for text in texts]
    data = post(server_url, "/score", {"model": "one", "items": items}).json()["data"]
    assert [one["index"] for one in data] == list(range(50))
    assert [one["logprob"] for one in data[:5]] == pytest.approx([one["logprob"] for one in data[5:10]], abs=1e-4)
    assert len({round(one["logprob"], 3) for one in data[:5]}) == 5


def test_plain_text_is_scored_by_echo_without_a_new_token(server_url: str) -> None:
    body = {"model": "one", "prompt": ["tab: abcd", "x"], "max_tokens": 0, "echo": True, "logprobs": 1}
    first, second = post(server_url, "/completions", body).json()["choices"]
    assert first["text"] == "tab: abcd"
    assert "".join(first["logprobs"]["tokens"]) == "tab: abcd"
    assert first["logprobs"]["token_logprobs"][0] is None
    assert all(value < 0 for value in first["logprobs"]["token_logprobs"][1:])
    assert first["logprobs"]["text_offset"][:2] == [0, len(first["logprobs"]["tokens"][0])]
    assert second["logprobs"]["token_logprobs"] == [None]


def test_plain_prompts_are_completed_in_their_order_with_or_without_echo(server_url: str) -> None:
    body = {"model": "one", "prompt": ["tab: abcd", "rev: "], "max_tokens": 4, "seed": 1}
    plain = post(server_url, "/completions", body).json()
    echoed = post(server_url, "/completions", body | {"echo": True, "logprobs": 0}).json()["choices"]
    assert echoed[0]["text"] == "tab: abcd" + plain["choices"][0]["text"]
    assert echoed[1]["text"] == "rev: " + plain["choices"][1]["text"]
    assert plain["choices"][0]["logprobs"] is None
    assert plain["usage"]["completion_tokens"] <= 8


@pytest.mark.parametrize("name", ["three", "../one", "/etc/passwd", "one/../two", ""])
def test_a_model_outside_the_list_is_not_found(server_url: str, name: str) -> None:
    response = post(server_url, "/chat/completions", CHAT | {"model": name})
    assert response.status_code == 404
    assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("stream", [False, True])
def test_a_broken_checkpoint_is_an_error_of_that_model_only(server_url: str, stream: bool) -> None:
    response = post(server_url, "/chat/completions", CHAT | {"model": "broken", "stream": stream})
    assert response.status_code == 502
    assert "broken" in response.json()["error"]["message"]
    assert chat(server_url)["choices"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/chat/completions", b"{"),
        ("/chat/completions", b"\xff"),
        ("/chat/completions", b'{"model": "one"}'),
        ("/completions", b'{"model": "one", "prompt": []}'),
        ("/completions", b'{"model": "one", "prompt": ""}'),
        ("/completions", b'{"model": "one", "prompt": "a", "max_tokens": 0}'),
        ("/score", b'{"model": "one", "items": []}'),
        ("/chat/completions", b'{"model": "one", "messages": [{"role": "user", "content": "' + b"x" * 400 + b'"}]}'),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_a_reason(server_url: str, path: str, body: bytes) -> None:
    response = httpx.post(server_url + path, content=body, timeout=60)
    assert response.status_code == 400
    assert response.json()["error"]["message"]


def test_a_body_beyond_the_limit_is_refused(server_url: str) -> None:
    response = httpx.post(server_url + "/chat/completions", content=b" " * (17 * 1024 * 1024), timeout=60)
    assert response.status_code == 400


def test_health_is_told(server_url: str) -> None:
    assert httpx.get(server_url.removesuffix("/v1") + "/healthz").json() == {"status": "ok"}


async def test_requests_at_the_same_time_share_the_model(server_url: str) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        responses = await asyncio.gather(
            *(client.post(server_url + "/chat/completions", json=CHAT | {"seed": seed}) for seed in range(40))
        )
    alone = [chat(server_url, seed=seed)["choices"][0]["message"]["content"] for seed in (0, 39)]
    together = [response.json()["choices"][0]["message"]["content"] for response in responses]
    assert [together[0], together[39]] == alone


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_hangs_up_frees_its_place(checkpoints: Path, stream: bool) -> None:
    endless = CHAT | {"max_tokens": 240, "logit_bias": {}, "stream": stream, "logprobs": False}
    with serve(checkpoints, max_batch=1) as url:
        async with httpx.AsyncClient(timeout=60) as client:
            await client.post(url + "/chat/completions", json=CHAT)
            hung_up = [
                asyncio.create_task(client.post(url + "/chat/completions", json=endless | {"seed": seed})) for seed in range(8)
            ]
            await asyncio.sleep(0.1)
            for task in hung_up:
                task.cancel()
            await asyncio.gather(*hung_up, return_exceptions=True)
            response = await client.post(url + "/chat/completions", json=CHAT)
    assert response.status_code == 200
