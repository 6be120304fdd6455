"""Instrumentations as their users install them, each in a process of its own, against a canned model: what they send to a real
edge becomes the same interactions whoever sent it, but for documented gaps.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock.assembly import build_edge_services
from penstock.edge.application import build_edge_app
from penstock.edge.keys import KeyGuard
from penstock.edge.otlp_grpc import OtlpGrpcServer
from penstock.ingest.settle import settle_interactions
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.settings import LakeSettings, Settings
from tests.clients.canned_model import TOLD, running_model
from tests.edge.live_server import serve, wait_for
from tests.golden.records import canonical
from tests.golden.scenarios import documented_gaps

REPOSITORY = Path(__file__).parents[2]
TRANSPORTS = ("http", "grpc")
ON_SPANS = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"}
ON_EVENTS = {
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "EVENT_ONLY",
    "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT": "true",
}
STREAM_GAPS = {"openllmetry": {"reasoning_tokens"}}  # also in docs/dialects.md, where it says what a stream lacks
SAYS = "scenario"  # the attribute of the request's own span, by which its calls are told apart

Records = dict[str, list[dict[str, Any]]]
Run = Callable[..., Records]


@pytest.fixture
def run(settings: Settings) -> Iterator[Run]:
    """Runs a client's program against an edge of its own, and gives the interactions by scenario, in order."""
    settings = msgspec.structs.replace(settings, edge=msgspec.structs.replace(settings.edge, flush_interval_s=0.05))
    services = build_edge_services(settings, 0)
    try:
        grpc = OtlpGrpcServer(services.door, KeyGuard(services.registry.keys, host="127.0.0.1"), "127.0.0.1:0", 1_000_000)
        app = build_edge_app(services.door, services.registry, settings)
        with serve(app, grpc=grpc) as url, running_model() as model:

            def run_client(program: str, calls: int, transport: str = "http", **environment: str) -> Records:
                edge = url if transport == "http" else f"grpc://127.0.0.1:{grpc.port}"
                _start(program, edge, model, environment)
                lake = Lake(settings.home_path / "lake", LakeSettings())
                return wait_for(lambda: _settled(lake, calls), 30)

            yield run_client
    finally:
        services.close(10.0)


