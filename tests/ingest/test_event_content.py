"""Log events that complete their span."""

import json
import random
from typing import Any

from penstock.formats.message_events import CONTENT_EVENT
from penstock.ingest.event_content import EXCEPTION_EVENT, SEQUENCE
from penstock.ingest.interactions import build_interactions
from penstock.records.interaction import Interaction
from penstock.records.span import Span
from tests.rows import LATER, make_span, trace

TRACE = trace(0)


def message(role: str, text: str, **fields: Any) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}], **fields}])


def event(name: str, position: int, **fields: Any) -> Span:
    attributes = {SEQUENCE: str(position)}
    return make_span(TRACE, "call", kind="event", span_key=f"e_{position}", name=name, attributes=attributes, **fields)


CONVERSATION = [
    event("gen_ai.system.message", 0, input_messages=message("system", "Be brief."), content_present=True),
    event("gen_ai.user.message", 1, input_messages=message("user", "first"), prompt_text="first", content_present=True),
    event("gen_ai.assistant.message", 2, input_messages=message("assistant", "hm"), content_present=True),
    event("gen_ai.user.message", 10, input_messages=message("user", "second"), prompt_text="second", content_present=True),
    event(
        "gen_ai.choice", 11, output_messages=message("assistant", "here", finish_reason="stop"), response_text="here",
        finish_reason="stop", content_present=True, redactions={"email": 1},
    ),
]  # fmt: skip


def build(*spans: Span) -> Interaction:
    (interaction,) = build_interactions(spans, LATER)
    return interaction


def test_one_event_per_message_is_put_together_in_the_order_they_were_sent_also_at_one_time() -> None:
    spans = [make_span(TRACE, "call"), *CONVERSATION]
    for seed in range(5):
        random.Random(seed).shuffle(spans)
        found = build(*spans, *spans[:3])
        roles = [item["role"] for item in json.loads(found.input_messages or "")]
        assert roles == ["system", "user", "assistant", "user"]
        assert (found.prompt_text, found.response_text, found.finish_reason) == ("second", "here", "stop")
        assert json.loads(found.system_instructions or "")[0]["content"] == "Be brief."
        assert found.content_present
        assert found.redactions == {"email": 1}


def test_what_the_span_says_itself_stands() -> None:
    own = make_span(TRACE, "call", input_messages="[]", prompt_text="own", finish_reason="length")
    found = build(own, *CONVERSATION)
    assert (found.input_messages, found.prompt_text, found.finish_reason) == ("[]", "own", "length")
    assert found.response_text == "here"


def test_a_content_event_completes_everything_and_an_exception_event_the_error() -> None:
    details = event(CONTENT_EVENT, 0, input_messages=message("user", "Hi"), prompt_text="Hi", keys={"ticket": "7"})
    failed = event(EXCEPTION_EVENT, 1, error_type="Timeout")
    found = build(make_span(TRACE, "call", keys={"own": "1"}), details, failed)
    assert (found.prompt_text, found.error_type, found.keys) == ("Hi", "Timeout", {"ticket": "7", "own": "1"})


def test_tools_on_offer_that_stand_in_the_event_alone_join_the_parameters_of_the_span() -> None:
    details = event(CONTENT_EVENT, 0, parameters='{"stream": false, "tools": [{"name": "look"}]}')
    found = build(make_span(TRACE, "call", parameters='{"stream": true}'), details)
    assert json.loads(found.parameters or "") == {"stream": True, "tools": [{"name": "look"}]}
    assert build(make_span(TRACE, "call", parameters="[TRUNC"), details).parameters == "[TRUNC"


def test_pieces_of_a_stream_are_one_answer() -> None:
    pieces = [event("gen_ai.choice", position, output_messages=message("assistant", text)) for position, text in enumerate("ABC")]
    end = event("gen_ai.choice", 3, finish_reason="stop")
    found = build(make_span(TRACE, "call"), *pieces, end)
    assert (found.response_text, found.finish_reason, len(json.loads(found.output_messages or ""))) == ("ABC", "stop", 1)


def test_an_event_that_cannot_be_read_takes_nothing_else_with_it() -> None:
    broken = event("gen_ai.user.message", 3, input_messages="[TRUNC")
    assert build(make_span(TRACE, "call"), *CONVERSATION, broken).prompt_text == "second"
