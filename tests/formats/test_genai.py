"""What the attributes of a span say under the GenAI convention."""

import json
from typing import Any

import pytest

from penstock.formats.genai import read_genai
from penstock.records.span import SpanKind

ASKED = [
    {"role": "user", "parts": [{"type": "text", "content": "first"}]},
    {"role": "assistant", "parts": [{"type": "text", "content": "hm"}]},
    {"role": "user", "parts": [{"type": "text", "content": "se\ncond"}, {"type": "blob", "content": "AAAA"}]},
]
ANSWERED = [
    {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": "thinking"},
            {"type": "text", "content": "here"},
            {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": 1}},
        ],
        "finish_reason": "tool_calls",
    }
]


def test_no_attributes_are_no_genai_span() -> None:
    read = read_genai({})
    assert (read.kind, read.dialect, read.rest, read.problems) == (SpanKind.OTHER, "none", {}, [])
    assert read.columns == {"content_present": False}


@pytest.mark.parametrize(
    ("operation", "kind"),
    [("chat", "inference"), ("embeddings", "embedding"), ("execute_tool", "tool"), ("retrieval", "retrieval"), ("new", "other")],
)
def test_the_operation_tells_the_kind(operation: str, kind: str) -> None:
    assert read_genai({"gen_ai.operation.name": operation}).kind == kind


@pytest.mark.parametrize(
    ("raw", "operation", "kind"),
    [
        ("acompletion", "chat", "inference"),
        ("completion", "chat", "inference"),
        ("aresponses", "chat", "inference"),
        ("chat.completions", "chat", "inference"),
        ("chat.streaming_completions", "chat", "inference"),
        ("text.completions", "text_completion", "inference"),
        ("text.streaming_completions", "text_completion", "inference"),
        ("agenerate_content_stream", "generate_content", "inference"),
        ("aembedding", "embeddings", "embedding"),
    ],
)
def test_an_operation_under_another_name_is_the_same_and_the_producers_own_is_kept(raw: str, operation: str, kind: str) -> None:
    read = read_genai({"gen_ai.operation.name": raw})
    assert (read.columns["operation"], read.kind, read.rest) == (operation, kind, {"penstock.raw.operation": raw})


def test_a_finish_reason_that_python_printed_is_none_of_its_own() -> None:
    assert read_genai({"gen_ai.response.finish_reason": "FinishReason.TOOL_CALLS"}).columns["finish_reason"] == "tool_call"


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "parts": [{"type": "text", "text": "Hi"}]},
        {"role": "user", "parts": [{"type": "text", "text": "Hi"}, {"type": "blob", "content": "AAAA"}]},
        {"role": "assistant", "parts": [], "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": "{}"}}]},
        {"parts": [{"type": "text", "content": "7"}], "tool_call_id": "c1"},
    ],
)
def test_messages_that_only_look_like_the_newest_schema_are_written_anew(message: dict[str, Any]) -> None:
    (read,) = json.loads(read_genai({"gen_ai.input.messages": json.dumps([message])}).columns["input_messages"])
    assert "tool_calls" not in read
    assert "tool_call_id" not in read
    assert read["parts"]
    assert all("text" not in part for part in read["parts"])


def test_the_first_attribute_in_order_of_precedence_counts_wherever_it_stands() -> None:
    for attributes in (
        {"gen_ai.system": "old", "gen_ai.provider.name": "new"},
        {"gen_ai.provider.name": "new", "gen_ai.system": "old"},
    ):
        read = read_genai(attributes)
        assert (read.columns["provider"], read.dialect) == ("new", "genai")
    assert read_genai({"gen_ai.provider.name": "", "gen_ai.system": "old"}).columns["provider"] == "old"


def test_messages_in_the_newest_schema_stay_as_they_came() -> None:
    text = json.dumps(ASKED)
    columns = read_genai({"gen_ai.input.messages": text, "gen_ai.output.messages": json.dumps(ANSWERED)}).columns
    assert columns["input_messages"] == text
    assert columns["content_present"] is True


def test_structured_messages_are_read_like_those_in_a_string() -> None:
    columns = read_genai({"gen_ai.input.messages": ASKED, "gen_ai.output.messages": ANSWERED}).columns
    assert json.loads(columns["input_messages"]) == ASKED
    assert json.loads(columns["output_messages"])[0]["parts"] == ANSWERED[0]["parts"]


