"""The gateway, driven by the official OpenAI client against a scripted upstream: answers, streams, captures and failures."""

import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import openai
import pytest

from penstock.edge.application import build_edge_app
from penstock.ingest.interactions import build_interactions
from penstock.records.clock import utc_now
from penstock.records.ids import interaction_id
from penstock.records.span import Span
from penstock.registry.registry import Registry
from penstock.settings import Settings
from tests.edge.conftest import checkpoint
from tests.edge.live_server import serve, wait_for
from tests.edge.recording_door import RecordingDoor
from tests.edge.upstream import LOGPROBS, TOKENS, ScriptedUpstream

TEXT = "".join(TOKENS)
HELLO: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello"}]


@pytest.fixture
def client(gateway: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway}/v1", api_key="sk-any", max_retries=0) as opened:
        yield opened


def captured(door: RecordingDoor) -> Span:
    """The one span, with the texts that are read of its messages when it is settled."""
    wait_for(lambda: door.spans)
    assert len(door.spans) == 1
    (interaction,) = build_interactions(door.spans, utc_now())
    texts = {name: getattr(interaction, name) for name in ("prompt_text", "response_text", "tool_calls")}
    return msgspec.structs.replace(door.spans[0], **texts)


def post_stream(gateway: str, model: str, **fields: Any) -> list[str]:
    """The data of each event of a raw streamed answer."""
    body = {"model": model, "messages": HELLO, "stream": True, **fields}
    with httpx.stream("POST", f"{gateway}/v1/chat/completions", json=body, timeout=20) as response:
        assert response.status_code == 200
        return [line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: ")]


def test_a_chat_completion_goes_through_a_route_and_is_captured(
    client: openai.OpenAI, door: RecordingDoor, upstream: ScriptedUpstream
) -> None:
    answer = client.chat.completions.create(model="assistant", messages=HELLO, temperature=0.5, user="user-1")
    assert answer.choices[0].message.content == TEXT
    assert upstream.bodies[0]["model"] == "m1"
    span = captured(door)
    assert (span.dialect, span.scope, span.kind, span.status) == ("gateway", "penstock.gateway", "inference", "ok")
    assert span.span_key == interaction_id(span.trace_id, span.span_id)
    assert (span.request_model, span.response_model, span.provider, span.operation) == ("assistant", "m1", "scripted", "chat")
    assert (span.checkpoint_id, span.release_arm, span.arm_probability) == ("c_one", "stable", 1.0)
    assert (span.prompt_text, span.response_text, span.finish_reason) == ("Say hello", TEXT, "stop")
    assert json.loads(span.parameters or "") == {"temperature": 0.5}
    assert (span.input_tokens, span.output_tokens, span.response_id) == (7, 4, "answer-1")
    assert span.token_logprobs == LOGPROBS
    assert (span.user_id, span.exposure, span.error_type) == ("user-1", "served", None)
    assert span.started_at <= span.ended_at


def test_answers_name_the_request_the_checkpoint_and_the_arm(client: openai.OpenAI, door: RecordingDoor) -> None:
    raw = client.chat.completions.with_raw_response.create(model="assistant", messages=HELLO)
    assert raw.headers["x-penstock-checkpoint"] == "c_one"
    assert raw.headers["x-penstock-arm"] == "stable"
    assert raw.headers["x-penstock-request-id"] == captured(door).request_id


def test_a_stream_arrives_and_is_captured_whole(client: openai.OpenAI, door: RecordingDoor) -> None:
    stream = client.chat.completions.create(model="assistant", messages=HELLO, stream=True)
    pieces = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
    assert pieces == TOKENS
    span = captured(door)
    assert (span.response_text, span.finish_reason, span.token_logprobs) == (TEXT, "stop", LOGPROBS)
    assert span.first_token_ms is not None and span.first_token_ms >= 0
    assert span.error_type is None


def test_a_streams_token_counts_are_captured_and_hidden_from_a_client_that_did_not_ask(
    gateway: str, door: RecordingDoor, upstream: ScriptedUpstream
) -> None:
    events = [json.loads(data) for data in post_stream(gateway, "assistant", stream_options={"other": 1}) if data != "[DONE]"]
    assert upstream.bodies[0]["stream_options"] == {"other": 1, "include_usage": True}
    assert len(events) == len(TOKENS) and not any("usage" in event for event in events)
    span = captured(door)
    assert (span.input_tokens, span.output_tokens) == (7, 4)


def test_a_client_that_asks_for_token_counts_gets_them(gateway: str, door: RecordingDoor) -> None:
    events = post_stream(gateway, "assistant", stream_options={"include_usage": True})
    assert json.loads(events[-2])["usage"]["completion_tokens"] == 4


def test_text_completions_go_through_as_well_streamed_or_not(client: openai.OpenAI, door: RecordingDoor) -> None:
    answer = client.completions.create(model="assistant", prompt="def f(")
    assert answer.choices[0].text == TEXT and answer.choices[0].logprobs is None
    span = captured(door)
    assert (span.operation, span.prompt_text, span.response_text) == ("text_completion", "def f(", TEXT)
    assert span.token_logprobs == LOGPROBS
    stream = client.completions.create(model="assistant", prompt="def f(", stream=True)
    assert [chunk.choices[0].text for chunk in stream] == TOKENS
    wait_for(lambda: len(door.spans) == 2)
    assert door.spans[1].token_logprobs == LOGPROBS


def test_logprobs_that_only_penstock_asked_for_are_taken_out(
    client: openai.OpenAI, gateway: str, upstream: ScriptedUpstream
) -> None:
    answer = client.chat.completions.create(model="assistant", messages=HELLO)
    assert upstream.bodies[0]["logprobs"] is True
    assert answer.choices[0].logprobs is None
    assert "logprob" not in "".join(event.replace('"logprobs":null', "") for event in post_stream(gateway, "assistant"))


def test_logprobs_that_the_client_asked_for_are_left_in(client: openai.OpenAI, gateway: str) -> None:
    answer = client.chat.completions.create(model="assistant", messages=HELLO, logprobs=True)
    content = answer.choices[0].logprobs
    assert content is not None and content.content is not None and content.content[0].logprob == LOGPROBS[0]
    events = post_stream(gateway, "assistant", logprobs=True)
    assert json.loads(events[0])["choices"][0]["logprobs"]["content"][0]["logprob"] == LOGPROBS[0]


def test_unknown_fields_pass_through_both_ways(gateway: str, upstream: ScriptedUpstream) -> None:
    body = {
        "model": "assistant",
        "messages": HELLO,
        "vendor": {"deep": [1, 2.5, None, "ü"]},
        "big": 123456789012345678901234567890,
    }
    answer = httpx.post(f"{gateway}/v1/chat/completions", json=body).json()
    assert answer["vendor_field"] == {"kept": True}
    assert upstream.bodies[0]["vendor"] == body["vendor"] and upstream.bodies[0]["big"] == body["big"]


def test_the_clients_own_key_never_reaches_the_upstream(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    client.chat.completions.create(model="assistant", messages=HELLO)
    assert "sk-any" not in upstream.heads[0]


def test_headers_say_whose_request_it_is(client: openai.OpenAI, door: RecordingDoor) -> None:
    headers = {
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
        "x-penstock-request-id": "req-7",
        "x-penstock-session": "session-7",
        "x-penstock-user": "user-7",
        "x-penstock-exposure": "simulated",
        "x-penstock-segment": "beta",
        "x-penstock-application": "editor",
        "x-penstock-prompt-name": "complete",
        "x-penstock-prompt-version": "3",
        "x-penstock-key-ticket_id": "T-9",
        "x-penstock-tag-language": "python",
    }
    client.chat.completions.create(model="assistant", messages=HELLO, extra_headers=headers)
    span = captured(door)
    assert (span.trace_id, span.parent_span_id, span.request_id) == ("a" * 32, "b" * 16, "req-7")
    assert (span.session_id, span.user_id, span.exposure, span.segment) == ("session-7", "user-7", "simulated", "beta")
    assert (span.application, span.prompt_name, span.prompt_version) == ("editor", "complete", "3")
    assert (span.keys, span.tags) == ({"ticket_id": "T-9"}, {"language": "python"})


def test_an_exposure_that_does_not_exist_is_refused(client: openai.OpenAI, door: RecordingDoor) -> None:
    with pytest.raises(openai.BadRequestError, match="exposure"):
        client.chat.completions.create(model="assistant", messages=HELLO, extra_headers={"x-penstock-exposure": "tset"})
    assert not door.spans


def test_a_flip_changes_who_answers_without_a_restart(
    client: openai.OpenAI, registry: Registry, upstream: ScriptedUpstream
) -> None:
    client.chat.completions.create(model="assistant", messages=HELLO)
    registry.checkpoints.put(checkpoint("two", "m2"))
    registry.routes.set_stable("assistant", "c_two", utc_now())

    def flipped() -> bool:
        client.chat.completions.create(model="assistant", messages=HELLO)
        return bool(upstream.bodies[-1]["model"] == "m2")

    wait_for(flipped)


def test_models_are_the_routes_and_what_the_default_upstream_has(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["assistant", "upstream-model"]
    assert client.models.retrieve("assistant").owned_by == "penstock"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing")


def test_a_model_that_is_no_route_goes_to_the_default_upstream(client: openai.OpenAI, door: RecordingDoor) -> None:
    client.chat.completions.create(model="gpt-x", messages=HELLO)
    span = captured(door)
    assert (span.request_model, span.checkpoint_id, span.release_arm) == ("gpt-x", None, None)


def test_without_a_default_upstream_an_unknown_model_is_not_found(edge: str, door: RecordingDoor) -> None:
    with openai.OpenAI(base_url=f"{edge}/v1", api_key="x", max_retries=0) as client:
        with pytest.raises(openai.NotFoundError, match="does not exist") as caught:
            client.chat.completions.create(model="nothing", messages=HELLO)
        assert caught.value.code == "model_not_found"
        assert list(client.models.list()) == []
    assert not door.spans


@pytest.mark.parametrize("status", [400, 404, 422, 429])
def test_an_upstreams_own_refusal_is_passed_through(gateway: str, door: RecordingDoor, status: int) -> None:
    response = httpx.post(f"{gateway}/v1/chat/completions", json={"model": f"status-{status}", "messages": HELLO})
    assert (response.status_code, response.json()["error"]["type"]) == (status, "scripted")
    assert response.headers.get("retry-after") == ("7" if status == 429 else None)
    span = captured(door)
    assert (span.status, span.error_type) == ("error", f"upstream_{status}")


@pytest.mark.parametrize(("upstream_status", "expected"), [(500, 502), (503, 502), (504, 504), (401, 502), (302, 502)])
def test_an_upstreams_failure_is_a_bad_gateway(gateway: str, door: RecordingDoor, upstream_status: int, expected: int) -> None:
    response = httpx.post(f"{gateway}/v1/chat/completions", json={"model": f"status-{upstream_status}", "messages": HELLO})
    assert response.status_code == expected
    assert str(upstream_status) in response.json()["error"]["message"]
    assert captured(door).error_type == f"upstream_{upstream_status}"


@pytest.mark.parametrize(
    ("model", "status", "error_type"),
    [("bad-json", 502, "upstream_protocol"), ("hang", 504, "upstream_timeout"), ("drop", 502, "upstream_disconnected")],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_that_breaks_before_it_answers_is_told_and_recorded(
    gateway: str, door: RecordingDoor, model: str, status: int, error_type: str, stream: bool
) -> None:
    response = httpx.post(
        f"{gateway}/v1/chat/completions", json={"model": model, "messages": HELLO, "stream": stream}, timeout=20
    )
    assert response.status_code == status
    assert response.json()["error"]["code"] == error_type
    span = captured(door)
    assert (span.error_type, span.status, span.prompt_text) == (error_type, "error", "Say hello")


def test_an_upstream_that_cannot_be_reached_is_told_and_recorded(gateway: str, registry: Registry, door: RecordingDoor) -> None:
    registry.checkpoints.put(checkpoint("dead", "m", upstream="dead"))
    registry.checkpoints.put(checkpoint("lost", "m", upstream="never configured"))
    registry.routes.set_stable("dead", "c_dead", utc_now())
    registry.routes.set_stable("lost", "c_lost", utc_now())
    wait_for(lambda: "lost" in httpx.get(f"{gateway}/v1/models").text)
    for model, error_type in (("dead", "upstream_refused"), ("lost", "upstream_unknown")):
        response = httpx.post(f"{gateway}/v1/chat/completions", json={"model": model, "messages": HELLO})
        assert (response.status_code, response.json()["error"]["code"]) == (502, error_type)
    wait_for(lambda: len(door.spans) == 2)
    assert [span.error_type for span in door.spans] == ["upstream_refused", "upstream_unknown"]
    assert [span.checkpoint_id for span in door.spans] == ["c_dead", "c_lost"]


@pytest.mark.parametrize(
    ("model", "error_type"),
    [
        ("die-mid-stream", "upstream_disconnected"),
        ("hang-mid-stream", "upstream_timeout"),
        ("bad-json-mid-stream", "upstream_protocol"),
    ],
)
def test_a_stream_that_breaks_ends_with_an_error_event_and_keeps_its_beginning(
    client: openai.OpenAI, door: RecordingDoor, model: str, error_type: str
) -> None:
    pieces: list[str | None] = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in client.chat.completions.create(model=model, messages=HELLO, stream=True):
            pieces.append(chunk.choices[0].delta.content)
    assert pieces == TOKENS[:2]
    assert caught.value.code == error_type
    span = captured(door)
    assert (span.error_type, span.response_text, span.status) == (error_type, "Bonjour le", "error")


def test_a_stream_without_done_is_whole_when_it_says_why_it_stopped(gateway: str, door: RecordingDoor) -> None:
    assert len(post_stream(gateway, "no-done")) == len(TOKENS)
    span = captured(door)
    assert (span.error_type, span.response_text) == (None, TEXT)


@pytest.mark.parametrize(("model", "stream"), [("hang", False), ("hang-mid-stream", True)])
def test_a_client_that_goes_away_cancels_the_upstream_and_is_recorded(
    gateway: str, door: RecordingDoor, upstream: ScriptedUpstream, model: str, stream: bool
) -> None:
    host, port = gateway.removeprefix("http://").split(":")
    body = json.dumps({"model": model, "messages": HELLO, "stream": stream}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + body)
        if stream:
            assert b"200" in connection.recv(100)
        else:
            wait_for(lambda: upstream.bodies)
    span = captured(door)
    assert (span.error_type, span.status) == ("client_disconnected", "error")
    assert upstream.hung_up.wait(10)
    if stream:
        assert span.response_text is not None and span.response_text.startswith("Bonjour")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "JSON"),
        (b"[]", "JSON"),
        (b"{}", "model"),
        (b'{"model": 3}', "model"),
        (b"[" * 100_000, "JSON"),
        (b'{"model": "\\ud800"}', "JSON"),
    ],
)
def test_a_body_that_makes_no_sense_is_refused_as_openai_would(gateway: str, body: bytes, reason: str) -> None:
    response = httpx.post(f"{gateway}/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")
    assert reason in response.json()["error"]["message"]


def test_another_content_type_is_refused(gateway: str) -> None:
    assert httpx.post(f"{gateway}/v1/chat/completions", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415


def test_a_body_that_is_too_large_is_refused(edge: str) -> None:
    body = json.dumps({"model": "m", "messages": [], "x": "y" * 1_000_000}).encode()
    headers = {"content-type": "application/json"}
    assert httpx.post(f"{edge}/v1/chat/completions", content=body, headers=headers).status_code == 413
    zipped = httpx.post(
        f"{edge}/v1/chat/completions", content=gzip.compress(body), headers={**headers, "content-encoding": "gzip"}
    )
    assert zipped.status_code == 413


def test_a_capture_that_fails_does_not_fail_the_answer(
    registry: Registry, gateway_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    class BrokenDoor(RecordingDoor):
        def offer_span(self, span: Span) -> bool:
            raise RuntimeError("a bug")

    with serve(build_edge_app(BrokenDoor(), registry, gateway_settings)) as url:
        for _ in range(2):
            assert httpx.post(f"{url}/v1/chat/completions", json={"model": "m", "messages": HELLO}).status_code == 200
        wait_for(lambda: "could not be captured" in caplog.text)
