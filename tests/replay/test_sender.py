import email.utils
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from penstock.errors import ConfigurationError, UpstreamError
from penstock.replay.sender import Answer, EdgeSender, Patience
from tests.replay.receiver import Receiver

PROTOBUF = "application/x-protobuf"
QUICK = Patience(first_pause_s=0.01, longest_pause_s=0.05, give_up_after_s=0.2, never_answered_after_s=0.05)


async def send(url: str, patience: Patience = QUICK, waits: list[str] | None = None, times: int = 1) -> Answer:
    async with aiohttp.ClientSession() as http:
        sender = EdgeSender(http, url, patience, (waits if waits is not None else []).append)
        for _ in range(times):
            answer = await sender.send_telemetry("traces", b"", PROTOBUF)
        return answer


async def test_a_busy_edge_is_asked_again_after_its_retry_after(receiver: Receiver) -> None:
    soon = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=-1), usegmt=True)
    replies: list[Any] = [
        (503, b"", {"Retry-After": "0"}),
        (429, b"", {"Retry-After": soon}),
        (502, b"", {}),
        (504, b"", {"Retry-After": "x"}),
    ]
    receiver.misbehave = lambda number, _path, _body: replies[number - 1] if number <= len(replies) else None
    waits: list[str] = []
    assert (await send(receiver.url, waits=waits)).accepted
    assert receiver.requests == 5
    assert waits[0].startswith("the edge answered 503; trying again in 0.0 s")


async def test_a_refused_body_is_an_answer_with_the_reason_in_it(receiver: Receiver) -> None:
    receiver.misbehave = lambda *_: (400, Status(code=3, message="truncated protobuf").SerializeToString(), {})
    answer = await send(receiver.url)
    assert not answer.accepted
    assert answer.reason is not None
    assert "400" in answer.reason
    assert "truncated protobuf" in answer.reason


async def test_partial_success_is_told(receiver: Receiver) -> None:
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 2
    response.partial_success.error_message = "bad ids"
    receiver.misbehave = lambda *_: (200, response.SerializeToString(), {})
    assert await send(receiver.url) == Answer(accepted=True, reason="bad ids", rejected_items=2)


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (401, ConfigurationError, "scopes ingest and feedback"),
        (404, ConfigurationError, "is that the address of a Penstock edge"),
        (500, UpstreamError, "answered 500"),
        (302, UpstreamError, "answered 302"),
    ],
)
async def test_what_no_other_row_would_fare_better_with_ends_the_replay(
    receiver: Receiver, status: int, error: type[Exception], message: str
) -> None:
    receiver.misbehave = lambda *_: (status, b"no", {})
    with pytest.raises(error, match=message):
        await send(receiver.url)
    assert receiver.requests == 1


async def test_an_edge_that_stays_busy_is_given_up_with_the_way_to_resume(receiver: Receiver) -> None:
    receiver.misbehave = lambda *_: (503, b"full", {})
    with pytest.raises(UpstreamError, match="same command resumes"):
        await send(receiver.url)


async def test_an_address_where_nothing_answers_is_told_soon() -> None:
    with pytest.raises(ConfigurationError, match="penstock up"):
        await send("http://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match="no URL of an edge"):
        await send("nonsense")


async def test_feedback_that_is_refused_is_told_by_index(receiver: Receiver) -> None:
    body = b'{"accepted": 1, "feedback_ids": ["f"], "rejected": [{"index": 1, "error": "two targets"}]}'
    receiver.misbehave = lambda *_: (200, body, {})
    async with aiohttp.ClientSession() as http:
        answer = await EdgeSender(http, receiver.url, QUICK, lambda _why: None).send_feedback([{"name": "a"}, {"name": "b"}])
    assert answer == Answer(accepted=True, rejected=((1, "two targets"),), rejected_items=1)


async def test_a_body_of_feedback_that_cannot_be_read_is_refused_as_a_whole(receiver: Receiver) -> None:
    receiver.misbehave = lambda *_: (413, b"too many", {})
    async with aiohttp.ClientSession() as http:
        answer = await EdgeSender(http, receiver.url, QUICK, lambda _why: None).send_feedback([{"name": "a"}])
    assert not answer.accepted
