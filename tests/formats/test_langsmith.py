"""LangSmith's attributes as columns."""

import json
from typing import Any

from penstock.formats.genai import GenAiSpan
from penstock.records.span import SpanKind
from tests.formats.reading import read_span


def read(kind: str, name: str = "span", **attributes: Any) -> GenAiSpan:
    return read_span({"langsmith.span.kind": kind, "gen_ai.system": "langchain", **attributes}, name, 1)


def test_the_span_kind_counts_and_not_the_operation() -> None:
    kinds = {
        "llm": SpanKind.INFERENCE, "prompt": SpanKind.OTHER, "chain": SpanKind.OTHER, "retriever": SpanKind.RETRIEVAL,
        "tool": SpanKind.TOOL, "parser": SpanKind.OTHER,
    }  # fmt: skip
    assert {kind: read(kind, **{"gen_ai.operation.name": "chat"}).kind for kind in kinds} == kinds
    assert read("prompt", **{"gen_ai.operation.name": "chat"}).rest["penstock.raw.operation"] == "chat"


def test_a_call_is_read_out_of_langchains_objects_and_its_metadata() -> None:
    message = {"lc": 1, "id": ["HumanMessage"], "kwargs": {"content": "Hi", "type": "human"}}
    answer = {"lc": 1, "id": ["AIMessage"], "kwargs": {"content": "Yes", "response_metadata": {"id": "r1", "model_name": "m-1"}}}
    found = read(
        "llm",
        **{
            "gen_ai.prompt": json.dumps({"messages": [[message]]}),
            "gen_ai.completion": json.dumps({"generations": [[{"text": "Yes", "message": answer}]]}),
            "langsmith.metadata.ls_provider": "openai",
            "langsmith.metadata.ls_model_name": "m",
            "langsmith.metadata.temperature": 0.5,
            "langsmith.metadata.stream": True,
            "langsmith.metadata.thread_id": "t1",
            "langsmith.metadata.user_id": "jane",
            "langsmith.metadata.revision_id": "abc",
            "langsmith.metadata.ls_invocation_params": '{"user": "jane"}',
            "langsmith.metadata.usage_metadata": '{"input_tokens": 3, "input_token_details": {"cache_read": 1}}',
            "langsmith.trace.session_id": "a project",
            "langsmith.span.tags": "prod, seq:step:1",
        },
    )
    columns = found.columns
    assert (columns["prompt_text"], columns["response_text"], columns["response_id"]) == ("Hi", "Yes", "r1")
    assert (columns["provider"], columns["request_model"], columns["response_model"]) == ("openai", "m", "m-1")
    assert (columns["session_id"], columns["user_id"], columns["tags"]) == ("t1", "jane", {"prod": "true"})
    assert (columns["input_tokens"], columns["cached_tokens"], columns.get("keys")) == (3, 1, None)
    assert json.loads(columns["parameters"]) == {"temperature": 0.5, "stream": True}
    assert "jane" not in str(found.rest)


def test_a_call_that_failed_has_no_answer() -> None:
    columns = read(
        "llm", **{"gen_ai.prompt": '{"messages": [{"role": "user", "content": "Hi"}]}', "gen_ai.completion": '{"output": null}'}
    ).columns
    assert (columns["prompt_text"], columns.get("output_messages")) == ("Hi", None)


def test_tools_and_retrievers() -> None:
    tool = read("tool", "look", **{"gen_ai.prompt": '{"a": 1}', "gen_ai.completion": '{"output": "7"}'}).rest
    assert (tool["gen_ai.tool.name"], tool["gen_ai.tool.call.arguments"], tool["gen_ai.tool.call.result"]) == (
        "look",
        '{"a": 1}',
        "7",
    )
    documents = '{"documents": [{"page_content": "text", "metadata": {"source": "kb"}}]}'
    found = json.loads(read("retriever", **{"gen_ai.completion": documents}).columns["retrieved_documents"])
    assert found == [{"content": "text", "metadata": {"source": "kb"}}]
