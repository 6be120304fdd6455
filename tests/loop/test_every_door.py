"""One value of each kind that is found, through every door of one home: nothing of them is left in it, decoded, at any time.

Once everything is stored whole, so that spans are redacted a column at a time; once it also waits for a backend that is away.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from penstock.app import Penstock
from penstock.config import load_settings
from penstock.edge.run_file import RunningEdge
from penstock.ingest.decode_bodies import FEWEST
from penstock.ingest.redact import Redaction
from penstock.outcomes.pull import Puller, load_sources
from penstock.outcomes.pull_state import StateFile
from penstock.records.clock import utc_now
from penstock.replay.row_reader import mapped_rows
from penstock.replay.run import replay_files
from penstock.worker.stages import Stages
from tests.edge.conftest import checkpoint
from tests.edge.live_server import wait_for
from tests.edge.test_foreign_feedback import GOOD, TRACE
from tests.edge.test_otlp_grpc import LOGS, TRACES, call
from tests.edge.test_process import running_edge
from tests.edge.upstream import running_upstream
from tests.ingest.otlp_requests import CHAT, logs_request, set_attributes, trace_request
from tests.outcomes.hooks import ticket_event
from tests.outcomes.tickets import QUERY, Desk
from tests.replay.examples import MAPPING, small_mapping, write_jsonl
from tests.worker.left_behind import find_left

# As it is written, and what of it may not be left.
PERSONAL = {
    "email": ("write to jane.doe@example.com", "jane.doe"),
    "phone": ("call +1 415 555 0134", "415 555 0134"),
    "card": ("card 4111 1111 1111 1111", "4111 1111 1111"),
    "iban": ("account DE89 3704 0044 0532 0130 00", "3704 0044 0532"),
    "ssn": ("ssn 536-22-8712", "536-22-8712"),
    "national_id": ("tax id 86095742719", "86095742719"),
    "ip": ("from 203.0.113.7", "203.0.113.7"),
    "mac": ("at 00:1a:2b:3c:4d:5e", "1a:2b:3c:4d"),
    "url_password": ("postgres://user:hunter22@db/x", "hunter22"),
    "secret": ("key sk-abcdefghijklmnopqrstuvwx1", "abcdefghijklmnopqrstuvwx1"),
    "jwt": ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc_def", "eyJzdWIiOiIxMjM0NTY3ODkwIn0"),
    "private_key": ("-----BEGIN RSA PRIVATE KEY-----\nMIIEowZanzi\n-----END RSA PRIVATE KEY-----", "MIIEowZanzi"),
    "address": ("lives at 221 Baker Street", "221 Baker Street"),
    "birth_date": ("born on 1990-01-02", "1990-01-02"),
    "username": ("in /home/janedoe/notes.txt", "janedoe"),
}
ALL = "; ".join(text for text, _ in PERSONAL.values())
# What is told by a name alone.
KEYS = {"tax_id": "86095742719", "ssn": "536228712", "date_of_birth": "02/01/1990", "passport_id": "C01X00T47"}
CREDENTIAL, USER = "open sesame of mine", "Jane Roe the 4th"
FORBIDDEN = [*(part for _, part in PERSONAL.values()), *KEYS.values(), CREDENTIAL, USER]

SHOP = "https://shop.example.com"
PROTOBUF = {"content-type": "application/x-protobuf"}
CONFIGURATION = """
pulls.desk.url = "sqlite:///{database}"
pulls.desk.query = '''{query}'''
pulls.desk.watermark = "updated_at"
edge.flush_interval_s = 3600.0
edge.browser_origins = ["{shop}"]
gateway.upstreams.scripted.base_url = "{upstream}"
gateway.default_upstream = "scripted"

[[pulls.desk.feedback]]
name = "outcome.resolved"
keys.tax_id = {{ column = "ticket" }}
text = {{ column = "note" }}
occurred_at = {{ column = "solved_at", parse = "iso" }}

[[webhooks.desk.feedback]]
name = "outcome.resolved"
when = {{ "ticket.status" = ["*"] }}
key = "tax_id"
target_path = "ticket.id"
text = "ticket.status"
"""
AWAY = """
[policy.route]
default_pipelines = ["store", "far"]

