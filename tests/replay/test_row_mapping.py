import json
from typing import Any

import pytest

from penstock.replay.binding import RowError
from penstock.replay.call import Call, to_request
from penstock.replay.log_rows import LogRow
from penstock.replay.mapping import parse_mapping
from penstock.replay.row_mapping import map_row
from tests.replay.examples import MAPPING, NOW, small_mapping, small_rows


def map_values(mapping: str = MAPPING, number: int = 1, name: str = "a.jsonl", **changes: Any) -> Call:
    row = LogRow(number, {**small_rows(1)[0], **changes}, None, 0.0)
    return map_row(row, name, parse_mapping(mapping, "mapping.toml"), NOW)


def attributes(call: Call) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in call.spans[0].attributes}


def test_a_row_is_a_chat_span_of_the_newest_convention_marked_as_replay() -> None:
    call = map_values()
    found = attributes(call)
    assert call.spans[0].name == "chat gpt-4o"
    assert found["gen_ai.operation.name"] == "chat"
    assert found["penstock.exposure"] == "replay"
    assert found["user.id"] == "user-0"
    assert json.loads(found["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "How do I reset device 0?"}]}
    ]
    assert json.loads(found["gen_ai.output.messages"])[0]["role"] == "assistant"
    assert call.application == "help-desk"


def test_the_same_row_always_gets_the_same_ids_and_another_row_others() -> None:
    one, again, moved, changed, other_file = (
        map_values(thumb="up"),
        map_values(thumb="up"),
        map_values(thumb="up", number=2),
        map_values(thumb="up", answer="No."),
        map_values(thumb="up", name="b.jsonl"),
    )
    assert one.spans == again.spans
    assert one.feedback == again.feedback
    assert len({call.spans[0].trace_id for call in (one, moved, changed, other_file)}) == 4
    assert len({call.feedback[0]["idempotency_key"] for call in (one, moved, changed, other_file)}) == 4


def test_a_row_with_its_own_id_is_known_by_it_wherever_it_stands() -> None:
    mapping = MAPPING.replace("[interaction]", '[interaction]\nid = { column = "ticket" }')
    one, moved = map_values(mapping, ticket="T-1"), map_values(mapping, ticket="T-1", number=9, name="b.csv")
    assert one.spans[0].trace_id == moved.spans[0].trace_id
    assert attributes(one)["penstock.request.id"] == "T-1"


def test_every_field_reaches_its_attribute() -> None:
    extra = """
session = "s"
segment = "paid"
exposure = "served"
duration = { value = "1500", parse = "milliseconds" }
first_token = { value = 0.25 }
finish_reason = "stop"
error_type = "timeout"
system = "Be brief."
input_tokens = { value = "12", parse = "number" }
temperature = 0.5
token_logprobs = [-0.1, -0.2]
arm_probability = 0.5
tags.team = "north"
keys.ticket_id = { value = 7 }
"""
    call = map_values(MAPPING.replace('model = "gpt-4o"', 'model = "gpt-4o"' + extra))
    found = attributes(call)
    assert call.spans[0].end_time_unix_nano - call.spans[0].start_time_unix_nano == 1_500_000_000
    assert call.spans[0].status.code == 2
    assert found["gen_ai.usage.input_tokens"] == 12
    assert found["gen_ai.response.time_to_first_chunk"] == 0.25
    assert found["gen_ai.conversation.id"] == "s"
    assert found["penstock.segment"] == "paid"
    assert found["penstock.exposure"] == "served"
    assert found["penstock.tag.team"] == "north"
    assert found["penstock.key.ticket_id"] == "7"
    assert found["error.type"] == "timeout"
    assert [value.double_value for value in found["penstock.token_logprobs"].values] == [-0.1, -0.2]
    assert [value.string_value for value in found["gen_ai.response.finish_reasons"].values] == ["stop"]
    assert json.loads(found["gen_ai.system_instructions"]) == [{"type": "text", "content": "Be brief."}]


def test_messages_may_be_openai_or_already_in_the_newest_convention() -> None:
    openai = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    ours = [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]
    assert json.loads(attributes(map_values(question=openai))["gen_ai.input.messages"])[1] == ours[0]
    assert json.loads(attributes(map_values(question=ours))["gen_ai.input.messages"]) == ours


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"at": ""}, "started_at: it is empty"),
        ({"at": "1066-10-14T00:00:00Z"}, "from 1970 to 2262"),
        ({"question": None}, "input_messages: it is empty"),
        ({"question": 5}, "neither text nor a list"),
        ({"question": [{"content": "no role"}]}, "neither text nor a list"),
        ({"who": ["a"]}, "user: a list of 1 is no text"),
        ({"thumb": "sideways"}, "feedback.value: text of 8 characters is none of the words in `map`, and no number"),
        ({"answer": "\udfff"}, "no valid Unicode"),
    ],
)
def test_a_bad_row_is_a_reason(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        map_values(**changes)


@pytest.mark.parametrize("value", ["-1", "1.5", "nan", "1e300"])
def test_tokens_are_whole_numbers(value: str) -> None:
    with pytest.raises(RowError, match="input_tokens"):
        map_values(MAPPING.replace("[interaction]", f'[interaction]\ninput_tokens = "{value}"'))


def test_an_end_before_the_start_is_a_reason() -> None:
    with pytest.raises(RowError, match="before started_at"):
        map_values(MAPPING.replace("[interaction]", '[interaction]\nended_at = "2001-01-01T00:00:00Z"'))


def test_feedback_is_made_when_its_condition_holds_and_points_at_its_span() -> None:
    assert map_values(thumb="").feedback == []
    call = map_values(thumb="down")
    (report,) = call.feedback
    assert report["value"] == -1.0
    assert report["occurred_at"] == "2024-03-01T10:00:00+00:00"
    assert (report["trace_id"], report["span_id"]) == (call.spans[0].trace_id.hex(), call.spans[0].span_id.hex())


def test_feedback_may_be_made_for_each_item_of_a_list() -> None:
    rule = '[[feedback]]\nname = "copy"\nvalue = 1\nfor_each = { column = "copies" }\ntext = { item = true, path = "copied" }\n'
    call = map_values(MAPPING + rule, copies=[{"copied": "a"}, {"copied": "b"}])
    assert [report["text"] for report in call.feedback] == ["a", "b"]
    assert len({report["idempotency_key"] for report in call.feedback}) == 2
    with pytest.raises(RowError, match="is no list"):
        map_values(MAPPING + rule, copies="a")


def test_a_request_has_one_resource_per_application() -> None:
    mapping = small_mapping(MAPPING.replace("[interaction]", '[interaction]\napplication = { column = "who" }'))
    calls = [map_row(LogRow(number, row, None, 0.0), "a", mapping, NOW) for number, row in enumerate(small_rows(10), start=1)]
    request = to_request(calls)
    assert len(request.resource_spans) == 7
    assert sum(len(resource.scope_spans[0].spans) for resource in request.resource_spans) == 10