def _start(program: str, edge: str, model: str, environment: Mapping[str, str]) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-m", f"tests.clients.{program}", edge, model],
        cwd=REPOSITORY,
        env={**kept, **environment, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _settled(lake: Lake, calls: int) -> Records | None:
    """None until all that was sent has arrived."""
    lake.create()
    settle_interactions(lake, WriterClock())
    spans = lake.to_records("spans", lake.current("spans"))
    scenario_of = {span.trace_id: span.attributes[SAYS] for span in spans if SAYS in span.attributes}
    rows = sorted(lake.to_records("interactions", lake.current("interactions")), key=lambda row: row.started_at)
    if len(rows) < calls or not all(row.trace_id in scenario_of for row in rows):
        return None
    assert len(rows) == calls, [row.dialect for row in rows]
    found: Records = {}
    for row in rows:
        found.setdefault(scenario_of[row.trace_id], []).append(canonical(row))
    return found


CLIENTS = [
    # program, its environment, its dialect, the recording whose documented gaps are its own
    pytest.param("genai_openai", ON_SPANS, "genai", None, id="genai-on-spans"),
    pytest.param("genai_openai", ON_EVENTS, "genai", None, id="genai-on-events"),
    pytest.param("genai_openai", {}, "genai", "genai_openai-1.3b0_no_content", id="genai-without-content"),
    pytest.param("openinference_openai", {}, "openinference", "openinference_openai-0.1.66_gzip", id="openinference"),
    pytest.param("openllmetry_openai", {}, "openllmetry", "traceloop_openai-0.62.4", id="openllmetry"),
]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(("program", "environment", "dialect", "recording"), CLIENTS)
def test_what_a_client_sends_becomes_the_interactions_that_happened(
    run: Run, program: str, environment: dict[str, str], dialect: str, recording: str | None, transport: str
) -> None:
    gaps = documented_gaps()[recording] if recording else set()
    found = run(program, len(EXPECTED), transport, **environment)
    for (scenario, position), expected in EXPECTED.items():
        record = found[scenario][position]
        wanted = {**expected, "session_id": f"session-{scenario}"}
        lacking = gaps | (STREAM_GAPS.get(dialect, set()) if scenario.startswith("stream") else set())
        assert _chosen(record, wanted, lacking) == {name: value for name, value in wanted.items() if name not in lacking}
        assert (record["dialect"], record["application"], record["segment"]) == (dialect, "refund-bot", "enterprise")
        assert record["keys"] == {"ticket_id": "T-9"}
        assert record["user_id"].startswith("u_")
        assert ("error_type" in record) == scenario.startswith("error")
    assert "first_token_ms" in found["stream"][0]


def test_a_call_that_two_instrumentations_record_is_one_interaction(run: Run) -> None:
    found = run("both_at_once", len(EXPECTED), **ON_SPANS)
    for (scenario, position), expected in EXPECTED.items():
        assert _chosen(found[scenario][position], expected, set()) == expected


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_agents_calls_are_interactions_and_the_agent_is_none(run: Run, transport: str) -> None:
    found = run("pydantic_ai_agent", 5, transport)
    gaps = documented_gaps()["pydantic_ai-2.68.0_v5"]
    (chat,), (call, answer) = found["chat"], found["tools"]
    assert {record["dialect"] for records in found.values() for record in records} == {"pydantic-ai"}
    assert (chat["prompt_text"], chat["response_text"], chat["session_id"]) == (
        "Where is my refund?",
        "Answer 2 to you.",
        "session-chat",
    )
    assert _chosen(chat, USUAL, gaps) == {name: value for name, value in USUAL.items() if name not in gaps}
    (looked_up,) = call["tool_calls"]
    assert (looked_up["name"], looked_up["result"]) == ("lookup_order", {"status": "shipped", "order_id": "A-1001"})
    assert (answer["prompt_text"], answer["response_text"]) == ("Status of order A-1001?", TOLD)
    assert call["input_tokens"] + answer["input_tokens"] == 46  # each its own, none the agent's sum
    assert {record["keys"]["ticket_id"] for records in found.values() for record in records} == {"T-9"}
    assert all("error_type" in found[f"error{status}"][0] for status in (500, 429))


USUAL = {
    "operation": "chat", "provider": "openai", "request_model": "gpt-4o-mini", "response_model": "gpt-4o-mini-2024-07-18",
    "output_tokens": 11, "cached_tokens": 4, "reasoning_tokens": 2, "model_version": "fp_canned",
}  # fmt: skip
_SYSTEM = {"role": "system", "parts": [{"type": "text", "content": "You are a polite refund assistant."}]}
_TOOLS = [
    {
        "type": "function",
        "name": "lookup_order",
        "description": "Look up an order",
        "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
    }
]


def _said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def _answered(text: str) -> list[dict[str, Any]]:
    return [{**_said("assistant", text), "finish_reason": "stop"}]


EXPECTED: dict[tuple[str, int], dict[str, Any]] = {
    ("chat", 0): {
        **USUAL, "prompt_text": "Where is my refund?", "response_text": "Answer 2 to you.", "finish_reason": "stop",
        "input_tokens": 22, "response_id": "chatcmpl-2-whole", "parameters": {"temperature": 0.2, "max_tokens": 200},
        "input_messages": [_SYSTEM, _said("user", "Where is my refund?")], "system_instructions": _SYSTEM["parts"],
        "output_messages": _answered("Answer 2 to you."),
    },
    ("stream", 0): {
        **{name: value for name, value in USUAL.items() if name != "model_version"}, "prompt_text": "Stream señor Müller ✓",
        "response_text": "Answer 1 to you. ", "finish_reason": "stop", "input_tokens": 21, "response_id": "chatcmpl-1-stream",
    },
    ("stream_tools", 0): {
        "prompt_text": "Status of order A-1001?", "finish_reason": "tool_call", "input_tokens": 21,
        "parameters": {"stream": True, "tools": _TOOLS},
        "tool_calls": [{"id": "call_1", "name": "lookup_order", "arguments": {"order_id": "A-1001"}}],
    },
    ("tools", 0): {
        **USUAL, "prompt_text": "Status of order A-1001?", "finish_reason": "tool_call", "input_tokens": 21,
        "tool_calls": [{"id": "call_1", "name": "lookup_order", "arguments": {"order_id": "A-1001"}}],
        "parameters": {"tools": _TOOLS},
    },
    ("tools", 1): {
        **USUAL, "prompt_text": "Status of order A-1001?", "response_text": TOLD, "finish_reason": "stop", "input_tokens": 23,
        "parameters": {"tools": _TOOLS},
    },
    ("multi_turn", 0): {**USUAL, "prompt_text": "Hi, I want a refund", "response_text": "Answer 2 to you."},
    ("multi_turn", 1): {**USUAL, "prompt_text": "No, I meant A-1002", "response_text": "Answer 4 to you."},
    ("error500", 0): {"request_model": "err-500", "prompt_text": "this fails with 500"},
    ("error429", 0): {"request_model": "err-429", "prompt_text": "this fails with 429"},
}  # fmt: skip


def _chosen(record: dict[str, Any], names: Mapping[str, Any], gaps: set[str]) -> dict[str, Any]:
    """These columns of a record, as far as the producer has them, in one order."""
    chosen = {name: record.get(name) for name in names if name not in gaps}
    found: dict[str, Any] = json.loads(json.dumps(chosen))
    return found
