"""The clients of other ecosystems, unmodified, with another base URL: what they send arrives, and the answer contents them."""

import os
import subprocess
import sys
import uuid
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from langfuse import Langfuse
from langfuse.api.core import ApiError
from langsmith import Client
from langsmith.utils import LangSmithError
from opentelemetry.sdk.trace import TracerProvider

from penstock.records.access import Scope
from penstock.registry.registry import Registry
from tests.edge.live_server import wait_for
from tests.edge.recording_door import RecordingDoor

LANGSMITH_PROGRAM = """
from langsmith import Client, get_current_run_tree, traceable

client = Client()

@traceable(run_type="llm", name="model", client=client)
def ask(question):
    return {"content": "Yes."}

@traceable(name="chain", client=client)
def answer(question):
    ask(question)
    return get_current_run_tree().id

run_id = answer("Is it?")
client.flush()
client.create_feedback(run_id, key="user_score", score=1)
"""


@pytest.fixture
def key(edge: str, registry: Registry) -> str:
    return registry.keys.create("client", {Scope.FEEDBACK, Scope.INGEST})


def new_public_key() -> str:
    """Langfuse keeps one client per public key for as long as the process lives."""
    return f"pk-lf-{uuid.uuid4()}"


@pytest.fixture
def langfuse(edge: str, key: str) -> Iterator[Langfuse]:
    client = Langfuse(
        public_key=new_public_key(),
        secret_key=key,
        base_url=edge,
        tracer_provider=TracerProvider(),
        flush_interval=0.1,
        flush_at=50,
    )
    yield client
    client.shutdown()


def sent_spans(door: RecordingDoor) -> list[Any]:
    return [
        span
        for request in door.traces
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_langfuse_is_let_in_by_its_secret_key_alone(langfuse: Langfuse, edge: str, registry: Registry) -> None:
    assert langfuse.auth_check()
    with pytest.raises(ApiError) as refused:
        Langfuse(public_key=new_public_key(), secret_key="wrong", base_url=edge, tracer_provider=TracerProvider()).auth_check()
    assert refused.value.status_code == 401


def test_langfuse_sends_spans_and_scores_that_name_each_other(langfuse: Langfuse, door: RecordingDoor) -> None:
    with langfuse.start_as_current_observation(name="answer", as_type="generation", model="m") as generation:
        generation.update(output="Yes.")
        generation.score(name="user-feedback", value=1, data_type="BOOLEAN", comment="right order")
        generation.score_trace(name="csat", value=0.5)
    langfuse.create_score(name="output", value="No, A-1002.", data_type="CORRECTION", trace_id=generation.trace_id)
    langfuse.create_score(name="mood", value="good", session_id="chat-9", data_type="CATEGORICAL", comment="smiled")
    langfuse.flush()
    span = wait_for(lambda: sent_spans(door))[0]
    found = {report.name: report for report in wait_for(lambda: len(door.feedback) == 4 and door.feedback)}
    assert (span.trace_id.hex(), span.span_id.hex()) == (generation.trace_id, generation.id)
    thumb = found["user-feedback"]
    assert (thumb.target_kind, thumb.target_id) == ("span", f"{generation.trace_id}:{generation.id}")
    assert (thumb.value, thumb.text, thumb.source) == (1.0, "right order", "langfuse")
    assert (found["csat"].target_kind, found["csat"].target_id, found["csat"].value) == ("trace", generation.trace_id, 0.5)
    assert (found["edited"].text, found["edited"].value) == ("No, A-1002.", None)
    assert (found["mood"].target_kind, found["mood"].text, found["mood"].metadata["comment"]) == ("session", "good", "smiled")


def test_langfuse_is_told_which_scores_of_a_batch_were_refused_and_the_others_are_kept(
    langfuse: Langfuse, door: RecordingDoor, caplog: pytest.LogCaptureFixture
) -> None:
    langfuse.create_score(name="good", value=1, trace_id="a" * 32)
    langfuse.create_score(name="bad", value=1, trace_id="no-hexadecimal")
    langfuse.flush()
    assert [report.name for report in wait_for(lambda: door.feedback)] == ["good"]
    wait_for(lambda: "accepted 1 and rejected 1 of 2 scores" in caplog.text)
    assert "no-hexadecimal" in caplog.text


def test_langfuse_comes_back_after_a_full_spool(langfuse: Langfuse, door: RecordingDoor) -> None:
    door.fill()
    door.fails_once = True
    langfuse.create_score(name="csat", value=1, session_id="chat-9")
    langfuse.flush()
    assert [report.name for report in wait_for(lambda: door.feedback)] == ["csat"]


@pytest.mark.parametrize("path", ["/api/v1", ""])
def test_langsmith_sends_feedback_with_a_correction(edge: str, key: str, door: RecordingDoor, path: str) -> None:
    run_id = uuid.uuid4()
    client = Client(api_url=f"{edge}{path}", api_key=key)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        created = client.create_feedback(
            run_id,
            key="correctness",
            score=0.25,
            comment="nearly",
            correction={"output": "It is A-1002."},
            source_info={"by": "kim"},
        )
    score, edited = door.feedback
    assert (score.target_kind, score.target_id, score.name, score.value) == ("run", str(run_id), "correctness", 0.25)
    assert (score.text, score.metadata["by"], score.idempotency_key) == ("nearly", "kim", f"langsmith:{created.id}")
    assert (edited.name, edited.text, edited.target_id) == ("edited", "It is A-1002.", str(run_id))


def test_langsmith_is_told_why_feedback_is_refused(edge: str, key: str, door: RecordingDoor) -> None:
    client = Client(api_url=f"{edge}/api/v1", api_key=key)
    with pytest.raises(LangSmithError, match="whole project"):
        client.create_feedback(project_id=uuid.uuid4(), key="x", score=1, stop_after_attempt=1)
    assert not door.feedback


def test_langsmith_without_a_valid_key_is_refused(edge: str, key: str, door: RecordingDoor) -> None:
    client = Client(api_url=f"{edge}/api/v1", api_key="lsv2_wrong")
    with pytest.raises(LangSmithError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client.create_feedback(uuid.uuid4(), key="x", score=1, stop_after_attempt=1)
    assert not door.feedback


def test_langsmith_sends_its_runs_by_opentelemetry_where_its_variables_say_so(edge: str, key: str, door: RecordingDoor) -> None:
    variables = {"LANGSMITH_ENDPOINT": f"{edge}/api/v1", "LANGSMITH_API_KEY": key, "LANGSMITH_TRACING": "true"}
    modes = {"LANGSMITH_OTEL_ENABLED": "true", "LANGSMITH_OTEL_ONLY": "true"}
    subprocess.run([sys.executable, "-c", LANGSMITH_PROGRAM], env={**os.environ, **variables, **modes}, check=True, timeout=60)
    names = {span.name: span for span in sent_spans(door)}
    assert set(names) == {"chain", "model"}
    assert names["model"].parent_span_id == names["chain"].span_id
    assert door.feedback[0].name == "user_score"
