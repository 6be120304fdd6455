"""`penstock edge --relay`, as real processes: one inside a boundary, one outside, and the boundary shut for a while."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from penstock.edge.run_file import run_file
from penstock.errors import ConfigurationError
from penstock.ingest.relay import find_relay_target
from penstock.ingest.sampling import Sampling
from penstock.ingest.settle import settle_interactions
from penstock.ingest.settle_feedback import settle_feedback
from penstock.lake.lake import Lake
from penstock.policy_settings import ForwardSettings, PolicySettings, SamplePolicySettings, SampleSettings
from penstock.records.clock import WriterClock
from penstock.settings import LakeSettings, Settings
from tests.edge.live_server import wait_for
from tests.edge.test_process import running_edge
from tests.ingest.otlp_requests import CHAT, trace_request
from tests.replay.receiver import receiving
from tests.worker.left_behind import find_left

MAIL = "jane.doe@example.com"
ASKED = [{"role": "user", "parts": [{"type": "text", "content": f"I am {MAIL}"}]}]
PROTOBUF = {"content-type": "application/x-protobuf"}
QUICK = {"PENSTOCK_EDGE_FLUSH_INTERVAL_S": "0.05"}


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """The relay's home."""
    folder = tmp_path / "inside"
    folder.mkdir()
    return folder


def body(*numbers: int, **attributes: Any) -> bytes:
    request = trace_request({**CHAT, **attributes}, trace_id=_trace(numbers[0]), span_id=_span(numbers[0]))
    for number in numbers[1:]:
        trace_request({**CHAT, **attributes}, trace_id=_trace(number), span_id=_span(number), request=request)
    return request.SerializeToString()


def _trace(number: int) -> bytes:
    return (number + 1).to_bytes(16, "big")


def _span(number: int) -> bytes:
    return (number + 1).to_bytes(8, "big")


def post(url: str, content: bytes) -> httpx.Response:
    return httpx.post(f"{url}/v1/traces", content=content, headers=PROTOBUF, timeout=20)


def kill(process: "subprocess.Popen[bytes]", home: Path) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    run_file(home).unlink()  # what it says of a dead process would be taken for the next one's


def rows(home: Path, table: str) -> list[Any]:
    lake = Lake(home / "lake", LakeSettings())
    lake.create()
    return lake.to_records(table, lake.current(table))


def settled(home: Path) -> list[Any]:
    lake, clock = Lake(home / "lake", LakeSettings()), WriterClock()
    lake.create()
    settle_interactions(lake, clock, sampling=Sampling(SampleSettings(), b"k" * 32))
    settle_feedback(lake, clock, 1.0)
    return lake.to_records("interactions", lake.current("interactions"))


def test_what_a_real_exporter_sends_to_a_relay_is_at_the_other_penstock_redacted_and_joins(home: Path, inside: Path) -> None:
    (inside / "penstock.toml").write_text(
        "[policy.redact]\nhashed_keys = ['ticket_id']\n[policy.sample]\nsampling_percentage = 50\n"
    )
    (home / "penstock.toml").write_text("[policy.redact]\nhashed_keys = ['ticket_id']\n")
    with running_edge(home, **QUICK) as (_, outer), running_edge(inside, PENSTOCK_EDGE_RELAY=outer.url, **QUICK) as (_, relay):
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{relay.url}/v1/traces")))
        for number in range(20):
            with provider.get_tracer("app").start_as_current_span(f"chat m{number}") as span:
                span.set_attributes({
                    "gen_ai.operation.name": "chat", "gen_ai.response.id": f"resp-{number}", "user.id": MAIL,
                    "penstock.key.ticket_id": f"T-{number}", "gen_ai.input.messages": json.dumps(ASKED),
                })  # fmt: skip
        provider.shutdown()
        reports = [{"response_id": f"resp-{number}", "name": "rating", "value": 1} for number in range(20)]
        reports.append({"key": {"name": "ticket_id", "value": "T-3"}, "name": "outcome.closed", "value": True})
        assert httpx.post(f"{relay.url}/v1/feedback", json=reports).json()["accepted"] == 21
        post(outer.url, body(500, **{"user.id": MAIL}))
        wait_for(lambda: len(rows(home, "spans")) == 21 and len(rows(home, "feedback")) == 21, 30)
        assert httpx.get(f"{relay.url}/v1/status").json()["ingest"]["flushed_rows"] == 41
    assert not (inside / "lake").exists()
    assert [left for place in (home, inside) for left in find_left(place, ["jane.doe"])] == []
    assert find_left(home, ["I am [EMAIL_"]), "what is masked can be found at all"
    found = [row for row in settled(home) if row.response_id]
    assert {report.status for report in rows(home, "feedback")} == {"matched"}
    assert len(found) == 20 and {row.sample_probability for row in found} == {0.5}
    assert 2 < sum(bool(row.content_sampled) for row in found) < 18
    assert len({row.user_id for row in found}) == 1


def test_with_one_key_users_who_come_both_ways_are_the_same(home: Path, inside: Path) -> None:
    (home / "secret.key").write_bytes(b"k" * 32)
    shutil.copy(home / "secret.key", inside / "secret.key")
    with running_edge(home, **QUICK) as (_, outer), running_edge(inside, PENSTOCK_EDGE_RELAY=outer.url, **QUICK) as (_, relay):
        post(relay.url, body(1, **{"user.id": MAIL}))
        post(outer.url, body(2, **{"user.id": MAIL}))
        wait_for(lambda: len(rows(home, "spans")) == 2, 30)
    (user,) = {row.user_id for row in rows(home, "spans")}
    assert user.startswith("u_")


