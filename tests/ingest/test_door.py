"""What comes through the door is on disk when the answer says so, redacted, and stands in the lake once."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.errors import SpoolFullError
from penstock.ingest.decode_bodies import FEWEST
from penstock.ingest.door import Door
from penstock.ingest.flush import Flusher
from penstock.ingest.redact import Redaction
from penstock.ingest.spool import Spool
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.feedback import TargetKind
from penstock.text.redaction import Redactor
from tests.ingest.otlp_requests import CHAT, logs_request, trace_request
from tests.ingest.spooled import fresh_spool, numbered_span
from tests.rows import make_feedback
from tests.worker.left_behind import find_left

MAIL = "jane.doe@example.com"


@pytest.fixture
def spool(home: Path) -> Iterator[Spool]:
    spool = fresh_spool(home)
    yield spool
    if not spool._closed:
        spool.close()


def open_door(spool: Spool, clock: WriterClock, capture_queue: int = 100) -> Door:
    return Door(spool, Redaction(Redactor(b"k" * 32)), clock, capture_queue=capture_queue)


async def test_accepted_spans_are_on_disk_and_counted(spool: Spool, clock: WriterClock) -> None:
    door = open_door(spool, clock)
    accepted = await door.accept_traces(trace_request(CHAT))
    assert (accepted.rejected, accepted.message) == (0, "")
    assert spool.waiting_rows() == 1
    assert door.status()["spans"] == 1
    door.close(10)


async def test_spans_are_counted_by_dialect_also_those_of_none_that_is_known(spool: Spool, clock: WriterClock) -> None:
    door = open_door(spool, clock)
    for attributes in (CHAT, {"openinference.span.kind": "LLM"}, {"llm.from.the.future": "x"}, {"http.route": "/"}, CHAT):
        await door.accept_traces(trace_request(attributes))
    assert door.status()["dialects"] == {"genai": 2, "openinference": 1, "unknown": 1, "none": 1}
    door.close(10)


async def test_an_empty_request_is_accepted(spool: Spool, clock: WriterClock) -> None:
    door = open_door(spool, clock)
    empty = trace_request()
    del empty.resource_spans[:]
    assert (await door.accept_traces(empty)).rejected == 0
    assert spool.waiting_rows() == 0
    door.close(10)


async def test_a_span_sent_twice_and_one_sent_late_are_each_there_once(spool: Spool, clock: WriterClock, lake: Lake) -> None:
    door = open_door(spool, clock)
    for _ in range(2):
        await door.accept_traces(trace_request(CHAT))
    Flusher(lake, spool, 100).run_once()
    await door.accept_traces(trace_request(CHAT))
    await door.accept_traces(trace_request(CHAT, span_id=b"\x03" * 8, start=1_600_000_000_000_000_000))
    Flusher(lake, spool, 100).run_once()
    assert lake.current("spans").count().to_pyarrow().as_py() == 2
    door.close(10)


async def test_nothing_personal_is_on_disk_anywhere(spool: Spool, clock: WriterClock, lake: Lake, home: Path) -> None:
    door = open_door(spool, clock)
    attributes = {
        **CHAT,
        "user.id": MAIL,
        "gen_ai.conversation.id": MAIL,
        "gen_ai.provider.name": MAIL,
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": f"I am {MAIL}"}]}],
        "penstock.key.customer": MAIL,
        f"penstock.tag.{MAIL}": "x",
        "free.text": f"({MAIL})",
    }
    await door.accept_traces(trace_request(attributes, resource={"enduser.id": "customer-0815"}))
    await door.accept_logs(logs_request("note", {"user.name": "Jane Roe"}, body=f"from {MAIL}"))
    await door.accept_feedback([make_feedback("thumb", "session", MAIL, text=MAIL, metadata={"user.id": "customer-0815"})])
    everything = [spool.path.with_name(spool.path.name + "-wal").read_bytes(), spool.path.read_bytes()]
    Flusher(lake, spool, 100).run_once()
    shown = "".join(str(lake.current(name).to_pyarrow().to_pylist()) for name in ("spans", "feedback"))
    everything += [shown.encode(), *(path.read_bytes() for path in home.rglob("*") if path.is_file())]
    for secret in (b"jane.doe", b"customer-0815", b"Jane Roe"):
        assert not any(secret in content for content in everything)
    (span,) = lake.current("spans").filter(lake.current("spans").kind == "inference").to_pyarrow().to_pylist()
    (report,) = lake.current("feedback").to_pyarrow().to_pylist()
    assert span["session_id"] == report["target_id"]
    door.close(10)


@pytest.mark.parametrize("spans", [1, FEWEST + 1], ids=["a span at a time", "a column at a time"])
async def test_a_key_under_a_telling_name_is_hashed_and_meets_its_feedback(
    spool: Spool, clock: WriterClock, lake: Lake, home: Path, spans: int
) -> None:
    door = open_door(spool, clock)
    request = None
    for number in range(spans):
        keys = {"tax_id": "86095742719", "penstock.key.ssn": "078051120", "penstock.key.ticket_id": f"T-{number}"}
        request = trace_request({**CHAT, **keys}, span_id=bytes([number + 1] * 8), request=request)
    assert request is not None
    await door.accept_traces(request.SerializeToString())
    reports = {"tax_id": "86095742719", "ssn": "078051120", "ticket_id": "T-0"}
    await door.accept_feedback([make_feedback("outcome.paid", "key", value, key=name) for name, value in reports.items()])
    Flusher(lake, spool, 100).run_once()
    assert find_left(home, ["86095742719", "078051120"]) == []
    told = {row.target_key: row.target_id for row in lake.to_records("feedback", lake.current("feedback"))}
    found = sorted((row.keys for row in lake.to_records("spans", lake.current("spans"))), key=lambda keys: keys["ticket_id"])
    assert found[0] == told
    assert len(found) == spans and {keys["tax_id"] for keys in found} == {told["tax_id"]}
    door.close(10)


async def test_a_full_spool_is_told_to_the_sender(home: Path, clock: WriterClock) -> None:
    spool = fresh_spool(home, max_bytes=10)
    door = open_door(spool, clock)
    with pytest.raises(SpoolFullError):
        await door.accept_traces(trace_request(CHAT))
    assert door.status()["spans"] == 0
    door.close(10)


async def test_a_sender_that_goes_away_does_not_stop_the_door(spool: Spool, clock: WriterClock) -> None:
    door = open_door(spool, clock)
    task = asyncio.create_task(door.accept_traces(trace_request(CHAT)))
    await asyncio.sleep(0)
    task.cancel()
    await door.accept_traces(trace_request(CHAT))
    assert spool.waiting_rows() == 2
    door.close(10)


def test_captures_are_written_and_those_beyond_the_queue_are_counted_as_lost(
    spool: Spool, clock: WriterClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.ingest.door.CAPTURE_PAUSE_S", 3600.0)
    monkeypatch.setattr(Door, "_run_captures", lambda self: self._stop.wait())
    door = open_door(spool, clock, capture_queue=3)
    assert [door.offer_span(numbered_span(number)) for number in range(4)] == [True, True, True, False]
    assert [span.capture_probability for span in door._take_captures()] == [0.75] * 3
    assert (door.status()["captures"], door.status()["captures_lost"]) == (3, 1)
    door.close(10)


def test_a_capture_is_written_however_long_there_was_none(spool: Spool, clock: WriterClock) -> None:
    door = open_door(spool, clock)
    for number in range(3):
        door.offer_span(numbered_span(number))
        while spool.waiting_rows() == number:  # the test's own time limit ends it
            time.sleep(0.01)
    assert spool.waiting_rows() == 3
    door.close(10)


def test_captures_that_fail_for_a_reason_nobody_foresaw_are_lost_in_every_count(
    spool: Spool, clock: WriterClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Door, "_run_captures", lambda self: self._stop.wait())
    door = open_door(spool, clock)
    for number in range(4):
        door.offer_span(numbered_span(number))
    taken = door._take_captures()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(door, "_put_spans", fail)
        door._write_captures(taken[:3])
    assert (door.status()["captures"], door.status()["captures_lost"]) == (1, 3)
    door.offer_span(numbered_span(9))
    assert [span.capture_probability for span in door._take_captures()] == [0.4]
    assert "3 captures were lost" in caplog.text
    door.close(10)


def test_captures_that_wait_are_written_when_the_door_closes(spool: Spool, clock: WriterClock, home: Path) -> None:
    door = open_door(spool, clock)
    assert door.offer_span(numbered_span(1))
    door.close(10)
    assert spool.path.exists()
    assert not door.offer_span(numbered_span(2))


async def test_personal_data_under_a_name_that_stands_twice_is_gone(spool: Spool, clock: WriterClock) -> None:
    request = trace_request({**CHAT, "otel.status.message": f"mail {MAIL}"})
    for number in range(9):
        trace_request(CHAT, span_id=bytes([number + 9]) * 8, request=request)
    request.resource_spans[0].scope_spans[0].spans[0].status.message = "it broke"
    door = open_door(spool, clock)
    await door.accept_traces(request.SerializeToString())
    assert spool.waiting_rows() == 10
    assert MAIL.encode() not in b"".join(path.read_bytes() for path in spool.path.parent.glob(f"{spool.path.name}*"))
    door.close(10)


async def test_each_of_several_senders_is_answered_for_itself(spool: Spool, clock: WriterClock) -> None:
    whole = trace_request(CHAT)
    for number in range(9):
        trace_request(CHAT, span_id=bytes([number + 9]) * 8, request=whole)
    door = open_door(spool, clock)
    misfit = trace_request({"penstock.relay.kind": "inference", "penstock.relay.redactions": '{"email": 99999999999999999999}'})
    half = trace_request({"gen_ai.response.finish_reasons": '["\\ud800"]'}, trace_id=b"\x04" * 16)
    bodies = [
        whole.SerializeToString(),
        b"hello",
        misfit.SerializeToString(),
        half.SerializeToString(),
        whole.SerializeToString(),
    ]
    answers = await asyncio.gather(*(door.accept_traces(body) for body in bodies), return_exceptions=True)
    assert [type(answer).__name__ for answer in answers] == ["Accepted", "BadInputError", "Accepted", "Accepted", "Accepted"]
    assert spool.waiting_rows() == 22
    door.close(10)


@pytest.mark.parametrize("broken", [b"hello", b"\x0a\xff", trace_request(CHAT).SerializeToString()[:-3]])
@pytest.mark.parametrize("attributes", [CHAT, {"openinference.span.kind": "LLM"}], ids=["plain", "odd"])
async def test_a_body_that_is_none_spoils_no_other(
    spool: Spool, clock: WriterClock, broken: bytes, attributes: dict[str, str]
) -> None:
    whole = trace_request(attributes)
    for number in range(9):
        trace_request(attributes, span_id=bytes([number + 9]) * 8, request=whole)
    door = open_door(spool, clock)
    bodies = [whole.SerializeToString(), broken, whole.SerializeToString()]
    answers = await asyncio.gather(*(door.accept_traces(body) for body in bodies), return_exceptions=True)
    assert [type(answer).__name__ for answer in answers] == ["Accepted", "BadInputError", "Accepted"]
    assert str(len(broken)) in str(answers[1])
    assert spool.waiting_rows() == 20
    assert sum(door.status()["dialects"].values()) == door.status()["spans"] == 20
    door.close(10)


async def test_bodies_that_fit_the_spool_alone_are_taken_where_all_together_do_not(home: Path, clock: WriterClock) -> None:
    whole = trace_request(CHAT)
    for number in range(9):
        trace_request({**CHAT, "x": "y" * 10_000}, span_id=bytes([number + 9]) * 8, request=whole)
    spool = fresh_spool(home, max_bytes=250_000)
    door = open_door(spool, clock)
    answers = await asyncio.gather(*(door.accept_traces(whole.SerializeToString()) for _ in range(4)), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Accepted", "Accepted", "SpoolFullError", "SpoolFullError"]
    door.close(10)


async def test_a_body_after_the_end_is_refused(spool: Spool, clock: WriterClock) -> None:
    door = open_door(spool, clock)
    door.close(10)
    with pytest.raises(SpoolFullError):
        await door.accept_traces(trace_request(CHAT).SerializeToString())


async def test_a_relay_whose_backend_knows_no_sessions_takes_a_span_and_rejects_what_it_says_of_its_session(
    spool: Spool, clock: WriterClock
) -> None:
    redaction = Redaction(Redactor(b"k" * 32))
    door = Door(spool, redaction, clock, capture_queue=1, feedback_targets=(TargetKind.SPAN, TargetKind.RESPONSE))
    said = {"openinference.span.kind": "LLM", "session.id": "chat-7"}
    for scope in ("", "session."):
        said |= {f"{scope}annotations.0.annotation.name": "kind", f"{scope}annotations.0.annotation.label": "yes"}
    accepted = await door.accept_traces(trace_request(said))
    assert accepted.rejected == 1
    assert "takes no feedback on a session" in accepted.message
    assert (door.status()["spans"], door.status()["feedback"]) == (1, 1)
    door.close(10)
