"""What is Langfuse's own: its usage, its environments, scores of traces and sessions, and traces that come alone or late."""

from typing import Any

import pytest

from penstock.replay.export_calls import Adjustments
from penstock.replay.langfuse import translate
from penstock.replay.log_rows import LogRow
from penstock.replay.ready import load_reader
from tests.replay.exported_rows import read_calls, settle, targets

OBSERVATION = {
    "id": "o1",
    "traceId": "t1",
    "type": "GENERATION",
    "startTime": "2026-03-01T10:00:00Z",
    "model": "gpt-4o",
    "input": "Hi",
}
SCORE = {"id": "s", "name": "tone", "traceId": "t1", "value": 1, "dataType": "NUMERIC", "timestamp": "2026-03-01T10:00:00Z"}


def fields(**changes: Any) -> dict[str, Any]:
    (span,) = translate({**OBSERVATION, **changes}).spans
    return span.fields


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input": 12, "input_cached_tokens": 8, "output": 3, "output_reasoning_tokens": 2, "total": 25}, (20, 5, 8, None, 2)),
        ({"input": 20, "input_cached_tokens": 8, "output": 5, "total": 25}, (20, 5, 8, None, None)),
        ({"input": 5, "output": 2, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 3}, (18, 2, 10, 3, None)),
        ({"input": 20, "output": 5}, (20, 5, None, None, None)),
        ({}, (None,) * 5),
    ],
)
def test_tokens_are_counted_whole(usage: dict[str, int], expected: tuple[int | None, ...]) -> None:
    found = fields(usageDetails=usage)
    names = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
    assert tuple(found.get(name) for name in names) == expected


@pytest.mark.parametrize(
    ("environment", "exposure"),
    [("production", None), ("langfuse-llm-as-a-judge", "judge"), ("langfuse-prompt-experiment", "simulated")],
)
def test_langfuse_s_own_calls_are_no_users(environment: str, exposure: str | None) -> None:
    assert fields(environment=environment)["exposure"] == exposure


def test_a_score_of_a_trace_finds_its_only_generation_and_is_ambiguous_among_several() -> None:
    reader = load_reader("langfuse", Adjustments(), dict)
    calls = [reader.read(LogRow(1, row, None, 0.0), "") for row in (OBSERVATION, SCORE)]
    assert [len(found[3]) for found in targets(calls)] == [1]
    calls.append(reader.read(LogRow(2, {**OBSERVATION, "id": "o2"}, None, 0.0), ""))
    assert [len(found[3]) for found in targets(calls)] == [2]


def test_a_score_of_a_session_names_it() -> None:
    (report,) = translate({**SCORE, "traceId": None, "sessionId": "chat-7"}).reports
    assert (report.session, report.key) == ("chat-7", None)


def test_a_word_is_text_and_its_comment_is_not_lost() -> None:
    (report,) = translate({**SCORE, "value": 0, "stringValue": "rude", "dataType": "CATEGORICAL", "comment": "again"}).reports
    assert (report.value, report.text, report.metadata["comment"]) == (None, "rude", "again")
    (report,) = translate({**SCORE, "value": True, "dataType": "BOOLEAN"}).reports
    assert report.value == 1.0


def test_a_generation_without_its_trace_is_kept_and_a_trace_that_comes_later_says_whose_it_was() -> None:
    (alone,) = settle(read_calls("langfuse", "langfuse_observations.json"))
    assert (alone.session_id, alone.user_id) == (alone.trace_id, None)
    (later,) = settle(read_calls("langfuse", "langfuse_observations.json", "langfuse_blob_traces.jsonl"))
    assert (later.interaction_id, later.user_id) == (alone.interaction_id, "anna")


def test_a_generation_that_failed_says_so() -> None:
    (span,) = translate({**OBSERVATION, "level": "ERROR", "statusMessage": "timed out", "output": None}).spans
    assert (span.fields["error_type"], span.note) == ("error", "timed out")
