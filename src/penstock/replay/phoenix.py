"""Phoenix exports: spans (get_spans_dataframe() as Parquet or CSV, get_spans() as JSON lines) and span annotations.

Attributes are OpenInference's, in columns `attributes.llm.model_name` or nested under `attributes`. An annotation names its span
only, so the span id is kept as the request id.
"""

from collections.abc import Mapping
from typing import Any

from penstock.replay.chat_content import read_answer, read_messages
from penstock.replay.export_values import (
    amount,
    first,
    listing,
    mapping,
    nest,
    required_text,
    required_time,
    structure,
    text_of,
    texts,
    time_of,
    walk,
)
from penstock.replay.exported import KINDS, Exported, ExportedReport, ExportedSpan
from penstock.replay.retrieved import read_documents

TOOL = "phoenix"
TRACE_KEY = "phoenix_trace"


def translate(row: Mapping[str, Any]) -> Exported:
    """One span, with the annotations that stand in it, or one annotation."""
    row = nest({name: structure(value) for name, value in row.items()})
    if "annotator_kind" in row or "annotation_name" in row:
        return Exported(reports=[_annotation(row, None)])
    context = mapping(row.get("context"))
    trace = required_text({**row, **context}, "trace_id")
    span = required_text({**row, **context}, "span_id")
    annotations = [mapping(item) for item in listing(row.get("annotations"))]
    return Exported(spans=[_span(row, trace, span)], reports=[_annotation(item, (trace, span)) for item in annotations])


def _span(row: Mapping[str, Any], trace: str, span: str) -> ExportedSpan:
    attributes = mapping(row.get("attributes"))
    kind = KINDS.get(str(first(row, "span_kind") or walk(attributes, "openinference", "span", "kind") or "").lower(), "other")
    failed = str(row.get("status_code") or "").upper() == "ERROR"
    model = mapping(attributes.get("llm"))
    tool = mapping(attributes.get("tool"))
    value_in, value_out = walk(attributes, "input", "value"), walk(attributes, "output", "value")
    called = {
        "name": first(tool, "name") or row.get("name"),
        "id": tool.get("id"),
        "arguments": structure(tool.get("parameters") or value_in),
        "result": structure(value_out),
    }
    return ExportedSpan(
        trace=trace,
        span=span,
        parent=text_of(row.get("parent_id")),
        kind=kind,
        name=text_of(row.get("name")),
        started_at=required_time(row.get("start_time"), "start_time"),
        ended_at=time_of(row.get("end_time"), "end_time"),
        fields={
            "session": text_of(walk(attributes, "session", "id")),
            "user": text_of(walk(attributes, "user", "id")),
            "error_type": (text_of(_exception(row)) or "error") if failed else None,
            **(_call(attributes, model, span, value_in, value_out) if kind in ("inference", "embedding") else {}),
        },
        tags=_tags(attributes),
        keys={TRACE_KEY: trace} if kind == "inference" else {},
        parameters={
            name: item for name, item in mapping(model.get("invocation_parameters")).items() if name not in _NO_PARAMETERS
        },
        called=called if kind == "tool" else {},
        documents=read_documents(walk(attributes, "retrieval", "documents")) if kind == "retrieval" else [],
        note=text_of(row.get("status_message")),
    )


_NO_PARAMETERS = frozenset({"model", "messages", "input", "tools"})


