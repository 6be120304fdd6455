"""The client against a real edge, and against one that answers as a test says."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from penstock.client import FeedbackClient, LostReportsError, build_report
from penstock.client.transport import pause_s
from penstock.edge.application import build_edge_app
from penstock.records.access import Scope
from penstock.registry.registry import Registry
from penstock.settings import Settings
from tests.edge.live_server import serve, wait_for
from tests.edge.recording_door import RecordingDoor

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FOREVER_S = 3600.0


@pytest.fixture
def door() -> RecordingDoor:
    return RecordingDoor()


@pytest.fixture
def edge(door: RecordingDoor, registry: Registry, settings: Settings) -> Iterator[str]:
    with serve(build_edge_app(door, registry, settings)) as url:
        yield url


class ScriptedEdge:
    """Answers requests in the order of its script, and the rest with success; keeps what it was sent."""

    def __init__(self) -> None:
        self.url = ""
        self.script: list[tuple[int, dict[str, str], bytes]] = []
        self.requests: list[list[dict[str, Any]]] = []
        self.is_open = threading.Event()  # closed, it keeps every request waiting
        self.is_open.set()

    def answer(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        self.script.append((status, {name.replace("_", "-"): value for name, value in headers.items()}, body))

    def ids(self) -> list[list[str]]:
        return [[report["request_id"] for report in request] for request in self.requests]


@pytest.fixture
def scripted() -> Iterator[ScriptedEdge]:
    edge = ScriptedEdge()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            edge.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            edge.is_open.wait(20)
            status, headers, body = edge.script.pop(0) if edge.script else (200, {}, b'{"rejected": []}')
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        edge.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield edge
        finally:
            edge.is_open.set()
            server.shutdown()
            thread.join()


def test_every_verb_is_a_report_that_the_signals_read(edge: str, door: RecordingDoor) -> None:
    with FeedbackClient(edge) as client:
        client.copy("a line", request_id="r1")
        client.edit("as it was kept", response_id="resp-1")
        client.accept(trace_id="a" * 32, span_id="b" * 16)
        client.reject(trace_id="a" * 32)
        client.rating(-0.5, "too long", session_id="s1")
        client.outcome("tests", 1, key=("ticket_id", "T-1"))
        client.dwell(12.5, request_id="r1")
        client.rating(False, request_id="r1")
        client.rating(True, request_id="r1")
        client.left(request_id="r1")
        client.report("stars", 4, request_id="r1", source="shop", metadata={"page": 3})
        client.flush()
        assert [(item.name, item.value, item.text, item.target_kind, item.target_id) for item in door.feedback] == [
            ("copy", 1.0, "a line", "request", "r1"),
            ("edited", None, "as it was kept", "response", "resp-1"),
            ("accepted", 1.0, None, "span", f"{'a' * 32}:{'b' * 16}"),
            ("rejected", 0.0, None, "trace", "a" * 32),
            ("rating", -0.5, "too long", "session", "s1"),
            ("outcome.tests", 1.0, None, "key", "T-1"),
            ("dwell", 12.5, None, "request", "r1"),
            ("rating", -1.0, None, "request", "r1"),
            ("rating", 1.0, None, "request", "r1"),
            ("left", 1.0, None, "request", "r1"),
            ("stars", 4.0, None, "request", "r1"),
        ]
    assert (door.feedback[5].target_key, door.feedback[-1].source, door.feedback[-1].metadata) == (
        "ticket_id",
        "shop",
        {"page": "3"},
    )


def test_what_became_of_a_suggestion_has_verbs_as_well(edge: str, door: RecordingDoor) -> None:
    with FeedbackClient(edge) as client:
        client.offer(request_id="r1")
        client.silent(request_id="r1")
        client.accept("the first line", request_id="r1")
        client.ignore(request_id="r1")
        client.revert(request_id="r1")
        client.retention(30, 0.9, request_id="r1", metadata={"file": "a.py"})
        client.retention(120, standing_text="what stands", request_id="r1")
        client.regenerate(request_id="r1")
        client.comment("too long", request_id="r1")
        with pytest.raises(ValueError, match="from 0 to 1, not 90"):
            client.retention(30, 90, request_id="r1")
        client.flush()
        assert [(item.name, item.value, item.text) for item in door.feedback] == [
            ("offered", None, None),
            ("silent", 1.0, None),
            ("partly_accepted", None, "the first line"),
            ("ignored", 0.0, None),
            ("reverted", 0.0, None),
            ("retention", 0.9, None),
            ("retention", None, "what stands"),
            ("regenerate", 1.0, None),
            ("comment", None, "too long"),
        ]
        assert [item.metadata for item in door.feedback[5:7]] == [{"file": "a.py", "delay_s": "30"}, {"delay_s": "120"}]


def test_reports_go_together_when_they_are_enough(scripted: ScriptedEdge) -> None:
    client = FeedbackClient(scripted.url, interval_s=FOREVER_S, max_batch=3)
    for number in range(7):
        client.accept(request_id=f"r{number}")
    wait_for(lambda: len(scripted.requests) == 2)
    client.close()
    assert scripted.ids() == [["r0", "r1", "r2"], ["r3", "r4", "r5"], ["r6"]]


def test_or_after_a_while(scripted: ScriptedEdge) -> None:
    client = FeedbackClient(scripted.url, interval_s=0.01)
    client.accept(request_id="r1")
    wait_for(lambda: scripted.ids() == [["r1"]])
    client.close()


def test_a_report_is_what_it_was_when_it_was_made(scripted: ScriptedEdge) -> None:
    metadata = {"step": "first"}
    with FeedbackClient(scripted.url, interval_s=FOREVER_S) as client:
        before = datetime.now(UTC)
        client.accept(request_id="r1", metadata=metadata)
        metadata["step"] = "second"
        client.accept(request_id="r2", occurred_at=NOON, idempotency_key="mine")
    first, second = scripted.requests[0]
    assert first["metadata"] == {"step": "first"}
    assert before <= datetime.fromisoformat(first["occurred_at"]) <= datetime.now(UTC)
    assert (second["occurred_at"], second["idempotency_key"]) == (NOON.isoformat(), "mine")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_is_sent_again_is_the_same_report(scripted: ScriptedEdge, status: int) -> None:
    scripted.answer(status, Retry_After="0")
    scripted.answer(status, Retry_After="0")
    with FeedbackClient(scripted.url) as client:
        client.accept(request_id="r1")
        client.flush()
    assert len(scripted.requests) == 3
    assert scripted.requests[0] == scripted.requests[1] == scripted.requests[2]


def test_a_retry_is_not_made_before_the_edge_wants_it(scripted: ScriptedEdge) -> None:
    scripted.answer(503, b'{"error": "The spool is full."}', Retry_After="3600")
    client = FeedbackClient(scripted.url)
    client.accept(request_id="r1")
    with pytest.raises(TimeoutError, match="1 reports still wait"):
        client.flush(timeout_s=0.2)
    assert len(scripted.requests) == 1
    with pytest.raises(LostReportsError, match=r"1 because .*closed before it could be sent; .*503.*The spool is full"):
        client.close(timeout_s=0)


@pytest.mark.parametrize(
    ("failures", "retry_after", "expected"),
    [
        (0, None, (0.25, 0.5)),
        (3, None, (2.0, 4.0)),
        (50_000, None, (15.0, 30.0)),
        (0, "7", (7.0, 7.7)),
        (9, "0", (0.0, 0.0)),
        (0, "Sun, 01 Mar 2026 12:01:00 GMT", (60.0, 66.0)),
        (0, "Sun, 01 Mar 2026 11:00:00 GMT", (0.0, 0.0)),
        (0, "99999999", (3600.0, 3960.0)),
        (1, "soon", (0.5, 1.0)),
        (1, "-5", (0.5, 1.0)),
    ],
)
def test_pauses_double_unless_the_edge_says_how_long(
    failures: int, retry_after: str | None, expected: tuple[float, float]
) -> None:
    shortest, longest = (pause_s(failures, retry_after, NOON, draw) for draw in (0.0, 1.0))
    assert (shortest, longest) == pytest.approx(expected)


def test_an_edge_that_is_down_costs_nothing_until_the_client_closes(caplog: pytest.LogCaptureFixture) -> None:
    lost: list[tuple[list[str], str]] = []
    client = FeedbackClient(
        "http://127.0.0.1:9", interval_s=0.01, on_lost=lambda reports, why: lost.append(([r["request_id"] for r in reports], why))
    )
    client.accept(request_id="r1")
    wait_for(lambda: "wait for another try" in caplog.text)
    client.accept(request_id="r2")
    with pytest.raises(LostReportsError) as raised:
        client.close(timeout_s=0)
    assert raised.value.count == 2 and "cannot be reached" in str(raised.value) + caplog.text
    assert sorted(name for names, _ in lost for name in names) == ["r1", "r2"]
    client.close()  # a second time, there is nothing more to say


def test_a_host_that_cannot_be_one_is_told_like_one_that_is_down(caplog: pytest.LogCaptureFixture) -> None:
    client = FeedbackClient(f"http://{'a' * 70}.example", interval_s=0.01)
    client.accept(request_id="r1")
    wait_for(lambda: "wait for another try" in caplog.text)
    with pytest.raises(LostReportsError):
        client.close(timeout_s=0)


def test_an_answer_that_does_not_come_is_told_as_such(scripted: ScriptedEdge) -> None:
    scripted.is_open.clear()
    client = FeedbackClient(scripted.url, interval_s=0.01)
    client.accept(request_id="r1")
    wait_for(lambda: scripted.requests)
    with pytest.raises(LostReportsError, match="before the edge had answered"):
        client.close(timeout_s=0)
    scripted.is_open.set()
    assert client._thread is not None
    client._thread.join(20)
    client.flush()  # what the thread heard later changes nothing


def test_when_it_comes_back_everything_arrives_once(edge: str, door: RecordingDoor) -> None:
    door.fill()
    door.fails_once = True
    with FeedbackClient(edge) as client:
        client.accept(request_id="r1")
        client.accept(request_id="r2")
    assert [item.target_id for item in door.feedback] == ["r1", "r2"]


def test_a_full_queue_loses_the_newest_and_says_so(scripted: ScriptedEdge, caplog: pytest.LogCaptureFixture) -> None:
    scripted.is_open.clear()
    client = FeedbackClient(scripted.url, interval_s=FOREVER_S, max_queued_bytes=1000)
    for number in range(20):
        client.accept(request_id=f"r{number}")
    scripted.is_open.set()
    with pytest.raises(LostReportsError) as raised:
        client.flush()
    (kept,) = scripted.ids()
    assert kept == [f"r{number}" for number in range(len(kept))] and 0 < len(kept) < 20
    assert raised.value.reasons == {"the queue is full, with 1000 bytes": 20 - len(kept)}
    assert caplog.text.count("the queue is full") == 1
    client.accept(request_id="after")
    client.close()
    assert scripted.ids()[-1] == ["after"]


def test_one_bad_report_costs_the_good_ones_nothing_and_is_told_with_its_reason(
    edge: str, door: RecordingDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.client.report._read_id", lambda given, *_: given)  # as a client that is older than its edge
    lost: list[Any] = []
    client = FeedbackClient(edge, on_lost=lambda reports, why: lost.extend((report["request_id"], why) for report in reports))
    client.accept(request_id="good")
    client.accept(request_id="x" * 2000)
    client.accept(request_id="good too")
    with pytest.raises(LostReportsError, match=r"1 reports are lost: 1 because the edge refused it: .*length"):
        client.flush()
    assert [item.target_id for item in door.feedback] == ["good", "good too"]
    assert [name for name, _ in lost] == ["x" * 2000]
    client.flush()  # told once
    client.close()


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, b'{"error": "The API key is unknown."}', "401.*unknown"),
        (404, b"<html>not here</html>", "404.*not here"),
        (302, b"", "302"),
        (200, b"<html>Please log in</html>", "200.*log in"),
        (400, b"[]", "400"),
    ],
)
def test_an_answer_that_forbids_a_second_try_loses_the_batch(
    scripted: ScriptedEdge, status: int, body: bytes, message: str
) -> None:
    scripted.answer(status, body, Location="http://127.0.0.1:9/elsewhere")
    client = FeedbackClient(scripted.url)
    client.accept(request_id="r1")
    client.accept(request_id="r2")
    with pytest.raises(LostReportsError, match=f"2 reports are lost: 2 because .*{message}"):
        client.close()
    assert len(scripted.requests) == 1


def test_a_key_of_the_wrong_scope_is_told_and_the_right_one_works(edge: str, door: RecordingDoor, registry: Registry) -> None:
    wrong, right = registry.keys.create("wrong", {Scope.INGEST}), registry.keys.create("right", {Scope.FEEDBACK})
    client = FeedbackClient(edge, api_key=wrong)
    client.accept(request_id="r1")
    with pytest.raises(LostReportsError, match=r"403.*lacks the scope"):
        client.close()
    with FeedbackClient(edge, api_key=right) as client:
        client.accept(request_id="r2")
    assert [item.target_id for item in door.feedback] == ["r2"]


def test_a_batch_that_is_too_large_is_halved_until_it_fits(scripted: ScriptedEdge) -> None:
    scripted.answer(413)
    scripted.answer(413)
    with FeedbackClient(scripted.url, interval_s=FOREVER_S) as client:
        for number in range(4):
            client.accept(request_id=f"r{number}")
    assert scripted.ids() == [["r0", "r1", "r2", "r3"], ["r0", "r1"], ["r0"], ["r1"], ["r2", "r3"]]


def test_a_huge_text_goes_alone_and_one_that_is_too_large_is_told(edge: str, scripted: ScriptedEdge) -> None:
    with FeedbackClient(scripted.url, interval_s=FOREVER_S) as client:
        for text in ("short", "x" * 3_000_000, "short"):
            client.edit(text, request_id=f"r{len(text)}")
    assert scripted.ids() == [["r5"], ["r3000000"], ["r5"]]
    scripted.answer(413, b'{"error": "The body is larger than 1 bytes."}')
    client = FeedbackClient(scripted.url)
    client.edit("x" * 3_000_000, request_id="r1")
    with pytest.raises(LostReportsError, match=r"413.*larger"):
        client.close()


def test_any_text_arrives_as_far_as_it_is_text(edge: str, door: RecordingDoor) -> None:
    with FeedbackClient(edge) as client:
        client.edit("猫 \ud83d \x00 😀", request_id="r1")
        client.edit("beside it", request_id="r2")
    assert [item.text for item in door.feedback] == ["猫 ? \x00 😀", "beside it"]


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({}, "none"),
        ({"request_id": "r", "session_id": "s"}, "request_id and session_id"),
        ({"span_id": "b" * 16}, "none"),
        ({"request_id": "r", "span_id": "b" * 16}, "trace_id"),
        ({"request_id": "r", "occurred_at": datetime(2026, 3, 1)}, "time zone"),
        ({"request_id": "r", "occurred_at": "2026-03-01T12:00:00"}, "time zone"),
        ({"request_id": "r", "occurred_at": "yesterday"}, "yesterday"),
        ({"request_id": "r", "occurred_at": 5}, "no datetime"),
        ({"request_id": "r", "occurred_at": datetime(2099, 1, 1, tzinfo=UTC)}, "day ahead"),
        ({"request_id": "r", "occurred_at": "0001-01-01T00:00:00+05:00"}, "years"),
        ({"request_id": 5}, "request_id is 5"),
        ({"request_id": ""}, "0 characters"),
        ({"session_id": "x" * 1025}, "1025 characters"),
        ({"key": ("ticket_id", 5)}, "value of a key is 5"),
        ({"key": ("x" * 257, "T-1")}, "257 characters"),
        ({"key": "T-1"}, "send a pair"),
        ({"key": ("a", "b", "c")}, "send a pair"),
        ({"key": (" ", "b")}, "not blank"),
        ({"trace_id": "xyz"}, "32 hexadecimal"),
        ({"trace_id": "a" * 32, "span_id": "b"}, "16 hexadecimal"),
        ({"request_id": "r", "metadata": {"page": {"number": 3}}}, "'page'"),
        ({"request_id": "r", "metadata": {"page": 10**400}}, "beyond"),
        ({"request_id": "r", "metadata": "page 3"}, "mapping"),
        ({"request_id": "r", "idempotency_key": ""}, "idempotency_key"),
        ({"request_id": "r", "source": "x" * 257}, "source"),
    ],
)
def test_what_the_edge_would_refuse_is_refused_where_it_is_said(about: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_report("accepted", 1, None, about)


@pytest.mark.parametrize(("name", "reason"), [("x" * 257, "257"), (" ", "blank"), ("a\nb", "control"), (None, "send a str")])
def test_a_name_that_the_edge_would_refuse_is_refused(name: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        build_report(name, 1, None, {"request_id": "r"})


@pytest.mark.parametrize("value", ["5", 10**400, float("inf"), [1]])
def test_a_value_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="send a finite number"):
        build_report("n", value, None, {"request_id": "r"})


def test_what_makes_no_sense_for_a_verb_is_refused(scripted: ScriptedEdge) -> None:
    with FeedbackClient(scripted.url) as client:
        for seconds in (-1, "long"):
            with pytest.raises(ValueError, match="dwell"):
                client.dwell(seconds, request_id="r1")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="-5 seconds"):
            client.retention(-5, 0.5, request_id="r1")
        with pytest.raises(ValueError, match="rating is 'up'"):
            client.rating("up", request_id="r1")  # type: ignore[arg-type]
        for name in ("", "outcome.", " "):
            with pytest.raises(ValueError, match="name of an outcome"):
                client.outcome(name, 1, request_id="r1")
        with pytest.raises(ValueError, match="send a str"):
            client.edit(5, request_id="r1")  # type: ignore[arg-type]
    assert scripted.requests == []


def test_an_outcome_may_be_named_in_full_and_a_time_as_text(edge: str, door: RecordingDoor) -> None:
    with FeedbackClient(edge) as client:
        client.outcome("outcome.resolved", 1, request_id="r1", occurred_at="2026-03-01T13:00:00+01:00")
        client.outcome("resolved", 1, trace_id="A" * 32, occurred_at="2026-03-01T12:00:00Z")
    assert [(item.name, item.occurred_at) for item in door.feedback] == [("outcome.resolved", NOON)] * 2


def test_a_wrong_call_fails_at_once(scripted: ScriptedEdge) -> None:
    with FeedbackClient(scripted.url) as client:
        with pytest.raises(ValueError, match="-1 to 1"):
            client.rating(5, request_id="r1")
        with pytest.raises(ValueError, match="nan"):
            client.dwell(float("nan"), request_id="r1")
        with pytest.raises(TypeError, match="requestid"):
            client.accept(requestid="r1")  # type: ignore[call-arg]
        with pytest.raises(ValueError, match="JSON"):
            client.accept(request_id="r1", metadata={"share": float("inf")})
        with pytest.raises(ValueError, match="name of a report has 0"):
            client.report("", request_id="r1")
    with pytest.raises(RuntimeError, match="closed"):
        client.accept(request_id="r1")
    for url in ("127.0.0.1:4318", "ftp://edge", "http://"):
        with pytest.raises(ValueError, match="URL"):
            FeedbackClient(url)
    with pytest.raises(ValueError, match="line break"):
        FeedbackClient(scripted.url, api_key="pk_1\n")
    assert scripted.requests == []


def test_the_error_that_ends_a_block_is_not_hidden_by_a_loss(caplog: pytest.LogCaptureFixture, scripted: ScriptedEdge) -> None:
    scripted.answer(401)
    with pytest.raises(ZeroDivisionError), FeedbackClient(scripted.url) as client:
        client.accept(request_id="r1")
        raise ZeroDivisionError
    assert "the edge answered 401" in caplog.text


def test_a_callback_that_fails_stops_nothing(scripted: ScriptedEdge, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_reports: object, _reason: str) -> None:
        raise OSError("no disk")

    scripted.answer(401)
    client = FeedbackClient(scripted.url, on_lost=fail)
    client.accept(request_id="r1")
    with pytest.raises(LostReportsError):
        client.flush()
    client.accept(request_id="r2")
    client.close()
    assert "on_lost failed" in caplog.text and scripted.ids() == [["r1"], ["r2"]]


def test_many_threads_may_report_at_once(edge: str, door: RecordingDoor) -> None:
    with FeedbackClient(edge, max_batch=50) as client:
        threads = [
            threading.Thread(target=lambda name: [client.accept(request_id=f"{name}-{n}") for n in range(100)], args=(number,))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({item.target_id for item in door.feedback}) == len(door.feedback) == 800


PROGRAM = """
import os, sys
from penstock.client import FeedbackClient

