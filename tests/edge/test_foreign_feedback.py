"""The feedback endpoints of other ecosystems: recorded bodies, keys in each one's own way, refusals in each one's own shape."""

import base64
import gzip
import json
import logging
from typing import Any

import httpx
import pytest

from penstock.errors import StorageError
from penstock.records.access import Scope
from penstock.registry.registry import Registry
from tests.edge.recording_door import RecordingDoor
from tests.formats.recorded import recorded

TRACE, SPAN = "61469217070ea5e3b224b5cce64ffe20", "8342f436cd1b57bb"
MLFLOW = f"/api/3.0/mlflow/traces/tr-{TRACE}/assessments"
ANNOTATION = {"name": "n", "annotator_kind": "HUMAN", "result": {"score": 1}}
EVALUATION = {"label": "n", "score_value": 1, "join_on": {"tag": {"key": "k", "value": "v"}}}

# A good body for each path.
GOOD: dict[str, Any] = {
    "/api/public/scores": {"id": "s", "name": "n", "value": 1, "traceId": TRACE},
    "/api/public/ingestion": {
        "batch": [{"id": "e", "type": "score-create", "body": {"name": "n", "value": 1, "traceId": TRACE}}]
    },
    "/api/v1/feedback": {"id": "x", "key": "n", "run_id": "r", "score": 1},
    "/feedback": {"metric_name": "n", "inference_id": "r", "value": 1},
    "/v1/span_annotations": {"data": [{**ANNOTATION, "span_id": SPAN}]},
    "/v1/trace_annotations": {"data": [{**ANNOTATION, "trace_id": TRACE}]},
    "/v1/session_annotations": {"data": [{**ANNOTATION, "session_id": "c"}]},
    "/v1/span_notes": {"data": {"span_id": SPAN, "note": "n"}},
    "/v1/trace_notes": {"data": {"trace_id": TRACE, "note": "n"}},
    "/v1/session_notes": {"data": {"session_id": "c", "note": "n"}},
    MLFLOW: {"assessment": {"assessment_name": "n", "feedback": {"value": 1}}},
    "/api/intake/llm-obs/v1/eval-metric": {"data": {"attributes": {"metrics": [EVALUATION]}}},
    "/api/intake/llm-obs/v2/eval-metric": {"data": {"attributes": {"metrics": [EVALUATION]}}},
}
# Where the reason of a refusal stands in the answer of each.
REASON: dict[str, Any] = {
    "/api/public/scores": lambda body: body["message"],
    "/api/public/ingestion": lambda body: body["message"],
    "/api/v1/feedback": lambda body: body["detail"],
    "/feedback": lambda body: body["error"],
    "/v1/span_annotations": lambda body: body["detail"],
    "/v1/trace_annotations": lambda body: body["detail"],
    "/v1/session_annotations": lambda body: body["detail"],
    "/v1/span_notes": lambda body: body["detail"],
    "/v1/trace_notes": lambda body: body["detail"],
    "/v1/session_notes": lambda body: body["detail"],
    MLFLOW: lambda body: body["message"] if body["error_code"] else None,
    "/api/intake/llm-obs/v1/eval-metric": lambda body: body["errors"][0]["detail"],
    "/api/intake/llm-obs/v2/eval-metric": lambda body: body["errors"][0]["detail"],
}


@pytest.mark.parametrize("path", GOOD)
def test_every_path_takes_its_reports(edge: str, door: RecordingDoor, path: str) -> None:
    response = httpx.post(edge + path, json=GOOD[path])
    assert response.is_success, response.text
    (report,) = door.feedback
    assert report.name in ("n", "note") and report.feedback_id.startswith("f_")


