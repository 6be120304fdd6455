"""What the events of a span add to it."""

import json
from typing import Any

import pytest

from penstock.formats.genai import GenAiSpan, read_genai
from penstock.formats.message_readings import read_prompt, read_response
from penstock.formats.span_events import read_events
from penstock.records.span import SpanKind

START = 1_700_000_000_000_000_000


def read(*events: tuple[str, dict[str, Any], int], **attributes: Any) -> GenAiSpan:
    found = read_genai(attributes)
    read_events(events, START, found)
    return found


def test_an_exception_names_the_error_and_is_kept() -> None:
    found = read(("exception", {"exception.type": "Timeout", "exception.message": "late"}, START))
    assert found.columns["error_type"] == "Timeout"
    assert found.rest["event.exception.exception.message"] == "late"


def test_the_first_piece_of_an_answer_tells_the_time_to_it_and_the_others_are_only_counted() -> None:
    pieces = [("llm.content.completion.chunk", {"x": "y"}, START + number * 5_000_000) for number in range(1, 4)]
    found = read(*pieces)
    assert found.columns["first_token_ms"] == 5.0
    assert found.rest == {"event.llm.content.completion.chunk.count": "3"}
    assert read(("First Token Stream Event", {}, START + 2_000_000)).columns["first_token_ms"] == 2.0
    assert "first_token_ms" not in read(("new_token", {}, START - 1)).columns


def test_messages_in_events_are_the_spans_content_where_it_has_none() -> None:
    asked = ("gen_ai.user.message", {"content": "Hi"}, START)
    answered = ("gen_ai.choice", {"message": '{"content": "Yes"}', "finish_reason": "stop", "index": 0}, START)
    columns = read(asked, answered).columns
    assert (read_prompt(columns["input_messages"]), read_response(columns["output_messages"])[0]) == ("Hi", "Yes")
    assert columns["finish_reason"] == "stop"
    assert columns["content_present"] is True
    own = read(asked, **{"gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"own"}]}]'}).columns
    assert read_prompt(own["input_messages"]) == "own"


@pytest.mark.parametrize(("raw", "usual"), [("end_turn", "stop"), ("tool_use", "tool_call")])
def test_a_finish_reason_in_an_event_has_the_usual_spelling_and_the_producers_own_is_kept(raw: str, usual: str) -> None:
    found = read(("gen_ai.choice", {"finish_reason": raw, "message": "Yo"}, START))
    assert (found.columns["finish_reason"], found.rest["penstock.raw.finish_reason"]) == (usual, raw)
    own = read(("gen_ai.choice", {"finish_reason": raw, "message": "Yo"}, START), **{"gen_ai.response.finish_reasons": ["eos"]})
    assert (own.columns["finish_reason"], own.rest["penstock.raw.finish_reason"]) == ("stop", "eos")


def test_blocks_that_an_attribute_holds_as_json_are_the_parts_of_a_message() -> None:
    instructions = ("gen_ai.system.message", {"content": '[{"text": "Be brief."}]'}, START)
    asked = ("gen_ai.user.message", {"content": '[{"text": "Hi"}, {"type": "text", "text": "there"}]'}, START)
    answered = ("gen_ai.choice", {"message": '[{"text": "Yes"}]', "finish_reason": "end_turn"}, START)
    columns = read(instructions, asked, answered).columns
    assert json.loads(columns["system_instructions"]) == [{"type": "text", "content": "Be brief."}]
    assert (read_prompt(columns["input_messages"]), read_response(columns["output_messages"])[0]) == ("Hi\nthere", "Yes")


@pytest.mark.parametrize("said", ['[{"label": "spam"}]', '[{"type": "row"}]', '{"label": "spam"}', "[1, 2]", '["a"]', "[]"])
def test_json_that_is_no_message_is_what_somebody_said(said: str) -> None:
    columns = read(("gen_ai.user.message", {"content": said}, START), ("gen_ai.choice", {"message": said}, START)).columns
    assert (read_prompt(columns["input_messages"]), read_response(columns["output_messages"])[0]) == (said, said)


def test_details_in_events_are_what_the_span_leaves_unsaid() -> None:
    name = "gen_ai.client.inference.operation.details"
    asked = '[{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]'
    answered = '[{"role": "assistant", "parts": [{"type": "text", "content": "Yes"}], "finish_reason": "end_turn"}]'
    instructions = '[{"type":"text","content":"Be brief."}]'
    given = (name, {"gen_ai.input.messages": asked, "gen_ai.system_instructions": instructions}, START)
    found = read(given, (name, {"gen_ai.output.messages": answered, "gen_ai.request.model": "m"}, START))
    columns = found.columns
    assert (columns["input_messages"], columns["output_messages"], columns["system_instructions"]) == (
        asked,
        answered,
        instructions,
    )
    assert (columns["finish_reason"], found.rest["penstock.raw.finish_reason"]) == ("stop", "end_turn")
    assert (columns["request_model"], columns["content_present"]) == ("m", True)
    own = read(given, **{"gen_ai.input.messages": "[]", "gen_ai.request.model": "own"}).columns
    assert (own["request_model"], own["input_messages"]) == ("own", asked)


def test_tools_on_offer_that_an_event_alone_names_join_the_parameters_of_the_span() -> None:
    details = {"gen_ai.tool.definitions": '[{"type": "function", "name": "look"}]', "gen_ai.request.temperature": 1.0}
    found = read(("gen_ai.client.inference.operation.details", details, START), **{"gen_ai.request.temperature": 0.5})
    tools = {"tools": [{"type": "function", "name": "look"}]}
    assert json.loads(found.columns["parameters"]) == {"temperature": 0.5, **tools}
    alone = read(("gen_ai.client.inference.operation.details", details, START))
    assert json.loads(alone.columns["parameters"]) == {"temperature": 1.0, **tools}


def test_rows_of_a_vector_database_are_documents() -> None:
    row = {"db.query.result.id": "d1", "db.query.result.score": 0.5, "db.query.result.document": "text"}
    found = read(("db.query.result", row, START), ("db.query.result", {"db.query.result.id": "d2"}, START))
    assert found.kind == SpanKind.RETRIEVAL
    documents = json.loads(found.columns["retrieved_documents"])
    assert documents == [{"id": "d1", "content": "text", "score": 0.5}, {"id": "d2"}]


def test_events_without_end_are_counted_and_not_kept() -> None:
    found = read(*[("tick", {"n": number}, START) for number in range(500)])
    assert found.rest["event.tick.count"] == "500"
    assert len(found.rest) < 200


def test_a_message_event_without_content_is_kept_as_it_came() -> None:
    found = read(("gen_ai.choice", {"index": 0, "finish_reason": "stop"}, START))
    assert found.rest["event.gen_ai.choice.finish_reason"] == "stop"
    assert found.columns["content_present"] is False
