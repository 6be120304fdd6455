"""OpenInference's attributes as columns."""

import json
from typing import Any

import pytest

from penstock.formats.genai import GenAiSpan
from penstock.records.span import SpanKind
from tests.formats.reading import read_span


def read(kind: str, attributes: dict[str, Any], name: str = "span") -> GenAiSpan:
    return read_span({"openinference.span.kind": kind, **attributes}, name, 1)


def test_kinds_are_told_by_the_span_kind_alone() -> None:
    kinds = {
        "LLM": SpanKind.INFERENCE, "EMBEDDING": SpanKind.EMBEDDING, "RETRIEVER": SpanKind.RETRIEVAL,
        "RERANKER": SpanKind.RETRIEVAL, "TOOL": SpanKind.TOOL, "AGENT": SpanKind.AGENT, "CHAIN": SpanKind.OTHER,
        "PROMPT": SpanKind.OTHER, "GUARDRAIL": SpanKind.OTHER,
    }  # fmt: skip
    assert {kind: read(kind, {"gen_ai.operation.name": "chat"}).kind for kind in kinds} == kinds


def test_messages_with_pictures_and_calls_are_put_together() -> None:
    message = "llm.input_messages.0.message"
    columns = read(
        "LLM",
        {
            f"{message}.role": "user",
            f"{message}.contents.0.message_content.type": "text",
            f"{message}.contents.0.message_content.text": "What is this?",
            f"{message}.contents.1.message_content.type": "image",
            f"{message}.contents.1.message_content.image.image.url": "https://e.com/a.png",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.function_call_name": "look",
            "llm.output_messages.0.message.function_call_arguments_json": '{"at": 1}',
        },
    ).columns
    (asked,) = json.loads(columns["input_messages"])
    assert [part["type"] for part in asked["parts"]] == ["text", "uri"]
    assert columns["prompt_text"] == "What is this?"
    assert json.loads(columns["tool_calls"])[0]["arguments"] == {"at": 1}


def test_what_messages_lack_is_read_out_of_the_whole_request_and_response() -> None:
    request = {"model": "m", "instructions": "Be brief.", "input": "Hi"}
    response = {
        "id": "resp_1", "object": "response", "model": "m-1", "usage": {"input_tokens": 3, "output_tokens": 4},
        "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes"}]}],
    }  # fmt: skip
    read_back = read("LLM", {"input.value": json.dumps(request), "output.value": json.dumps(response), "llm.model_name": "m"})
    columns = read_back.columns
    assert (columns["prompt_text"], columns["response_text"], columns["response_id"]) == ("Hi", "Yes", "resp_1")
    assert (columns["request_model"], columns["response_model"], columns["input_tokens"]) == ("m", "m-1", 3)
    assert "input.value" not in read_back.rest


def test_hidden_content_is_none() -> None:
    attributes = {"input.value": "__REDACTED__", "output.value": "__REDACTED__", "llm.model_name": "m"}
    assert read("LLM", attributes).columns["content_present"] is False


def test_identity_metadata_and_tags_go_where_they_belong_and_no_user_stays_in_the_clear() -> None:
    metadata = {
        "segment": "pro",
        "user_id": "jane",
        "ticket_id": "T-1",
        "plan": "gold",
        "ls_provider": "openai",
        "deep": {"a": 1},
    }
    found = read(
        "LLM",
        {
            "metadata": json.dumps(metadata),
            "tag.tags": ["prod"],
            "session.id": "s1",
            "llm.invocation_parameters": '{"model": "m", "user": "jane", "n": 2, "stream": false}',
            "llm.prompt_template.version": "v3",
        },
    )
    columns = found.columns
    assert (columns["session_id"], columns["user_id"], columns["segment"]) == ("s1", "jane", "pro")
    assert (columns["keys"], columns["tags"]) == ({"ticket_id": "T-1"}, {"prod": "true", "plan": "gold"})
    assert columns["prompt_version"] == "v3"
    assert json.loads(columns["parameters"]) == {"choice.count": 2}
    assert "jane" not in str(found.rest)


