"""Tools that ran and documents that were found join the call that they belong to."""

import json
from typing import Any

from penstock.ingest.interactions import build_interactions
from penstock.records.interaction import Interaction
from penstock.records.span import Span
from tests.rows import LATER, make_span, trace

TRACE = trace(0)


def span(name: str, parent: str | None, start: float, kind: str = "inference", **fields: Any) -> Span:
    return make_span(TRACE, name, parent, kind=kind, start=start, **fields)


def tool(span_id: str, parent: str | None, start: float, **said: str) -> Span:
    attributes = {f"gen_ai.tool.{'name' if key == 'name' else 'call.' + key}": value for key, value in said.items()}
    return span(span_id, parent, start, "tool", attributes=attributes)


def build(*spans: Span) -> list[Interaction]:
    return build_interactions(spans, LATER)


def calls(interaction: Interaction) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(interaction.tool_calls or "[]")
    return found


ASKED = '[{"id": "c1", "name": "look", "arguments": {"at": 1}}, {"id": "c2", "name": "look", "arguments": {"at": 2}}]'


def test_a_result_joins_the_call_with_its_id_wherever_the_tool_ran() -> None:
    first, second = build(
        span("first", "agent", 0, tool_calls=ASKED),
        span("second", "agent", 2),
        tool("ran", "elsewhere", 9, id="c2", name="look", arguments='{"at": 2}', result='{"ok": true}'),
    )
    assert [call.get("result") for call in calls(first)] == [None, {"ok": True}]
    assert second.tool_calls is None


def test_without_an_id_results_join_by_name_in_order_and_what_nobody_asked_for_stands_by_itself() -> None:
    (first,) = build(
        span("first", "agent", 0, tool_calls=ASKED),
        tool("one", "agent", 1, name="look", result="a"),
        tool("two", "agent", 2, name="look", result="b"),
        tool("three", "agent", 3, name="other", result="c"),
    )
    assert [(call["name"], call["result"]) for call in calls(first)] == [("look", "a"), ("look", "b"), ("other", "c")]


def test_langchains_tool_message_is_its_content_and_its_id() -> None:
    wrapped = '{"type": "tool", "data": {"content": "{\\"ok\\": 1}", "tool_call_id": "c2"}}'
    (first,) = build(span("first", "a", 0, tool_calls=ASKED), tool("ran", "b", 1, name="look", result=wrapped))
    assert calls(first)[1]["result"] == {"ok": 1}


def test_retrieval_deep_in_a_chain_feeds_the_next_call_under_the_nearest_ancestor_that_has_one() -> None:
    documents = '[{"content": "a"}, {"content": "a"}, {"content": "b"}]'
    unrelated, fed = build(
        span("root", None, 0, "other"),
        span("parallel", "root", 1, "other"),
        span("retriever", "parallel", 1.1, "retrieval", retrieved_documents=documents),
        span("early", "root", 0.5),
        span("late", "root", 3),
    )
    assert json.loads(fed.retrieved_documents or "") == [{"content": "a"}, {"content": "b"}]
    assert unrelated.retrieved_documents is None


def test_parents_that_never_came_still_group() -> None:
    (found,) = build(
        span("retriever", "never-came", 0, "retrieval", retrieved_documents='[{"id": "d1"}]'), span("call", "never-came", 1)
    )
    assert found.retrieved_documents


def test_what_a_call_says_of_its_documents_itself_stands() -> None:
    (found,) = build(
        span("r", "root", 0, "retrieval", retrieved_documents='[{"id": "d1"}]'),
        span("call", "root", 1, retrieved_documents='[{"id": "own"}]'),
    )
    assert found.retrieved_documents == '[{"id": "own"}]'


def test_what_tools_did_for_a_call_that_two_saw_joins_the_one_that_counts() -> None:
    outer, inner = build(
        span("outer", "agent", 0, response_id="r1", tool_calls=ASKED),
        span("inner", "outer", 0.1, response_id="r1", tool_calls=ASKED),
        tool("ran", "agent", 2, id="c1", name="look", result="7"),
    )
    assert outer.merged_into == inner.interaction_id
    assert calls(inner)[0]["result"] == "7"


def test_a_tool_that_failed_says_so() -> None:
    attributes = {"gen_ai.tool.name": "look", "gen_ai.tool.call.id": "c1"}
    (found,) = build(
        span("call", None, 0, tool_calls=ASKED), span("ran", "call", 1, "tool", attributes=attributes, error_type="Timeout")
    )
    assert calls(found)[0]["error"] == "Timeout"