@pytest.mark.parametrize(
    "content", ["just words", '"quoted"', "[1, 2]", "[broken", "\\ud800", '{"role": "user", "parts": "no list"}']
)
def test_content_that_is_no_list_of_messages_is_kept_as_valid_json(content: str) -> None:
    columns = read_genai({"gen_ai.input.messages": content}).columns
    assert isinstance(json.loads(columns["input_messages"]), list)
    assert columns["content_present"] is True


@pytest.mark.parametrize("content", ["", [], None])
def test_empty_content_is_none(content: Any) -> None:
    columns = read_genai({"gen_ai.input.messages": content}).columns
    assert columns == {"content_present": False}


def test_request_parameters_keys_tags_and_all_the_rest_are_told_apart() -> None:
    read = read_genai(
        {
            "gen_ai.request.model": "m",
            "gen_ai.request.temperature": 0.5,
            "penstock.key.ticket_id": 17,
            "penstock.tag.team": "blue",
            "penstock.unknown": "kept",
            "server.port": 443,
        }
    )
    assert json.loads(read.columns["parameters"]) == {"temperature": 0.5}
    assert (read.columns["keys"], read.columns["tags"]) == ({"ticket_id": "17"}, {"team": "blue"})
    assert read.rest == {"penstock.unknown": "kept", "server.port": "443"}


def test_numbers_that_are_none_are_left_out() -> None:
    columns = read_genai(
        {
            "gen_ai.usage.input_tokens": "many",
            "gen_ai.usage.output_tokens": -1,
            "gen_ai.response.time_to_first_chunk": float("nan"),
        }
    ).columns
    assert columns == {"content_present": False}


def test_the_exposure_is_taken_and_an_unknown_word_is_not_counted_as_the_users() -> None:
    assert read_genai({"penstock.exposure": "shadow"}).columns["exposure"] == "shadow"
    read = read_genai({"penstock.exposure": "maybe"})
    assert read.columns["exposure"] == "simulated"
    assert "maybe" in read.problems[0]


def test_token_log_probabilities_must_be_numbers() -> None:
    assert read_genai({"penstock.token_logprobs": [-0.5, -1]}).columns["token_logprobs"] == [-0.5, -1.0]
    assert read_genai({"penstock.token_logprobs": [-0.5, "x"]}).problems == ["penstock.token_logprobs is no list of numbers"]


def test_the_servers_time_to_the_first_token_is_in_seconds_and_in_strands_milliseconds() -> None:
    name = "gen_ai.server.time_to_first_token"
    strands = {name: 250, "gen_ai.event.start_time": "2026-03-01T12:00:00+00:00"}
    for said in ({name: 0.25}, strands):
        read = read_genai(said)
        assert (read.columns["first_token_ms"], name in read.rest) == (250.0, False)
    both = read_genai({name: 0.25, "gen_ai.response.time_to_first_chunk": 0.5})
    assert (both.columns["first_token_ms"], both.rest[name]) == (500.0, "0.25")
    assert read_genai({name: "soon"}).rest[name] == "soon"


@pytest.mark.parametrize("write", [json.dumps, lambda messages: messages])
def test_pieces_of_a_stream_that_stand_as_messages_are_one_answer(write: Any) -> None:
    def piece(content: str, reason: str) -> dict[str, Any]:
        return {"role": "assistant", "parts": [{"type": "text", "content": content}], "finish_reason": reason}

    pieces = [piece("Hel", ""), piece("lo", ""), piece("!", "stop"), piece("Yo", "stop")]
    columns = read_genai({"gen_ai.output.messages": write(pieces)}).columns
    assert json.loads(columns["output_messages"]) == [piece("Hello!", "stop"), piece("Yo", "stop")]
    cut = read_genai({"gen_ai.output.messages": write(pieces[:2])}).columns
    assert json.loads(cut["output_messages"]) == [piece("Hello", "")]
    other = [{**piece("Hi", ""), "role": "user"}, piece("Yo", "stop")]
    assert json.loads(read_genai({"gen_ai.output.messages": write(other)}).columns["output_messages"]) == other
