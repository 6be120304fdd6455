"""Rebuilding interactions from the spans of a trace."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from penstock.formats.message_events import CONTENT_EVENT
from penstock.ingest.interactions import build_interactions
from penstock.records.ids import digest, interaction_id
from penstock.records.interaction import Interaction
from penstock.records.span import Span

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = T0 + timedelta(hours=1)
TRACE = "a" * 32


def make_span(span_id: str, parent: str | None = None, kind: str = "inference", at: float = 0, **fields: Any) -> Span:
    trace_id = fields.pop("trace_id", TRACE)
    started_at = T0 + timedelta(seconds=at)
    key = interaction_id(trace_id, span_id) if kind != "event" else "e_" + digest(trace_id, span_id, repr(sorted(fields)))
    given: dict[str, Any] = {
        "span_key": key, "trace_id": trace_id, "span_id": span_id, "parent_span_id": parent, "kind": kind, "name": kind,
        "started_at": started_at, "ended_at": started_at + timedelta(seconds=1), "known_at": LATER, "dialect": "genai",
    }  # fmt: skip
    return Span(**{**given, **fields})


def build(*spans: Span) -> list[Interaction]:
    return build_interactions(spans, LATER)


def test_an_inference_span_is_one_interaction_with_its_own_columns() -> None:
    (interaction,) = build(make_span("s1", request_model="m", response_id="r1", input_tokens=3, application="shop"))
    assert interaction.interaction_id == interaction_id(TRACE, "s1")
    assert (interaction.request_model, interaction.response_id, interaction.input_tokens) == ("m", "r1", 3)
    assert interaction.application == "shop"
    assert interaction.known_at == LATER


def test_wrapper_and_helper_spans_never_count() -> None:
    kinds = ("agent", "tool", "retrieval", "embedding", "other")
    assert build(*[make_span(f"s{number}", kind=kind, session_id="x") for number, kind in enumerate(kinds)]) == []


def test_session_user_segment_tenant_and_application_come_from_the_nearest_ancestor_that_has_them() -> None:
    (interaction,) = build(
        make_span(
            "root", kind="other", session_id="far", user_id="u_1", tenant="t", application="web", keys={"ticket": "7", "a": "far"}
        ),
        make_span("agent", "root", kind="agent", session_id="near", segment="pro", keys={"a": "near"}, tags={"x": "1"}),
        make_span("call", "agent", keys={"own": "1"}),
    )
    assert interaction.session_id == "near"
    assert (interaction.user_id, interaction.segment, interaction.tenant, interaction.application) == ("u_1", "pro", "t", "web")
    assert interaction.keys == {"ticket": "7", "a": "near", "own": "1"}
    assert interaction.tags == {"x": "1"}


def test_exposure_is_inherited_so_that_our_own_traffic_stays_ours() -> None:
    (interaction,) = build(make_span("root", kind="agent", exposure="simulated"), make_span("call", "root"))
    assert interaction.exposure == "simulated"


def test_an_interaction_without_a_session_belongs_to_its_trace() -> None:
    (interaction,) = build(make_span("call", "never-arrived"))
    assert interaction.session_id == TRACE


def test_parents_in_a_circle_are_followed_once() -> None:
    (interaction,) = build(
        make_span("call", "a"), make_span("a", "b", kind="agent"), make_span("b", "call", kind="agent", user_id="u_2")
    )
    assert interaction.user_id == "u_2"


def test_content_comes_from_the_log_event_where_the_span_has_none() -> None:
    event = make_span(
        "call", kind="event", name=CONTENT_EVENT, input_messages="[in]", output_messages="[out]", response_text="hi",
        request_model="other", content_present=True, redactions={"email": 1},
    )  # fmt: skip
    (interaction,) = build(make_span("call", request_model="own", redactions={"email": 1, "ip": 1}), event)
    assert (interaction.input_messages, interaction.output_messages, interaction.response_text) == ("[in]", "[out]", "hi")
    assert interaction.request_model == "own"
    assert interaction.content_present
    assert interaction.redactions == {"email": 2, "ip": 1}


def test_an_event_of_another_name_or_another_span_adds_nothing() -> None:
    other_name = make_span("call", kind="event", name="gen_ai.choice", response_text="no")
    other_span = make_span("elsewhere", kind="event", name=CONTENT_EVENT, response_text="no")
    (interaction,) = build(make_span("call"), other_name, other_span)
    assert interaction.response_text is None


def test_the_same_spans_in_any_order_and_any_number_give_the_same_rows() -> None:
    spans = [
        make_span("root", kind="agent", session_id="s", user_id="u_1"),
        make_span("one", "root", at=1, response_id="r1"),
        make_span("two", "root", at=2, response_id="r2"),
        make_span("one", kind="event", name=CONTENT_EVENT, at=1, response_text="x"),
        make_span("tool", "root", kind="tool", at=1.5, attributes={"gen_ai.tool.name": "look_up"}),
        make_span("other", trace_id="b" * 32, session_id="z"),
    ]
    expected = build(*spans)
    shuffled = spans * 2
    for seed in range(10):
        random.Random(seed).shuffle(shuffled)
        assert build(*shuffled) == expected


def test_of_two_deliveries_of_one_span_the_one_known_last_counts() -> None:
    first = make_span("call", response_text="first")
    second = make_span("call", response_text="second", known_at=LATER + timedelta(seconds=9))
    assert build(second, first)[0].response_text == "second"


def test_tools_and_retrieval_join_the_call_that_they_serve() -> None:
    documents = '[{"id": "d1"}]'
    rows = build(
        make_span("agent", kind="agent"),
        make_span("search", "agent", kind="retrieval", at=0, attributes={"gen_ai.retrieval.documents": documents}),
        make_span("first", "agent", at=2),
        make_span("tool", "agent", kind="tool", at=4, attributes={"gen_ai.tool.name": "look_up", "gen_ai.tool.call.result": "7"}),
        make_span("second", "agent", at=6, tool_calls="[]"),
        make_span("below", "second", kind="tool", at=7, attributes={"gen_ai.tool.name": "look_down"}),
    )
    first, second = rows
    assert msgspec.json.decode(first.retrieved_documents or "") == [{"id": "d1"}]
    assert msgspec.json.decode(first.tool_calls or "") == [{"name": "look_up", "result": "7"}]
    assert (msgspec.json.decode(second.tool_calls or ""), second.retrieved_documents) == ([{"name": "look_down"}], None)


def gateway_span(span_id: str, parent: str | None, **fields: Any) -> Span:
    return make_span(span_id, parent, dialect="gateway", scope="penstock.gateway", application="penstock", **fields)


def test_a_call_seen_by_application_and_gateway_counts_once_as_the_gateways() -> None:
    application = make_span(
        "app", response_id="r1", session_id="s", user_id="u_1", segment="pro", keys={"ticket": "7"}, application="shop",
        input_tokens=99, checkpoint_id="wrong", prompt_name="greet",
    )  # fmt: skip
    client = make_span("http", "app", kind="other", at=0.1)
    gateway = gateway_span(
        "gw", "http", at=0.2, response_id="r1", request_id="q1", session_id="gateway-session", input_tokens=10,
        checkpoint_id="c_1", release_arm="candidate", arm_probability=0.5, token_logprobs=[-0.1],
    )  # fmt: skip
    merged, kept = build(gateway, client, application)
    assert merged.merged_into == kept.interaction_id == interaction_id(TRACE, "gw")
    assert kept.merged_into is None
    assert (kept.session_id, kept.user_id, kept.segment, kept.keys) == ("s", "u_1", "pro", {"ticket": "7"})
    assert (kept.application, kept.prompt_name) == ("shop", "greet")
    assert (kept.checkpoint_id, kept.release_arm, kept.input_tokens, kept.token_logprobs) == ("c_1", "candidate", 10, [-0.1])
    assert kept.request_id == "q1"


def test_a_gateway_session_holds_where_the_application_names_none() -> None:
    _, kept = build(make_span("app", response_id="r1"), gateway_span("gw", "app", at=1, response_id="r1", session_id="s"))
    assert kept.session_id == "s"


def test_other_response_ids_and_siblings_are_calls_of_their_own() -> None:
    rows = build(
        make_span("app", response_id="r1"),
        gateway_span("child", "app", at=1, response_id="r2"),
        gateway_span("sibling", None, at=2, response_id="r1"),
    )
    assert [row.merged_into for row in rows] == [None, None, None]


def test_a_call_that_failed_for_both_is_one_failed_call() -> None:
    merged, kept = build(make_span("app", error_type="500"), gateway_span("gw", "app", at=1, error_type="500"))
    assert merged.merged_into == kept.interaction_id


def test_spans_without_ids_are_no_interactions() -> None:
    assert build(make_span("", reason="span id is missing")) == []


def test_where_a_parent_never_came_what_the_rest_of_the_trace_agrees_upon_stands_in() -> None:
    root = make_span("root", kind="other", session_id="s", user_id="u_1", segment="pro")
    orphan = make_span("call", "never-came")
    (interaction,) = build(root, orphan)
    assert (interaction.session_id, interaction.user_id, interaction.segment) == ("s", "u_1", "pro")
    (interaction,) = build(root, make_span("other", kind="other", session_id="another"), orphan)
    assert (interaction.session_id, interaction.user_id) == (TRACE, "u_1")


def test_where_all_parents_came_a_neighbours_session_is_not_taken() -> None:
    one, other = build(
        make_span("batch", kind="other"), make_span("one", "batch", session_id="s1"), make_span("other", "batch", at=1)
    )
    assert (one.session_id, other.session_id) == ("s1", TRACE)


def test_nesting_without_end_is_followed_only_so_far() -> None:
    nested = [make_span(f"s{number}", f"s{number - 1}", kind="agent") for number in range(1, 2_000)]
    (interaction,) = build(make_span("s0", kind="agent", user_id="u_1"), *nested, make_span("call", "s1999"))
    assert interaction.user_id is None