@pytest.mark.slow
def test_while_the_target_is_away_a_relay_keeps_everything_until_it_is_full(home: Path, inside: Path) -> None:
    """Answered 200 means kept, whatever happens to the relay; what would not fit is answered 503 and never half kept."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    limits = {"PENSTOCK_EDGE_RELAY": f"http://127.0.0.1:{port}", "PENSTOCK_EDGE_SPOOL_MAX_BYTES": "400000", **QUICK}
    acknowledged: set[str] = set()
    with running_edge(inside, **limits) as (process, relay):
        for number in range(0, 400, 20):
            answer = post(relay.url, body(*range(number, number + 20), custom="x" * 1000))
            if answer.status_code == 200:
                acknowledged |= {_span(each).hex() for each in range(number, number + 20)}
            else:
                assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
        status = httpx.get(f"{relay.url}/v1/status").json()["ingest"]
        assert "does not answer" in status["relay_error"]
        kill(process, inside)
    assert 0 < len(acknowledged) < 400
    with (
        running_edge(home, **{**QUICK, "PENSTOCK_EDGE_PORT": str(port)}),
        running_edge(inside, **limits) as (_, relay),
    ):
        assert post(relay.url, body(900)).status_code == 200
        wait_for(lambda: len(rows(home, "spans")) == len(acknowledged) + 1, 40)
    assert {row.span_id for row in rows(home, "spans")} == acknowledged | {_span(900).hex()}


@pytest.mark.slow
def test_a_relay_killed_at_its_work_loses_nothing_and_nothing_counts_twice(home: Path, inside: Path) -> None:
    with running_edge(home, **QUICK) as (_, outer):
        relayed = {"PENSTOCK_EDGE_RELAY": outer.url, **QUICK}
        acknowledged = 0
        for round_number in range(3):
            with running_edge(inside, **relayed) as (process, relay):
                for number in range(30):
                    first = 1000 * round_number + 10 * number
                    assert post(relay.url, body(*range(first, first + 10))).status_code == 200
                    acknowledged += 10
                kill(process, inside)
        with running_edge(inside, **relayed):
            wait_for(lambda: len(rows(home, "spans")) == acknowledged, 40)
    assert len(settled(home)) == acknowledged == 900


def test_a_named_target_gets_its_headers_and_takes_no_penstock(inside: Path) -> None:
    with receiving() as receiver:
        (inside / "penstock.toml").write_text(
            f'[policy.sample]\nsampling_percentage = 50\n[policy.forward.backend]\nendpoint = "{receiver.url}"\n'
            'headers_env = { authorization = "BACKEND_KEY" }\n'
        )
        with running_edge(inside, PENSTOCK_EDGE_RELAY="backend", BACKEND_KEY="secret", **QUICK) as (_, relay):
            assert post(relay.url, body(*range(40), **{"user.id": MAIL})).status_code == 200
            wait_for(lambda: httpx.get(f"{relay.url}/v1/status").json()["ingest"]["flushed_rows"] == 40, 20)
            refused = httpx.post(f"{relay.url}/v1/feedback", json={"request_id": "r", "name": "rating", "value": 1})
            assert refused.status_code == 400 and "takes no feedback on a request" in refused.json()["error"]
            assert httpx.post(f"{relay.url}/v1/feedback", json={"response_id": "p", "name": "rating", "value": 1}).is_success
            (event,) = wait_for(lambda: receiver.records(), 20)
            assert event.event_name == "gen_ai.evaluation.result"
        sent = [{pair.key: pair.value for pair in span.attributes} for span in receiver.spans()]
        assert 8 < len(sent) < 32 and receiver.keys == {"secret"}
        assert {one["penstock.capture_probability"].double_value for one in sent} == {0.5}


@contextmanager
def refusing(inside: Path, *arguments: str, toml: str = "") -> Iterator[str]:
    (inside / "penstock.toml").write_text(toml)
    command = [sys.executable, "-m", "penstock.cli", "edge", "--home", str(inside), *arguments]
    ended = subprocess.run(command, env={**os.environ}, capture_output=True, timeout=60)
    assert ended.returncode == 1
    yield ended.stderr.decode()


def test_a_target_that_is_none_is_told(inside: Path) -> None:
    with refusing(inside, "--relay", "central", toml='policy.forward.far.endpoint = "http://127.0.0.1:9"') as message:
        assert "'central'" in message and "there is far" in message and "Traceback" not in message


def test_a_url_with_a_password_in_it_is_no_target(inside: Path) -> None:
    for relay in ("https://user:secret@penstock.example.com", "https://", "ftp://penstock.example.com"):
        with pytest.raises(ConfigurationError, match="is no URL"):
            find_relay_target(settings_of(inside, SampleSettings(), relay))


def settings_of(inside: Path, sample: SampleSettings, relay: str = "http://127.0.0.1:9") -> Settings:
    edge = Settings().edge
    return Settings(
        home=str(inside),
        edge=type(edge)(relay=relay),
        policy=PolicySettings(sample=sample, forward={"far": ForwardSettings(endpoint="http://127.0.0.1:9")}),
    )


def test_a_relay_decides_nothing_that_needs_whole_traces(inside: Path) -> None:
    slow = SamplePolicySettings(name="slow", threshold_ms=5000)
    for sample in (
        SampleSettings(sampling_percentage=5, policies=[slow]),
        SampleSettings(sampling_percentage=5, by="session"),
    ):
        with pytest.raises(ConfigurationError, match="need whole traces"):
            find_relay_target(settings_of(inside, sample))
    assert find_relay_target(settings_of(inside, SampleSettings(policies=[slow]))).penstock  # keeps all anyway
    assert find_relay_target(settings_of(inside, SampleSettings(), "far")).penstock is False