[policy.forward.far]
endpoint = "http://127.0.0.1:9"
penstock = true
"""
Send = Callable[[RunningEdge, str, Path], None]


def attributes(mark: str) -> dict[str, Any]:
    """A call that says it all, and a harmless mark, in everything that a span can hold."""
    said = [{"role": "user", "parts": [{"type": "text", "content": f"{mark}: {ALL}"}]}]
    return {
        **CHAT, **KEYS, "gen_ai.input.messages": json.dumps(said), "gen_ai.output.messages": json.dumps(said),
        "gen_ai.conversation.id": f"jane.doe@example.com-{mark}", "gen_ai.response.id": PERSONAL["email"][0], "user.id": USER,
        "exception.stacktrace": ALL, "http.request.header.authorization": CREDENTIAL, "note": f"{mark} {ALL}",
        "metadata": json.dumps({"password": CREDENTIAL, **KEYS}), "session.note": "kept",
        **{f"penstock.key.{name}": value for name, value in KEYS.items()},
        **{f"penstock.tag.{name}": value for name, value in KEYS.items()},
        "penstock.key.customer": ALL, "penstock.tag.about": ALL, ALL: "a name",
    }  # fmt: skip


def traces(mark: str, spans: int) -> Any:
    request = None
    for number in range(spans):
        ids = {"trace_id": mark.ljust(16, "-").encode()[:16], "span_id": bytes([number + 1] * 8)}
        request = trace_request(attributes(mark), resource={"host.ip": "203.0.113.7"}, request=request, **ids)
        span = request.resource_spans[-1].scope_spans[0].spans[0]
        span.name, span.status.message = f"chat {mark} {ALL}", ALL
        set_attributes(span.events.add(name="exception").attributes, {"exception.message": ALL, **KEYS})
    return request


def events(mark: str) -> list[Any]:
    evaluation = {"gen_ai.evaluation.name": mark, "gen_ai.evaluation.score.value": 1.0, "gen_ai.evaluation.explanation": ALL}
    return [
        logs_request("gen_ai.client.inference.operation.details", attributes(mark), body=ALL),
        logs_request("gen_ai.evaluation.result", {**evaluation, **KEYS}),
        logs_request("note", {**KEYS, "exception.message": ALL}, body={"mark": mark, "content": ALL, **KEYS}),
    ]


def taken(response: httpx.Response) -> None:
    assert response.is_success, response.text


def send_few(edge: RunningEdge, mark: str, _folder: Path) -> None:
    taken(httpx.post(f"{edge.url}/v1/traces", content=traces(mark, 1).SerializeToString(), headers=PROTOBUF))


def send_many(edge: RunningEdge, mark: str, _folder: Path) -> None:
    taken(httpx.post(f"{edge.url}/v1/traces", content=traces(mark, FEWEST + 1).SerializeToString(), headers=PROTOBUF))


def send_json(edge: RunningEdge, mark: str, _folder: Path) -> None:
    said = [{"key": name, "value": {"stringValue": text}} for name, text in attributes(mark).items()]
    span = {"traceId": "ab" * 16, "spanId": "ab" * 8, "name": f"{mark} {ALL}", "startTimeUnixNano": "1772366400000000000"}
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [{**span, "attributes": said}]}]}]}
    taken(httpx.post(f"{edge.url}/v1/traces", json=body))


def send_by_grpc(edge: RunningEdge, mark: str, _folder: Path) -> None:
    call(f"127.0.0.1:{edge.grpc_port}", traces(mark, 1).SerializeToString(), TRACES)
    for request in events(mark):
        call(f"127.0.0.1:{edge.grpc_port}", request.SerializeToString(), LOGS)


def send_logs(edge: RunningEdge, mark: str, _folder: Path) -> None:
    for request in events(mark):
        taken(httpx.post(f"{edge.url}/v1/logs", content=request.SerializeToString(), headers=PROTOBUF))


def report(mark: str, **about: Any) -> dict[str, Any]:
    return {"name": "comment", "text": f"{mark}: {ALL}", "metadata": {**KEYS, "note": ALL, "password": CREDENTIAL}, **about}


def send_feedback(edge: RunningEdge, mark: str, _folder: Path) -> None:
    keys = [
        report(mark, key={"name": name, "value": value}, idempotency_key=f"{mark}-{value}", source=ALL[:256])
        for name, value in KEYS.items()
    ]
    others = [report(mark, **{kind: ALL}) for kind in ("request_id", "response_id", "session_id")]
    answer = httpx.post(f"{edge.url}/v1/feedback", json=[*keys, *others])
    assert answer.json()["accepted"] == len(keys) + len(others), answer.text


def send_from_a_page(edge: RunningEdge, mark: str, _folder: Path) -> None:
    about = {"response_id": "jane.doe@example.com", "idempotency_key": f"{mark} jane.doe@example.com"}
    taken(httpx.post(f"{edge.url}/v1/feedback", json=report(mark, **about), headers={"origin": SHOP}))


def send_foreign_feedback(edge: RunningEdge, mark: str, _folder: Path) -> None:
    text, metadata = f"{mark}: {ALL}", {**KEYS, "note": ALL}
    score = {"name": "n", "value": 1, "comment": text, "metadata": metadata}
    annotation = {"name": "n", "annotator_kind": "HUMAN", "result": {"label": ALL, "explanation": text}, "metadata": metadata}
    rating = {"assessment_name": "n", "feedback": {"value": ALL}, "rationale": text, "metadata": metadata}
    joined = [{"tag": {"key": name, "value": value}} for name, value in KEYS.items()]
    metric = {"label": "n", "categorical_value": ALL, "reasoning": text, "tags": [f"ssn:{KEYS['ssn']}"], "metadata": metadata}
    bodies: dict[str, Any] = {
        "/api/public/scores": [{**score, "traceId": TRACE}, {**score, "sessionId": ALL, "id": ALL}],
        "/api/v1/feedback": {"key": "n", "run_id": ALL, "score": 1, "comment": text, "correction": {"a": ALL}, "extra": metadata},
        "/feedback": {"metric_name": "comment", "inference_id": ALL, "value": text, "tags": metadata},
        "/v1/session_annotations": {"data": [{**annotation, "session_id": ALL}]},
        "/v1/span_annotations": {"data": [{**annotation, "span_id": "ab" * 8, "identifier": ALL}]},
        "/v1/trace_notes": {"data": {"trace_id": TRACE, "note": text}},
        next(path for path in GOOD if "mlflow" in path): {"assessment": rating},
        "/api/intake/llm-obs/v2/eval-metric": {"data": {"attributes": {"metrics": [{**metric, "join_on": on} for on in joined]}}},
    }
    for path, body in bodies.items():
        taken(httpx.post(edge.url + path, json=body))


def send_by_the_gateway(edge: RunningEdge, mark: str, _folder: Path) -> None:
    says = {"session": "jane.doe@example.com", "request-id": f"{mark} jane.doe@example.com", "tag-about": PERSONAL["phone"][0]}
    headers = {f"x-penstock-{name}": value for name, value in {**says, **{f"key-{key}": KEYS[key] for key in KEYS}}.items()}
    messages = [{"role": "user", "content": f"{mark}: {ALL}"}]
    for model in ("assistant", "status-400"):
        body = {"model": model, "messages": messages, "user": USER, "stop": [ALL], "metadata": {**KEYS, "note": ALL}}
        answer = httpx.post(f"{edge.url}/v1/chat/completions", json=body, headers={**headers, "authorization": CREDENTIAL})
        assert answer.status_code == (200 if model == "assistant" else 400), answer.text


def send_by_a_webhook(edge: RunningEdge, mark: str, _folder: Path) -> None:
    event = ticket_event(f"{mark}: {ALL}", ticket=KEYS["tax_id"], event_id=f"{mark} {ALL}")
    assert httpx.post(f"{edge.url}/v1/webhooks/desk", json=event).json()["accepted"] == 1


def replay(edge: RunningEdge, mark: str, folder: Path) -> None:
    row = {"at": "2024-03-01T10:00:00Z", "question": f"{mark}: {ALL}", "answer": ALL, "who": USER, "thumb": "up", **KEYS}
    path = write_jsonl(folder / f"{mark}.jsonl", [row, {**row, "at": ALL}])
    mapping = small_mapping(
        MAPPING.replace("\n[[feedback]]", '[interaction.keys]\ntax_id = { column = "tax_id" }\n\n[[feedback]]')
    )
    said = replay_files([path], edge_url=edge.url, api_key=None, reader=mapped_rows(mapping), home=folder / "home")
    assert (said.sent, said.feedback, len(said.rejected)) == (1, 1, 1)


DOORS: dict[str, Send] = {
    "few": send_few,
    "many": send_many,
    "json": send_json,
    "grpc": send_by_grpc,
    "logs": send_logs,
    "feedback": send_feedback,
    "page": send_from_a_page,
    "foreign": send_foreign_feedback,
    "gateway": send_by_the_gateway,
    "webhook": send_by_a_webhook,
    "replay": replay,
}


def pull(home: Path, folder: Path) -> set[str]:
    """A table that says it too, and what the worker makes of all that came; the kinds that were taken out."""
    desk = Desk(f"sqlite:///{folder / 'desk.db'}")
    desk.add(1, ticket=KEYS["tax_id"], note=f"markpull: {ALL}")
    desk.add(2, ticket=KEYS["tax_id"], note=ALL, solved_at=ALL)
    desk.close()
    penstock = opened(home)
    puller = Puller(penstock.lake, Redaction(penstock.redactor), penstock.clock, {})
    pulled = puller.pull(load_sources(penstock.settings.pulls)["desk"], StateFile(home, "desk"))
    assert (pulled.reports, len(pulled.unreadable)) == (1, 1)
    Stages(penstock.registry, penstock.settings, penstock.clock).run(penstock.lake)
    penstock.registry.close()
    spans = penstock.lake.to_records("spans", penstock.lake.current("spans"))
    return {kind for span in spans for kind in span.redactions}


def opened(home: Path) -> Penstock:
    return Penstock(load_settings(flags={"home": str(home)}).settings)


def all_in_the_spool(home: Path, marks: Sequence[str]) -> bool:
    """Whether each would be found, were it personal."""
    found = find_left(home / "spool", marks)
    return all(any(line.endswith(f": {mark}") for line in found) for mark in marks)


def test_nothing_of_any_kind_is_left_whichever_door_it_came_through(
    home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "penstock")
    with running_upstream() as upstream:
        given = {"database": tmp_path / "desk.db", "query": QUERY, "shop": SHOP, "upstream": upstream.base_url}
        (home / "penstock.toml").write_text(CONFIGURATION.format(**given))
        registry = opened(home).registry
        registry.checkpoints.put(checkpoint("one", "m1"))
        registry.routes.set_stable("assistant", "c_one", utc_now())
        registry.close()  # whoever reads the file of a database that it holds open lets go of its locks
        for way, more in (("whole", ""), ("away", AWAY)):
            (home / "penstock.toml").write_text(CONFIGURATION.format(**given) + more)
            marks = [f"mark{way}{name}" for name in DOORS]
            with running_edge(home) as (_, edge):
                for mark, send in zip(marks, DOORS.values(), strict=True):
                    send(edge, mark, tmp_path)
                wait_for(partial(all_in_the_spool, home, marks))
                assert find_left(home, FORBIDDEN) == []
            (home / "edge.log").rename(home / f"edge-{way}.log")
    kinds = pull(home, tmp_path)
    assert set(PERSONAL) <= kinds
    for place in ("forward/far", "lake/spans", "lake/feedback", "lake/interactions"):
        assert find_left(home / place, ["markaway"]), place
    assert find_left(home / "lake" / "feedback", ["markpull"])
    assert find_left(home, FORBIDDEN) == []
    assert [text for text in FORBIDDEN if text in caplog.text] == []
