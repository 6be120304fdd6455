"""What the events of a span say: the error, the first token, messages, documents; what else they hold is kept as attributes."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from penstock.formats.aliases import text_of
from penstock.formats.foreign_messages import to_messages
from penstock.formats.genai import GenAiSpan, normalise, read_genai
from penstock.formats.json_value import encode_json, join_objects
from penstock.formats.message_events import CONTENT_EVENT, MESSAGE_EVENTS, messages_of_event, messages_of_events
from penstock.formats.message_text import columns_of
from penstock.formats.tool_events import read_tool_event
from penstock.formats.translation import document_of
from penstock.records.span import SpanKind

Event = tuple[str, Mapping[str, Any], int]  # name, attributes, time in ns

FIRST_TOKEN = frozenset({"First Token Stream Event", "new_token", "ai.stream.firstChunk"})
_NUMBERED_PIECE = "mlflow.chunk.item"
_PIECES = frozenset({"llm.content.completion.chunk", "gen_ai.content.completion.chunk", "new_token", _NUMBERED_PIECE})
_DOCUMENT = "db.query.result"
_MOST_EVENTS = 64


def read_events(events: Iterable[Event], started_ns: int, read: GenAiSpan) -> None:
    """Add what the events say and the attributes did not."""
    counts: Counter[str] = Counter()
    messages: list[tuple[str, Any, Mapping[str, Any]]] = []
    documents: list[dict[str, Any]] = []
    details: list[Mapping[str, Any]] = []
    for full_name, attributes, at_ns in events:
        name = _NUMBERED_PIECE if full_name.startswith(_NUMBERED_PIECE) else full_name
        counts[name] += 1
        if name in FIRST_TOKEN or name in _PIECES:
            if 0 < started_ns <= at_ns:
                read.columns.setdefault("first_token_ms", (at_ns - started_ns) / 1e6)
        elif read.kind == SpanKind.TOOL and read_tool_event(name, attributes, read):
            continue
        elif name == CONTENT_EVENT:
            details.append(attributes)
        elif name in MESSAGE_EVENTS and messages_of_event(name, None, attributes):
            messages.append((name, None, attributes))
        elif name == _DOCUMENT:
            documents.append(_document(attributes))
        elif counts[name] <= _MOST_EVENTS:
            _keep(name, counts[name], attributes, read)
    _keep_counts(counts, read)
    if details:
        _read_details(details, read)
    if messages:
        _read_messages(messages, read)
    if documents:
        _read_documents(documents, read)
    normalise(read)  # a finish reason may have come just now


def _keep_counts(counts: Counter[str], read: GenAiSpan) -> None:
    for name, count in counts.items():
        if name in _PIECES or count > _MOST_EVENTS:
            read.rest[f"event.{name}.count"] = str(count)


def _keep(name: str, count: int, attributes: Mapping[str, Any], read: GenAiSpan) -> None:
    if name == "exception" and attributes.get("exception.type"):
        read.columns.setdefault("error_type", str(attributes["exception.type"]))
    label = f"event.{name}" if count == 1 else f"event.{name}.{count}"
    read.rest.setdefault(label, "")
    for key, value in attributes.items():
        read.rest[f"{label}.{key}"] = text_of(value) or ""


def _read_details(details: list[Mapping[str, Any]], read: GenAiSpan) -> None:
    """What goes in and what comes out may be told by an event each."""
    said = {name: value for attributes in reversed(details) for name, value in attributes.items()}
    found, columns = read_genai(said), read.columns
    is_present = columns["content_present"] or found.columns["content_present"]
    if "output_messages" not in columns:
        answers = to_messages(said.get("gen_ai.output.messages"), "assistant")
        if answers and isinstance(answers[0].get("finish_reason"), str):
            found.columns.setdefault("finish_reason", answers[0]["finish_reason"])
    parameters = {}
    if "parameters" in columns and "parameters" in found.columns:
        parameters["parameters"] = join_objects(columns["parameters"], found.columns["parameters"])  # tools on offer
    read.columns = {**found.columns, **columns, **parameters, "content_present": is_present}
    read.rest = {**found.rest, **read.rest}
    read.problems += found.problems


def _read_messages(events: list[tuple[str, Any, Mapping[str, Any]]], read: GenAiSpan) -> None:
    inputs, outputs = messages_of_events(events)
    columns = read.columns
    if inputs and "input_messages" not in columns:
        found = columns_of(inputs)
        columns["input_messages"] = found.text
        if found.instructions is not None:
            columns.setdefault("system_instructions", found.instructions)
    if outputs and "output_messages" not in columns:
        columns["output_messages"] = columns_of(outputs).text
        if outputs[0].get("finish_reason"):
            columns.setdefault("finish_reason", outputs[0]["finish_reason"])
    columns["content_present"] = "input_messages" in columns or "output_messages" in columns


def _read_documents(documents: list[dict[str, Any]], read: GenAiSpan) -> None:
    read.columns.setdefault("retrieved_documents", encode_json(documents))
    if read.kind == SpanKind.OTHER:
        read.kind = SpanKind.RETRIEVAL


def _document(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return document_of({name.removeprefix(f"{_DOCUMENT}."): value for name, value in attributes.items()})
