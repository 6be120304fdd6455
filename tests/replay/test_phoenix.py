"""What is Phoenix's own: OpenInference's attributes with tools, images and cost, and annotations in both forms."""

from typing import Any

from penstock.replay.phoenix import translate

SPAN: dict[str, Any] = {
    "name": "call",
    "context.trace_id": "0af7651916cd43dd8448eb211c80319c",
    "context.span_id": "00f067aa0ba902b9",
    "span_kind": "LLM",
    "start_time": "2026-03-01T10:00:00Z",
    "status_code": "OK",
}


def fields(**attributes: Any) -> dict[str, Any]:
    (span,) = translate({**SPAN, "attributes": {name.replace("__", "."): value for name, value in attributes.items()}}).spans
    return span.fields


def test_tool_calls_and_images_of_a_message_are_read() -> None:
    found = fields(
        **{
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"a": 1}',
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "What is it?",
            "llm.input_messages.0.message.contents.1.message_content.type": "image",
            "llm.input_messages.0.message.contents.1.message_content.image.image.url": "https://example.com/a.png",
        }
    )
    assert found["output"][0]["parts"] == [{"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}]
    assert [part["type"] for part in found["input_messages"][0]["parts"]] == ["text", "uri"]


def test_without_messages_the_values_are_the_content() -> None:
    found = fields(**{"input.value": "Hi", "output.value": "Ho", "llm.model_name": "m"})
    assert found["input_messages"][0]["parts"][0]["content"] == "Hi"
    assert (found["output"][0]["parts"][0]["content"], found["model"]) == ("Ho", "m")


def test_the_cost_and_the_prompt_are_kept() -> None:
    found = fields(**{"llm.cost.total": 0.5, "llm.prompt_template.version": "7", "prompt.id": "answer"})
    assert (found["cost"], found["prompt_version"], found["prompt_name"]) == (0.5, "7", "answer")


def test_a_failed_span_names_its_exception() -> None:
    event = {"name": "exception", "attributes": {"exception.type": "RateLimitError"}}
    (span,) = translate({**SPAN, "status_code": "ERROR", "status_message": "429", "events": [event]}).spans
    assert (span.fields["error_type"], span.note) == ("RateLimitError", "429")


def test_a_label_is_text_and_its_explanation_is_not_lost() -> None:
    row = {"span_id": "00f067aa0ba902b9", "annotation_name": "tone", "annotator_kind": "LLM", "result.label": "rude"}
    (report,) = translate({**row, "result.explanation": "it shouts", "result.score": 0.0}).reports
    assert (report.value, report.text, report.metadata["explanation"]) == (0.0, "rude", "it shouts")
    assert report.request == "00f067aa0ba902b9"
