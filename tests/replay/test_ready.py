"""The same conversation, out of every tool's export in every form, becomes the same interaction with the same feedback."""

import json

import pytest

from penstock.errors import ConfigurationError
from penstock.replay.export_calls import Adjustments
from penstock.replay.ready import NAMES, load_reader
from tests.replay.exported_rows import read_calls, settle, targets

EVERY_FORM = [
    ("langfuse", "langfuse_trace.json"),
    ("langfuse", "langfuse_blob_observations.jsonl", "langfuse_blob_traces.jsonl", "langfuse_blob_scores.jsonl"),
    ("langfuse", "langfuse_observations.json", "langfuse_blob_scores.jsonl", "langfuse_blob_traces.jsonl"),
    ("langfuse", "langfuse_ui_observations.csv", "langfuse_blob_scores.jsonl", "langfuse_blob_traces.jsonl"),
    ("langsmith", "langsmith_runs.jsonl", "langsmith_feedback.jsonl"),
    ("langsmith", "langsmith_feedback.jsonl", "langsmith_bulk.parquet"),
    ("langsmith", "langsmith_runs.json", "langsmith_feedback.json"),
    ("langsmith", "langsmith_runs.csv", "langsmith_feedback.csv"),
    ("mlflow", "mlflow_search_traces.jsonl"),
    ("mlflow", "mlflow_search_traces.parquet"),
    ("mlflow", "mlflow_search_traces.csv"),
    ("mlflow", "mlflow_trace.json"),
    ("phoenix", "phoenix_spans.jsonl", "phoenix_annotations.jsonl"),
    ("phoenix", "phoenix_spans.parquet", "phoenix_annotations.parquet"),
    ("phoenix", "phoenix_spans.csv", "phoenix_annotations.jsonl"),
    ("datadog", "datadog_spans.json"),
    ("datadog", "datadog_spans.jsonl"),
    ("datadog", "datadog_spans.csv"),
    ("datadog", "datadog_spans.parquet"),
    ("openai", "openai_log.jsonl"),
    ("openai", "openai_log.json"),
    ("openai", "openai_log.csv"),
    ("openai", "openai_log.parquet"),
]


@pytest.mark.parametrize(("tool", "files"), [(tool, files) for tool, *files in EVERY_FORM])
def test_the_same_conversation_is_the_same_interaction(tool: str, files: list[str]) -> None:
    (interaction,) = settle(read_calls(tool, *files))
    assert interaction.prompt_text == "How do I reset it?"
    assert interaction.response_text == "Hold the button."
    assert interaction.response_model == "gpt-4o-2024-08-06"
    assert (interaction.request_model or "").startswith("gpt-4o")
    assert (interaction.input_tokens, interaction.output_tokens) == (20, 5)
    assert (interaction.session_id, interaction.user_id) == ("chat-7", "anna")
    assert interaction.tags["team"] == "north"
    assert json.loads(interaction.parameters or "{}") == {"temperature": 0.2}
    assert json.loads(interaction.input_messages or "[]")[0] == {
        "role": "system",
        "parts": [{"type": "text", "content": "Be brief."}],
    }
    assert interaction.exposure == "served"
    assert interaction.operation == "chat"
    assert interaction.content_present


@pytest.mark.parametrize(("tool", "files"), [(tool, files) for tool, *files in EVERY_FORM])
def test_its_score_finds_it(tool: str, files: list[str]) -> None:
    calls = read_calls(tool, *files)
    (interaction,) = settle(calls)
    helpful = [found for found in targets(calls) if found[0] == "helpful"]
    expected_text = None if tool == "openai" else "worked"
    assert helpful == [("helpful", 1.0, expected_text, {interaction.interaction_id})]


@pytest.mark.parametrize(("tool", "files"), [(tool, files) for tool, *files in EVERY_FORM if tool not in ("openai",)])
def test_what_was_retrieved_for_it_is_attached(tool: str, files: list[str]) -> None:
    (interaction,) = settle(read_calls(tool, *files))
    assert json.loads(interaction.retrieved_documents or "[]") == [{"id": "manual#3", "content": "Hold the button."}]


@pytest.mark.parametrize(
    ("tool", "files"), [(tool, files) for tool, *files in EVERY_FORM if tool in ("langfuse", "langsmith", "phoenix", "datadog")]
)
def test_times_and_details_are_kept_where_the_tool_has_them(tool: str, files: list[str]) -> None:
    (interaction,) = settle(read_calls(tool, *files))
    assert interaction.started_at.isoformat() == "2026-03-01T10:00:01+00:00"
    assert (interaction.ended_at - interaction.started_at).total_seconds() == 1.5
    assert (interaction.cached_tokens, interaction.reasoning_tokens) == (8, 2)
    if tool in ("langfuse", "langsmith"):
        assert interaction.first_token_ms == 250.0
        assert interaction.cost == pytest.approx(0.00009)
    if tool != "datadog":
        assert interaction.finish_reason == "stop"


@pytest.mark.parametrize(("tool", "files"), [(tool, files) for tool, *files in EVERY_FORM])
def test_a_second_reading_gives_the_same_ids(tool: str, files: list[str]) -> None:
    once, again = read_calls(tool, *files), read_calls(tool, *files)
    assert [call.spans for call in once] == [call.spans for call in again]
    assert [[item["idempotency_key"] for item in call.feedback] for call in once] == [
        [item["idempotency_key"] for item in call.feedback] for call in again
    ]


def test_the_forms_of_one_export_name_the_same_spans() -> None:
    ids = {
        (tool, *files): {span.span_id for call in read_calls(tool, *files) for span in call.spans} for tool, *files in EVERY_FORM
    }
    for tool in ("langsmith", "mlflow", "phoenix", "datadog", "openai"):
        assert len({frozenset(spans) for (name, *_), spans in ids.items() if name == tool}) == 1


def test_what_the_person_knows_better_counts() -> None:
    calls = read_calls("mlflow", "mlflow_trace.json", application="desk", exposure="replay", names={"helpful": "rating"})
    (interaction,) = settle(calls)
    assert (interaction.application, interaction.exposure) == ("desk", "replay")
    assert [name for name, *_ in targets(calls)] == ["rating"]


def test_a_name_that_is_neither_ready_nor_a_file_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=", ".join(NAMES)):
        load_reader("lanfuse", Adjustments(), dict)