client = FeedbackClient(sys.argv[1], interval_s=3600)
client.accept(request_id="parent")
child = os.fork()
client.accept(request_id="child" if child == 0 else "parent, later")
if child:
    os.waitpid(child, 0)
"""


def test_what_is_queued_is_sent_at_exit_by_a_forked_child_too_each_its_own(scripted: ScriptedEdge) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM, scripted.url], check=True, timeout=60)
    assert sorted(scripted.ids()) == [["child"], ["parent", "parent, later"]]


def test_importing_it_costs_no_heavy_library() -> None:
    program = "import sys, penstock.client; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60).stdout.split()
    assert {"pyarrow", "duckdb", "deltalake", "torch", "ibis", "numpy", "aiohttp", "msgspec", "sqlalchemy"}.isdisjoint(found)
    ours = subprocess.run(
        [sys.executable, "-c", "import sys, penstock.client; print(*[n for n in sys.modules if n.startswith('penstock')])"],
        check=True, capture_output=True, text=True, timeout=60,
    ).stdout.split()  # fmt: skip
    assert all(name == "penstock" or name.startswith("penstock.client") for name in ours)


def test_nothing_is_logged_while_all_is_well(edge: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="penstock.client")
    with FeedbackClient(edge) as client:
        client.accept(request_id="r1")
    assert [record for record in caplog.records if record.name == "penstock.client"] == []
