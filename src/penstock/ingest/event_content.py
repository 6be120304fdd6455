"""What log events add to their span: everything in one event, or one event per message, put together as they were sent."""

from collections.abc import Iterable
from typing import Any

import msgspec

from penstock.formats.json_value import join_objects
from penstock.formats.message_events import CONTENT_EVENT, MESSAGE_EVENTS, answers_of_events, is_answer
from penstock.formats.message_text import columns_of
from penstock.records.inference import Inference
from penstock.records.span import Span

EXCEPTION_EVENT = "gen_ai.client.operation.exception"
JOINING_EVENTS = MESSAGE_EVENTS | {CONTENT_EVENT, EXCEPTION_EVENT}
SEQUENCE = "penstock.sequence"  # where in its request an event stood

_FIELDS = tuple(field.name for field in msgspec.structs.fields(Inference))
_MAPS = ("tags", "keys")
_NOT_FILLED = {*_MAPS, "exposure", "content_present", "content_sampled", "sample_probability", "capture_probability"}
FILLED = tuple(name for name in _FIELDS if name not in _NOT_FILLED)
_OF_MESSAGES = frozenset(
    {"input_messages", "output_messages", "prompt_text", "response_text", "tool_calls", "system_instructions", "finish_reason"}
)


def add_events(draft: dict[str, Any], events: Iterable[Span]) -> None:
    """Take from a span's log events what the span does not say itself."""
    messages: list[Span] = []
    for event in sorted(events, key=_order):
        if event.name in MESSAGE_EVENTS:
            messages.append(event)
        _fill(draft, event, without=_OF_MESSAGES if event.name in MESSAGE_EVENTS else frozenset())
    if messages:
        _add_messages(draft, messages)


def _order(event: Span) -> tuple[Any, int, str]:
    position = event.attributes.get(SEQUENCE, "0")
    return event.started_at, int(position) if position.isdecimal() else 0, event.span_key


def _fill(draft: dict[str, Any], event: Span, without: frozenset[str]) -> None:
    for name in FILLED:
        if draft[name] is None and name not in without:
            draft[name] = getattr(event, name)
    if event.parameters is not None and draft["parameters"] != event.parameters:
        # Tools on offer count as content, and so may stand in the event alone.
        draft["parameters"] = join_objects(draft["parameters"], event.parameters)
    for name in _MAPS:
        added = getattr(event, name)
        if added:
            draft[name] = {**added, **draft[name]}
    draft["content_present"] = draft["content_present"] or event.content_present
    if event.redactions:
        counts = dict(draft["redactions"])
        for kind, count in event.redactions.items():
            counts[kind] = counts.get(kind, 0) + count
        draft["redactions"] = counts


def _add_messages(draft: dict[str, Any], events: list[Span]) -> None:
    inputs = [message for event in events if not is_answer(event.name) for message in _decoded(event.input_messages)]
    outputs = answers_of_events((event.name, _decoded(event.output_messages)) for event in events if is_answer(event.name))
    if inputs and draft["input_messages"] is None:
        found = columns_of(inputs)
        draft["input_messages"] = found.text
        if draft["system_instructions"] is None:
            draft["system_instructions"] = found.instructions
    if outputs and draft["output_messages"] is None:
        draft["output_messages"] = columns_of(outputs).text
    if draft["finish_reason"] is None:
        draft["finish_reason"] = next((event.finish_reason for event in events if event.finish_reason), None)


def _decoded(text: str | None) -> list[dict[str, Any]]:
    """The messages of a column; one that cannot be read has none."""
    try:
        return msgspec.json.decode(text or "[]", type=list[dict[str, Any]])
    except msgspec.DecodeError:
        return []