def test_documents_of_a_retriever_and_of_a_reranker() -> None:
    document = "documents.0.document"
    for kind, prefix in (("RETRIEVER", "retrieval."), ("RERANKER", "reranker.output_")):
        attributes = {
            f"{prefix}{document}.id": "d1",
            f"{prefix}{document}.content": "text",
            f"{prefix}{document}.score": 0.5,
            f"{prefix}{document}.metadata": '{"source": "kb"}',
        }
        (found,) = json.loads(read(kind, attributes).columns["retrieved_documents"])
        assert found == {"id": "d1", "content": "text", "score": 0.5, "metadata": {"source": "kb"}}


def test_a_tool_says_what_it_was_asked_and_what_it_gave_back() -> None:
    found = read("TOOL", {"tool.name": "look", "tool.id": "c1", "input.value": '{"at": 1}', "output.value": "7"})
    assert {name: value for name, value in found.rest.items() if name.startswith("gen_ai.tool")} == {
        "gen_ai.tool.name": "look",
        "gen_ai.tool.call.id": "c1",
        "gen_ai.tool.call.arguments": '{"at": 1}',
        "gen_ai.tool.call.result": "7",
    }


def test_vectors_are_not_kept() -> None:
    vector = [0.123456] * 1536
    attributes = {
        "embedding.embeddings.0.embedding.vector": vector,
        "embedding.embeddings.0.embedding.text": "refund policy",
        "embedding.model_name": "e",
        "output.value": json.dumps({"data": [{"embedding": vector}], "usage": {"prompt_tokens": 3}}),
        "some.vector": vector,
    }
    found = read("EMBEDDING", attributes)
    assert found.rest["embedding.embeddings.0.embedding.text"] == "refund policy"
    assert found.rest["gen_ai.embeddings.dimension.count"] == "1536"
    assert found.rest["some.vector"] == "[VECTOR 1536]"
    assert "0.123456" not in str(found.rest)
    assert (found.columns["request_model"], found.columns["input_tokens"]) == ("e", 3)


def test_what_an_evaluator_asks_is_no_traffic_of_the_users() -> None:
    assert read("EVALUATOR", {}).columns["exposure"] == "judge"


ITEMS = {
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.contents.0.message_content.type": "reasoning",
    "llm.output_messages.0.message.contents.0.message_content.text": "Hm.",
    "llm.output_messages.1.message.role": "assistant",
    "llm.output_messages.1.message.content": "Let me check.",
    "llm.output_messages.2.message.role": "assistant",
    "llm.output_messages.2.message.tool_calls.0.tool_call.id": "call_1",
    "llm.output_messages.2.message.tool_calls.0.tool_call.function.name": "lookup",
    "llm.output_messages.3.message.role": "assistant",
    "llm.output_messages.3.message.tool_calls.0.tool_call.id": "call_2",
    "llm.output_messages.3.message.tool_calls.0.tool_call.function.name": "lookup",
}


@pytest.mark.parametrize("whole", [{}, {"output.value": '{"object": "response", "id": "resp_1"}'}])
def test_the_items_of_a_response_are_one_answer(whole: dict[str, Any]) -> None:
    columns = read("LLM", {**ITEMS, **whole}).columns
    (answer,) = json.loads(columns["output_messages"])
    assert [part["type"] for part in answer["parts"]] == ["reasoning", "text", "tool_call", "tool_call"]
    assert columns["response_text"] == "Let me check."
    assert [call["id"] for call in json.loads(columns["tool_calls"])] == ["call_1", "call_2"]


def test_choices_stay_apart() -> None:
    call = "message.tool_calls.0.tool_call"
    two_calls = {
        f"llm.output_messages.{number}.{name}": value
        for number in range(2)
        for name, value in (("message.role", "assistant"), (f"{call}.id", f"c{number}"), (f"{call}.function.name", "f"))
    }
    two_texts = {
        f"llm.output_messages.{number}.message.{name}": value
        for number in range(2)
        for name, value in (("role", "assistant"), ("content", f"Answer {number}"))
    }
    for choices in ({**two_calls, "output.value": '{"choices": [{}, {}]}'}, two_texts):
        assert len(json.loads(read("LLM", choices).columns["output_messages"])) == 2


def test_a_refusal_keeps_its_words() -> None:
    message = "llm.output_messages.0.message"
    said = {f"{message}.contents.0.message_content.type": "refusal", f"{message}.contents.0.message_content.text": "I cannot."}
    assert read("LLM", {f"{message}.role": "assistant", **said}).columns["response_text"] == "I cannot."