def _call(attributes: Mapping[str, Any], model: Mapping[str, Any], span: str, value_in: Any, value_out: Any) -> dict[str, Any]:
    answer = read_answer(value_out)
    template = mapping(model.get("prompt_template"))
    counts = mapping(model.get("token_count"))
    asked = text_of(walk(mapping(model.get("invocation_parameters")), "model"))
    name = text_of(model.get("model_name")) or text_of(walk(attributes, "embedding", "model_name"))
    return {
        **answer.facts,
        "id": span,
        "provider": text_of(first(model, "provider", "system")),
        "model": text_of(walk(model, "request", "model_name")) or asked or name,
        "response_model": text_of(walk(model, "response", "model_name")) or answer.facts.get("response_model") or name,
        "prompt_name": text_of(walk(attributes, "prompt", "id")),
        "prompt_version": text_of(template.get("version")),
        "input_messages": _messages(model.get("input_messages"), "user") or read_messages(value_in, "user"),
        "output": _messages(model.get("output_messages"), "assistant") or answer.messages,
        "finish_reason": text_of(model.get("finish_reason")) or answer.facts.get("finish_reason"),
        **_tokens(counts, answer.facts),
        "cost": amount(walk(model, "cost", "total")),
    }


def _tokens(counts: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "input_tokens": amount(counts.get("prompt")),
        "output_tokens": amount(counts.get("completion")),
        "cached_tokens": amount(walk(counts, "prompt_details", "cache_read")),
        "cache_write_tokens": amount(walk(counts, "prompt_details", "cache_write")),
        "reasoning_tokens": amount(walk(counts, "completion_details", "reasoning")),
    }
    return {name: int(value) if value is not None else facts.get(name) for name, value in found.items()}


def _messages(value: Any, role: str) -> list[dict[str, Any]] | None:
    """OpenInference's messages as OpenAI's, and from there on as any other."""
    plain = [_openai(mapping(mapping(item).get("message"))) for item in listing(value)]
    return read_messages([message for message in plain if message], role) if plain else None


def _openai(message: Mapping[str, Any]) -> dict[str, Any]:
    blocks = [mapping(mapping(item).get("message_content")) for item in listing(message.get("contents"))]
    calls = [mapping(mapping(item).get("tool_call")) for item in listing(message.get("tool_calls"))]
    found = {"role": message.get("role"), "content": message.get("content"), "name": message.get("name")}
    if blocks:
        found["content"] = [_block(block) for block in blocks]
    if calls:
        found["tool_calls"] = [{"id": call.get("id"), "function": mapping(call.get("function"))} for call in calls]
    if message.get("tool_call_id"):
        found["tool_call_id"] = message["tool_call_id"]
    return {name: value for name, value in found.items() if value is not None or name == "content"} if message else {}


def _block(block: Mapping[str, Any]) -> dict[str, Any]:
    if block.get("type") == "text" or "text" in block:
        return {"type": "text", "text": block.get("text")}
    return {"type": "image_url", "image_url": {"url": walk(block, "image", "image", "url")}}


def _annotation(row: Mapping[str, Any], span: tuple[str, str] | None) -> ExportedReport:
    result = mapping(row.get("result")) or row
    label, explanation = text_of(result.get("label")), text_of(result.get("explanation"))
    score = result.get("score")
    name = required_text(row, "annotation_name", "name")
    own = span[1] if span else required_text(row, "span_id")
    return ExportedReport(
        id=text_of(row.get("id")) or f"{own} {name} {row.get('identifier') or ''}",
        name=name,
        value=float(score) if isinstance(score, bool) else amount(score),
        text=label or explanation,
        occurred_at=time_of(first(row, "updated_at", "created_at"), "created_at"),
        metadata=texts(
            {
                "annotator_kind": row.get("annotator_kind"),
                "explanation": explanation if label else None,
                **mapping(row.get("metadata")),
            }
        ),
        span=span,
        request=None if span else own,
    )


def _exception(row: Mapping[str, Any]) -> Any:
    events = (mapping(event) for event in listing(row.get("events")))
    return next((walk(nest(mapping(event.get("attributes"))), "exception", "type") for event in events), None)


def _tags(attributes: Mapping[str, Any]) -> dict[str, str]:
    tags = [tag for tag in listing(walk(attributes, "tag", "tags")) if isinstance(tag, str)]
    return {**texts(mapping(attributes.get("metadata"))), **({"tags": ", ".join(tags)} if tags else {})}
