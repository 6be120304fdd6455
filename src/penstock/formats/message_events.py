"""One message per event, as GenAI conventions until 1.36 had it: log records, span events, or a JSON list of them on the span.

An event's name says the role; its body (a record), its attributes (a span event) or both hold the message. Attributes hold no
lists, so that Strands puts a message's blocks down as the JSON of them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from penstock.formats.content_blocks import pieces_in
from penstock.formats.foreign_messages import to_messages
from penstock.formats.json_value import decoded
from penstock.formats.messages import Messages, continued

CONTENT_EVENT = "gen_ai.client.inference.operation.details"  # of the newest convention: everything in one event
CHOICE, TOOL_MESSAGE = "gen_ai.choice", "gen_ai.tool.message"
PROMPT, COMPLETION = "gen_ai.content.prompt", "gen_ai.content.completion"
_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    TOOL_MESSAGE: "tool",
}
MESSAGE_EVENTS = frozenset({*_ROLES, CHOICE, PROMPT, COMPLETION})
_ANSWERS = frozenset({CHOICE, COMPLETION})
_ELIDED = "<elided>"  # what google-genai sends where it may not capture content


def is_answer(name: str) -> bool:
    """Whether an event of this name holds what the model said."""
    return name in _ANSWERS


def messages_of_event(name: str, body: Any, attributes: Mapping[str, Any]) -> Messages:
    """The message of one event; none where its content was not captured."""
    if name == PROMPT:
        if _is_message(body):  # LiteLLM's body, beside which the attribute has the text without the role
            return to_messages([body], "user") if _says_something(body) else []
        return to_messages(attributes.get("gen_ai.prompt", body), "user")
    if name == COMPLETION:
        if isinstance(body, Mapping) and _is_message(body.get("message")):
            return _choice(body)
        return to_messages(attributes.get("gen_ai.completion", body), "assistant")
    found = _body(body, attributes)
    if name == CHOICE:
        return _choice(found)
    message = {"role": _ROLES[name], **{key: value for key, value in found.items() if key in _FIELDS}}
    if message["role"] == "tool" and "tool_call_id" not in message:
        message["tool_call_id"] = found.get("id")
    if message["role"] == "system" and isinstance(message.get("content"), Mapping):  # Gemini lets the user say it
        message["content"] = {**message["content"], "role": "system"}
    return to_messages([message], str(message["role"])) if _says_something(message) else []


def messages_of_events(events: Iterable[tuple[str, Any, Mapping[str, Any]]]) -> tuple[Messages, Messages]:
    """What went in and what came out, of all events of one call in their order."""
    found = [(name, messages_of_event(name, body, attributes)) for name, body, attributes in events if name in MESSAGE_EVENTS]
    inputs = [message for name, messages in found if not is_answer(name) for message in messages]
    return inputs, answers_of_events((name, messages) for name, messages in found if is_answer(name))


def answers_of_events(events: Iterable[tuple[str, Messages]]) -> Messages:
    """The answers of such events; choices without a finish reason are pieces of a stream, and go on in the next choice."""
    answers: Messages = []
    is_open = False
    for name, messages in events:
        if is_open and name == CHOICE and messages:
            answers[-1] = continued(answers[-1], messages[0])
            messages = messages[1:]
        answers.extend(messages)
        is_open = name == CHOICE and bool(answers) and not answers[-1].get("finish_reason")
    return answers


_FIELDS = frozenset(
    {"role", "content", "tool_calls", "tool_call_id", "name", "parts", "function_call", "refusal", "reasoning_content"}
)
_HOLDERS = ("gen_ai.event.content", "body", "event_body", "message")


def _body(body: Any, attributes: Mapping[str, Any]) -> dict[str, Any]:
    body = decoded(body)
    if isinstance(body, Mapping):
        return dict(body)
    if body not in (None, "", []):
        return {"content": body}
    for name in _HOLDERS:
        held = decoded(attributes.get(name))
        if isinstance(held, Mapping):
            return {**attributes, **held}
    found = {name.removeprefix("gen_ai.message."): value for name, value in attributes.items()}
    return {**found, "content": _blocks(found["content"])} if "content" in found else found


def _blocks(value: Any) -> Any:
    """The blocks that a text is the JSON of, or the text."""
    pieces = pieces_in(value)
    return value if pieces is None else pieces


def _choice(found: Mapping[str, Any]) -> Messages:
    inner = _blocks(found.get("message"))
    held = decoded(inner)
    if isinstance(held, Mapping) and not _FIELDS.isdisjoint(held):
        inner = held
    said = inner if isinstance(inner, Mapping) else {"content": inner} if inner else found
    message = {"role": "assistant", **{key: value for key, value in said.items() if key in _FIELDS}}
    if found.get("tool_calls"):
        message.setdefault("tool_calls", found["tool_calls"])
    if not _says_something(message):
        return []
    reason = found.get("finish_reason")
    ending = {"finish_reason": reason} if isinstance(reason, str) else {}
    return [{**item, **ending} for item in to_messages([message], "assistant")]


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and "role" in value


def _says_something(message: Mapping[str, Any]) -> bool:
    """Instrumentations that may not capture content still send the event, with a role or an id alone."""
    told = (message.get(name) for name in ("content", "tool_calls", "parts", "function_call", "refusal"))
    return any(value and value != _ELIDED for value in told)