@pytest.mark.parametrize("path", GOOD)
def test_what_cannot_be_read_is_refused_in_the_shape_that_its_clients_know(edge: str, door: RecordingDoor, path: str) -> None:
    for body in (b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null", b"7", b'"x"', b'{"data": 7, "batch": 7, "assessment": 7}'):
        response = httpx.post(edge + path, content=body, headers={"content-type": "application/json"})
        assert response.status_code in (400, 422), (body[:20], response.text)
        assert REASON[path](response.json())
    assert not door.feedback


@pytest.mark.parametrize("path", GOOD)
def test_what_a_foreign_web_page_could_send_is_refused(edge: str, door: RecordingDoor, path: str) -> None:
    response = httpx.post(edge + path, content=json.dumps(GOOD[path]), headers={"content-type": "text/plain"})
    assert response.status_code == 415 and "application/json" in REASON[path](response.json())
    assert not door.feedback


@pytest.mark.parametrize("path", GOOD)
def test_too_much_is_refused_as_sent_or_inflated(edge: str, path: str) -> None:
    body = json.dumps({"x": "y" * 2_000_000}).encode()
    headers = {"content-type": "application/json"}
    assert httpx.post(edge + path, content=body, headers=headers).status_code == 413
    packed = httpx.post(edge + path, content=gzip.compress(body, mtime=0), headers={**headers, "content-encoding": "gzip"})
    assert packed.status_code == 413 and REASON[path](packed.json())


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("failure", [StorageError("The spool is full."), RuntimeError("a bug")])
def test_no_failure_of_ours_is_answered_with_500(
    edge: str, door: RecordingDoor, path: str, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    door.failure = failure
    response = httpx.post(edge + path, json=GOOD[path])
    assert response.status_code == 503 and int(response.headers["retry-after"]) > 0
    assert REASON[path](response.json())


@pytest.mark.parametrize("path", GOOD)
def test_a_key_with_the_scope_is_needed_once_there_is_one(edge: str, registry: Registry, path: str) -> None:
    key, other = registry.keys.create("back", {Scope.FEEDBACK}), registry.keys.create("in", {Scope.INGEST})
    nobody = httpx.post(edge + path, json=GOOD[path])
    assert nobody.status_code == 401 and "API key" in REASON[path](nobody.json())
    assert httpx.post(edge + path, json=GOOD[path], headers={"x-api-key": other}).status_code == 403
    basic = "Basic " + base64.b64encode(f"pk-lf-1:{key}".encode()).decode()
    ways = (
        {"x-api-key": key},
        {"authorization": f"Bearer {key}"},
        {"authorization": basic},
        {"api_key": key},
        {"dd-api-key": key},
    )
    assert all(httpx.post(edge + path, json=GOOD[path], headers=headers).is_success for headers in ways)


@pytest.mark.parametrize(
    "path", ["/api/public/projects", "/api/public/health", "/api/v1/info", "/info", "/arize_phoenix_version"]
)
def test_what_clients_ask_for_first_is_answered_to_whoever_has_a_key(edge: str, registry: Registry, path: str) -> None:
    keys = [registry.keys.create(scope, {scope}) for scope in (Scope.INGEST, Scope.FEEDBACK, Scope.GATEWAY)]
    statuses = [httpx.get(edge + path, headers={"x-api-key": key}).status_code for key in (*keys, "wrong")]
    assert statuses == [200, 200, 403, 401]


def test_recorded_bodies_of_phoenix_mlflow_tensorzero_and_datadog_arrive(edge: str, door: RecordingDoor) -> None:
    assert len(httpx.post(f"{edge}/v1/span_annotations?sync=true", json=recorded("phoenix_spans")).json()["data"]) == 2
    answer = httpx.post(edge + MLFLOW, json=recorded("mlflow_feedback")).json()["assessment"]
    assert answer["assessment_name"] == "helpful" and answer["assessment_id"]
    assert httpx.post(edge + MLFLOW, json=recorded("mlflow_expectation")).is_success
    for item in recorded("tensorzero"):
        assert httpx.post(f"{edge}/feedback", json=item).json()["feedback_id"]
    assert httpx.post(f"{edge}/api/intake/llm-obs/v2/eval-metric", json=recorded("datadog")).status_code == 202
    names = [report.name for report in door.feedback]
    assert names == [
        "correctness",
        "tone",
        "helpful",
        "edited",
        "task_success",
        "rating",
        "comment",
        "edited",
        "accuracy",
        "mood",
    ]


def test_the_scores_that_langfuse_really_sent_arrive(edge: str, door: RecordingDoor) -> None:
    response = httpx.post(f"{edge}/api/public/scores", json=recorded("langfuse_scores"))
    assert (response.status_code, response.json()) == (202, {"message": "Accepted"})
    assert [report.name for report in door.feedback] == ["user-feedback", "edited", "csat"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/public/scores", [{"name": "n", "value": 1, "traceId": TRACE}, {"name": "bad"}], 207),
        ("/v1/span_annotations", {"data": [{**ANNOTATION, "span_id": SPAN}, {**ANNOTATION, "span_id": "bad"}]}, 422),
        ("/api/intake/llm-obs/v2/eval-metric", {"data": {"attributes": {"metrics": [EVALUATION, {"label": "bad"}]}}}, 400),
    ],
)
def test_a_bad_report_costs_the_good_ones_beside_it_nothing(
    edge: str, door: RecordingDoor, path: str, body: Any, status: int
) -> None:
    assert httpx.post(edge + path, json=body).status_code == status
    assert [report.name for report in door.feedback] == ["n"]


def test_the_same_report_twice_is_one_and_with_its_id_it_can_be_amended(edge: str, door: RecordingDoor) -> None:
    score = {"id": "s", "name": "n", "value": 1, "traceId": TRACE}
    for value in (1, 1, 0):
        httpx.post(f"{edge}/api/public/scores", json={**score, "value": value})
    assert len({report.feedback_id for report in door.feedback}) == 1
    assert [report.value for report in door.feedback] == [1.0, 1.0, 0.0]


def test_a_thumb_without_an_id_that_comes_again_later_is_another_report(edge: str, door: RecordingDoor) -> None:
    for value in (True, False, True):
        httpx.post(f"{edge}/feedback", json={"metric_name": "thumb", "inference_id": "r", "value": value})
    assert len({report.feedback_id for report in door.feedback}) == 3


def test_a_dry_run_is_answered_and_not_kept(edge: str, door: RecordingDoor) -> None:
    body = {**GOOD["/feedback"], "dryrun": True}
    assert httpx.post(f"{edge}/feedback", json=body).json()["feedback_id"]
    assert not door.feedback


def test_one_path_serves_tensorzero_and_langsmith_by_what_the_body_has(edge: str, door: RecordingDoor) -> None:
    assert httpx.post(f"{edge}/feedback", json=GOOD["/api/v1/feedback"]).json()["key"] == "n"
    assert [report.source for report in door.feedback] == ["langsmith"]
    assert httpx.post(f"{edge}/feedback", json={"key": "n"}).json().keys() == {"detail"}
    assert httpx.post(f"{edge}/feedback", json={"metric_name": "n"}).json().keys() == {"error"}


def test_more_reports_than_one_request_may_have_are_refused(edge: str, door: RecordingDoor) -> None:
    response = httpx.post(f"{edge}/api/public/scores", json=[{}] * 10_001)
    assert response.status_code == 413 and "10000" in response.json()["message"]


def test_an_empty_batch_is_a_success(edge: str, door: RecordingDoor) -> None:
    assert httpx.post(f"{edge}/api/public/scores", json=[]).status_code == 202
    assert httpx.post(f"{edge}/v1/span_annotations", json={"data": []}).json() == {"data": []}
    assert not door.feedback
