"""OpenAI-style logs and batch files."""

import json
from typing import Any

import pytest

from penstock.replay.binding import PassedOverError, RowError
from penstock.replay.call import Call
from penstock.replay.export_calls import Adjustments
from penstock.replay.exported import Exported
from penstock.replay.log_rows import LogRow
from penstock.replay.openai_log import QUESTIONS, read_questions, translator
from penstock.replay.ready import load_reader
from tests.replay.exported_rows import EXPORTS, read_calls, settle

REQUEST = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
RESPONSE = {
    "id": "c1",
    "created": 1_772_000_000,
    "model": "gpt-4o",
    "choices": [{"message": {"role": "assistant", "content": "Ho"}}],
}


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EXPORTS / name).read_text().splitlines()]


def read(row: dict[str, Any]) -> Exported:
    return translator({})(row)


def test_the_files_of_a_batch_are_put_together() -> None:
    translate = translator(read_questions(lines("openai_batch_input.jsonl")))
    (span,) = translate(lines("openai_batch_output.jsonl")[0]).spans
    assert span.fields["input_messages"][-1]["parts"][0]["content"] == "How do I reset it?"
    assert span.fields["output"][0]["parts"][0]["content"] == "Hold the button."
    assert (span.fields["input_tokens"], span.fields["id"]) == (20, "batch_req_1")
    assert translate(lines("openai_batch_input.jsonl")[0]).passed_over == QUESTIONS


def test_an_answer_whose_question_is_missing_or_ambiguous_is_told() -> None:
    answer = lines("openai_batch_output.jsonl")[0]
    with pytest.raises(RowError, match="input file"):
        translator({})(answer)
    twice = read_questions(lines("openai_batch_input.jsonl") * 2)
    with pytest.raises(RowError, match="one batch at a time"):
        translator(twice)(answer)


def test_an_answer_is_an_interaction_and_a_question_alone_is_passed_over() -> None:
    with pytest.raises(PassedOverError):
        read_calls("openai", "openai_batch_input.jsonl")
    (call,) = read_calls_of_answers()
    (interaction,) = settle([call])
    assert interaction.prompt_text == "How do I reset it?"
    assert interaction.tags == {"batch": "true"}


def read_calls_of_answers() -> list[Call]:
    reader = load_reader("openai", Adjustments(), lambda: read_questions(lines("openai_batch_input.jsonl")))
    return [reader.read(LogRow(1, row, None, 1.0), "out.jsonl") for row in lines("openai_batch_output.jsonl")]


def test_a_request_that_failed_is_kept_with_its_error() -> None:
    row = {
        "timestamp": 1_772_000_000,
        "request": REQUEST,
        "response": {"error": {"code": "rate_limit_exceeded"}},
        "status_code": 429,
    }
    (span,) = read(row).spans
    assert span.fields["error_type"] == "rate_limit_exceeded"
    assert span.fields["output"] is None
    (span,) = read({"timestamp": 1_772_000_000, "request": REQUEST, "status_code": 500}).spans
    assert span.fields["error_type"] == "500"


def test_requests_within_text_or_an_http_message_are_found() -> None:
    plain = read({"request": REQUEST, "response": RESPONSE}).spans[0]
    as_text = read({"request": json.dumps(REQUEST), "response": json.dumps(RESPONSE)}).spans[0]
    as_http = read({"request": {"method": "POST", "body": REQUEST}, "response": {"status": 200, "body": RESPONSE}}).spans[0]
    assert plain == as_text == as_http
    assert plain.started_at.timestamp() == 1_772_000_000


def test_the_responses_and_completions_apis_are_read_alike() -> None:
    responses = {
        "request": {"model": "gpt-4o", "instructions": "Be brief.", "input": "Hi"},
        "response": {
            "id": "resp_1",
            "object": "response",
            "created_at": 1_772_000_000,
            "model": "gpt-4o",
            "output": [
                {"type": "reasoning", "summary": []},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Ho"}]},
            ],
            "usage": {"input_tokens": 3, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 1}},
        },
    }
    (span,) = read(responses).spans
    assert [message["role"] for message in span.fields["input_messages"]] == ["system", "user"]
    assert span.fields["output"] == [{"role": "assistant", "parts": [{"type": "text", "content": "Ho"}]}]
    assert (span.fields["input_tokens"], span.fields["cached_tokens"]) == (3, 1)
    completion = {
        "request": {"model": "m", "prompt": "Once"},
        "response": {"id": "cmpl-1", "created": 1_772_000_000, "choices": [{"text": " upon", "finish_reason": "stop"}]},
    }
    (span,) = read(completion).spans
    assert (span.fields["operation"], span.fields["finish_reason"]) == ("text_completion", "stop")
    assert span.fields["output"][0]["parts"][0]["content"] == " upon"


def test_an_embedding_is_no_interaction() -> None:
    row = {"timestamp": 1_772_000_000, "request": {"model": "text-embedding-3-small", "input": "a"}, "response": {"id": "e"}}
    assert [span.kind for span in read(row).spans] == ["embedding"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"timestamp": 1_772_000_000, "request": "no JSON", "response": RESPONSE}, "request: it is no JSON object"),
        ({"request": REQUEST, "response": {}}, "timestamp: it is empty"),
        ({"timestamp": "yesterday", "request": REQUEST}, "no ISO 8601 time"),
        ({}, "request: it is no JSON object"),
    ],
)
def test_a_row_that_is_no_request_is_a_reason(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        read(row)
