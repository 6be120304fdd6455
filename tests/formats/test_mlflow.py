"""MLflow's attributes as columns."""

import json
from typing import Any

from penstock.formats.genai import GenAiSpan
from penstock.records.span import SpanKind
from tests.formats.reading import read_span


def read(kind: str, name: str = "span", **attributes: Any) -> GenAiSpan:
    given = {key: value if isinstance(value, str) else json.dumps(value) for key, value in attributes.items()}
    return read_span({"mlflow.spanType": json.dumps(kind), **given}, name, 1)


def test_the_span_type_tells_the_kind() -> None:
    kinds = {
        "CHAT_MODEL": SpanKind.INFERENCE, "LLM": SpanKind.INFERENCE, "EMBEDDING": SpanKind.EMBEDDING, "TOOL": SpanKind.TOOL,
        "RETRIEVER": SpanKind.RETRIEVAL, "AGENT": SpanKind.AGENT, "CHAIN": SpanKind.OTHER, "UNKNOWN": SpanKind.OTHER,
    }  # fmt: skip
    assert {kind: read(kind).kind for kind in kinds} == kinds


def test_the_request_and_the_response_are_the_providers_own() -> None:
    request = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0.5, "user": "jane"}
    response = {
        "id": "r1", "model": "m-1", "system_fingerprint": "fp",
        "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "Yes"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 2}},
    }  # fmt: skip
    found = read(
        "CHAT_MODEL",
        **{
            "mlflow.spanInputs": request,
            "mlflow.spanOutputs": response,
            "model": '"m"',
            "mlflow.message.format": '"openai"',
            "mlflow.chat.tokenUsage": {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 1},
            "mlflow.trace.session": '"s1"',
            "mlflow.linkedPrompts": [{"name": "greeting", "version": "2"}],
            "mlflow.llm.cost": {"total_cost": 0.5},
            "metadata": {"segment": "pro"},
        },
    )
    columns = found.columns
    assert (columns["prompt_text"], columns["response_text"], columns["response_id"]) == ("Hi", "Yes", "r1")
    assert (columns["provider"], columns["request_model"], columns["response_model"]) == ("openai", "m", "m-1")
    assert (columns["session_id"], columns["user_id"], columns["segment"]) == ("s1", "jane", "pro")
    assert (columns["prompt_name"], columns["prompt_version"], columns["cost"]) == ("greeting", "2", 0.5)
    assert (columns["cached_tokens"], columns["reasoning_tokens"]) == (1, 2)
    assert json.loads(columns["parameters"]) == {"temperature": 0.5}
    assert "jane" not in str(found.rest)


def test_a_completion_is_no_chat_and_what_failed_was_only_asked_for() -> None:
    columns = read("LLM", **{"mlflow.spanInputs": {"model": "m", "prompt": "Hi"}, "mlflow.llm.model": '"m"'}).columns
    assert (columns["operation"], columns["request_model"], columns.get("response_model")) == ("text_completion", "m", None)


def test_tools_and_retrievers() -> None:
    tool = read("TOOL", "look", **{"mlflow.spanInputs": {"a": 1}, "mlflow.spanOutputs": {"ok": True}}).rest
    assert (tool["gen_ai.tool.name"], json.loads(tool["gen_ai.tool.call.result"])) == ("look", {"ok": True})
    documents = [{"page_content": "text", "metadata": {"doc_uri": "kb"}, "id": "d1"}]
    found = json.loads(read("RETRIEVER", **{"mlflow.spanOutputs": documents}).columns["retrieved_documents"])
    assert found == [{"id": "d1", "content": "text", "metadata": {"doc_uri": "kb"}}]


def test_bedrocks_converse_is_read_like_any_other() -> None:
    request = {
        "modelId": "anthropic.claude-3", "messages": [{"role": "user", "content": [{"text": "Weather?"}]}],
        "inferenceConfig": {"maxTokens": 100, "temperature": 0.5},
        "toolConfig": {"tools": [{"toolSpec": {"name": "w", "description": "d", "inputSchema": {"json": {"type": "object"}}}}]},
    }  # fmt: skip
    answer = {"role": "assistant", "content": [{"text": "Let me"}, {"toolUse": {"toolUseId": "t1", "name": "w", "input": {}}}]}
    usage = {"inputTokens": 10, "outputTokens": 3}
    response = {"output": {"message": answer}, "stopReason": "tool_use", "usage": usage}
    columns = read("CHAT_MODEL", **{"mlflow.spanInputs": request, "mlflow.spanOutputs": response}).columns
    assert (columns["prompt_text"], columns["response_text"]) == ("Weather?", "Let me")
    assert (columns["request_model"], columns["finish_reason"]) == ("anthropic.claude-3", "tool_call")
    assert (columns["input_tokens"], columns["output_tokens"]) == (10, 3)
    assert json.loads(columns["tool_calls"]) == [{"id": "t1", "name": "w", "arguments": {}}]
    parameters = json.loads(columns["parameters"])
    assert (parameters["max_tokens"], parameters["temperature"]) == (100, 0.5)
    assert parameters["tools"][0]["name"] == "w"


def test_tokens_that_anthropic_read_from_its_cache_are_part_of_the_input() -> None:
    usage = {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 0}
    response = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Yes"}], "usage": usage}
    told = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    columns = read("CHAT_MODEL", **{"mlflow.spanOutputs": response, "mlflow.chat.tokenUsage": told}).columns
    assert (columns["input_tokens"], columns["output_tokens"], columns["cached_tokens"]) == (103, 2, 100)


def test_a_parameter_that_is_a_number_is_one() -> None:
    columns = read("CHAT_MODEL", model='"openai/gpt-4o-mini"', temperature="0.0", max_tokens="7").columns
    assert json.loads(columns["parameters"]) == {"temperature": 0.0, "max_tokens": 7}
