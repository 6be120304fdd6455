"""A spool emptied into another backend: everything once, nothing lost while it is away, and one bad body costs no other."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import UpstreamError
from penstock.ingest.forward import Forwarder
from penstock.ingest.otlp_exporter import OtlpExporter
from penstock.ingest.sampling import thin
from penstock.ingest.scrub import Scrubber
from penstock.ingest.spool import Spool, scrubbed_path
from penstock.ingest.tombstones import Tombstones, add_tombstones, user_tombstone
from penstock.lake.arrow_schema import to_arrow
from penstock.lake.local_place import LocalPlace
from penstock.lake.tables import TABLES
from penstock.policy_settings import ForwardSettings
from penstock.records.span import Span
from tests.ingest.spooled import PLENTY, fresh_spool, numbered_span, span_rows
from tests.replay.receiver import Receiver, receiving
from tests.rows import make_feedback, make_span, trace


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def spool(home: Path) -> Iterator[Spool]:
    spool = fresh_spool(home)
    yield spool
    spool.close()


@pytest.fixture
def forward(receiver: Receiver, spool: Spool, home: Path) -> Iterator[Callable[..., Forwarder]]:
    """Makes forwarders that are closed after the test."""
    made: list[Forwarder] = []

    def make(to_penstock: bool = True, **settings: Any) -> Forwarder:
        exporter = OtlpExporter(ForwardSettings(endpoint=receiver.url, penstock=to_penstock), {}, "far")
        scrubber = Scrubber(LocalPlace(home / "lake"))
        made.append(Forwarder(exporter, spool, to_penstock=to_penstock, scrubber=scrubber, **settings))
        return made[-1]

    yield make
    for forwarder in made:
        forwarder.close()


def names(receiver: Receiver) -> list[str]:
    return [span.span_id.hex() for span in receiver.spans()]


def put(spool: Spool, *spans: Span) -> None:
    spool.put("spans", to_arrow(TABLES["spans"], spans)).result(10)


def ids(numbers: range) -> list[str]:
    return [numbered_span(number).span_id for number in numbers]


def test_spans_events_and_feedback_reach_it_once_and_the_spool_is_empty(
    spool: Spool, receiver: Receiver, forward: Callable[..., Forwarder]
) -> None:
    for number in range(5):
        spool.put("spans", span_rows([number])).result(10)
    put(spool, make_span(trace(9), "00000000000000ab", kind="event", name="note"))
    spool.put("feedback", to_arrow(TABLES["feedback"], [make_feedback("thumb", "request", "r")])).result(10)
    forwarder = forward()
    assert forwarder.run_once() == 7
    assert names(receiver) == ids(range(5))
    assert [record.event_name for record in receiver.records()] == ["note"]
    assert [(report["name"], report["request_id"]) for report in receiver.feedback] == [("thumb", "r")]
    assert (spool.waiting_rows(), spool.size_bytes, forwarder.flushed_rows) == (0, 0, 7)
    assert forwarder.run_once() == 0


def test_while_it_is_away_the_spool_keeps_everything(spool: Spool, receiver: Receiver, forward: Callable[..., Forwarder]) -> None:
    receiver.misbehave = lambda number, *_: (503, b"", {}) if number < 3 else None
    spool.put("spans", span_rows(range(4))).result(10)
    forwarder = forward()
    for _ in range(2):
        with pytest.raises(UpstreamError):
            forwarder.run_once()
    assert spool.waiting_rows() == 4
    assert forwarder.run_once() == 4
    assert names(receiver) == ids(range(4))


def test_a_body_that_is_refused_for_good_is_put_aside_and_the_others_go(
    spool: Spool, receiver: Receiver, forward: Callable[..., Forwarder]
) -> None:
    bad = bytes.fromhex(numbered_span(2).span_id)
    receiver.misbehave = lambda _number, _path, body: (400, b"cannot read that", {}) if bad in body else None
    for number in range(4):
        spool.put("spans", span_rows([number])).result(10)
    forwarder = forward()
    assert forwarder.run_once() == 3
    assert names(receiver) == [name for name in ids(range(4)) if name != bad.hex()]
    assert (spool.poisoned_rows(), spool.waiting_rows(), forwarder.refused_rows) == (1, 0, 1)


def test_what_is_too_large_for_one_request_goes_in_several(
    spool: Spool, receiver: Receiver, forward: Callable[..., Forwarder]
) -> None:
    receiver.misbehave = lambda _number, _path, body: (413, b"", {}) if len(body) > 2000 else None
    spool.put("spans", span_rows(range(50))).result(10)
    assert forward().run_once() == 50
    assert sorted(names(receiver)) == ids(range(50))


def test_large_texts_are_split_before_a_receiver_has_to_refuse_them(
    spool: Spool, receiver: Receiver, forward: Callable[..., Forwarder]
) -> None:
    put(spool, *(make_span(trace(number), f"{number + 1:016x}", response_text="x" * 1_000_000) for number in range(7)))
    assert forward().run_once() == 7
    assert len(receiver.spans()) == 7 and max(len(body) for _, _, body in receiver.bodies) < 4 * 1024 * 1024


def test_reports_that_another_penstock_refuses_are_put_aside_with_its_reason(
    spool: Spool, receiver: Receiver, forward: Callable[..., Forwarder]
) -> None:
    answer = {"accepted": 1, "feedback_ids": [], "rejected": [{"index": 1, "error": "too long"}]}
    receiver.misbehave = lambda *_: (200, json.dumps(answer).encode(), {})
    reports = [make_feedback("thumb", "request", f"r{number}") for number in range(2)]
    spool.put("feedback", to_arrow(TABLES["feedback"], reports)).result(10)
    forwarder = forward()
    assert (forwarder.run_once(), spool.poisoned_rows(), spool.waiting_rows()) == (0, 2, 0)


def test_thin_rows_go_to_another_penstock_alone(spool: Spool, receiver: Receiver, forward: Callable[..., Forwarder]) -> None:
    rows = [numbered_span(1), thin(numbered_span(2))]
    put(spool, *rows)
    assert forward(to_penstock=False).run_once() == 2
    assert names(receiver) == [rows[0].span_id]
    put(spool, *rows)
    forward(to_penstock=True).run_once()
    assert names(receiver)[1:] == [row.span_id for row in rows]


def test_only_thin_rows_make_no_request(spool: Spool, receiver: Receiver, forward: Callable[..., Forwarder]) -> None:
    put(spool, thin(numbered_span(2)))
    assert forward(to_penstock=False).run_once() == 1
    assert receiver.requests == 0


def test_spools_of_dead_processes_are_emptied_too(
    home: Path, spool: Spool, receiver: Receiver, forward: Callable[..., Forwarder]
) -> None:
    left = fresh_spool(home)
    left.put("spans", span_rows([3])).result(10)
    left.close()
    forwarder = forward()
    assert forwarder.adopt(home / "spool", PLENTY) == 1
    assert forwarder.run_once() == 1
    assert names(receiver) == ids(range(3, 4)) and not left.path.exists()


def test_a_torn_body_is_put_aside(spool: Spool, receiver: Receiver, forward: Callable[..., Forwarder]) -> None:
    spool.put("spans", span_rows([1])).result(10)
    spool._log.append([("spans", 1, b"\x00\xff")])
    forwarder = forward()
    assert forwarder.run_once() == 1
    assert (names(receiver), spool.poisoned_rows()) == (ids(range(1, 2)), 1)


def test_what_was_erased_is_neither_sent_nor_left_in_the_queue(
    forward: Callable[..., Forwarder], receiver: Receiver, spool: Spool, home: Path
) -> None:
    user = "u_" + "a" * 24
    put(spool, make_span(trace(1), "aa" * 8, user_id=user), make_span(trace(2), "bb" * 8))
    (home / "lake").mkdir(parents=True)
    add_tombstones(LocalPlace(home / "lake"), "x_1", Tombstones(users=frozenset({user_tombstone(user)})))
    put(spool, make_span(trace(3), "cc" * 8, user_id=user))
    forward().run_once()
    assert names(receiver) == ["bb" * 8]
    assert scrubbed_path(spool.path).read_text() == "x_1"
