"""MLflow traces: search_traces() as Parquet, CSV or JSON lines, Trace.to_json(), and single spans. A row is a whole trace.

Attributes are JSON within text. Ids are base64 in newer versions, hex in older ones, and hex with a prefix for traces.
"""

from collections.abc import Mapping
from typing import Any

from penstock.replay.binding import RowError
from penstock.replay.chat_content import read_answer, read_messages, read_usage
from penstock.replay.export_values import (
    amount,
    first,
    hex_of_base64,
    listing,
    mapping,
    required_text,
    required_time,
    structure,
    text_of,
    texts,
    time_of,
)
from penstock.replay.exported import KINDS, Exported, ExportedReport, ExportedSpan
from penstock.replay.retrieved import read_documents

TOOL = "mlflow"
TRACE_KEY = "mlflow_trace"
_PARAMETERS = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed", "n")


def translate(row: Mapping[str, Any]) -> Exported:
    """One trace with its spans and assessments, or one span of one."""
    whole = mapping(row.get("trace")) or row
    info = mapping(whole.get("info"))
    described = {**info, **{name: value for name, value in row.items() if name not in ("trace", "data", "info")}}
    spans = listing(row.get("spans")) or listing(mapping(whole.get("data")).get("spans"))
    if not spans and ("start_time_unix_nano" in row or "attributes" in row):
        return Exported(spans=[_span(row, {}, None)])
    trace = required_text(described, "trace_id", "request_id")
    if not spans:
        return Exported(passed_over="traces without spans: search_traces(include_spans=True)")
    metadata = {**mapping(described.get("tags")), **mapping(first(described, "trace_metadata", "request_metadata"))}
    found = [_span(mapping(span), metadata, trace) for span in spans]
    assessments = [mapping(item) for item in listing(described.get("assessments"))]
    return Exported(spans=found, reports=[report for item in assessments if (report := _assessment(item, trace)) is not None])


def _span(row: Mapping[str, Any], metadata: Mapping[str, Any], trace: str | None) -> ExportedSpan:
    context = mapping(row.get("context"))
    attributes = {name: structure(value) for name, value in mapping(row.get("attributes")).items()}
    own_trace = trace or text_of(attributes.get("mlflow.traceRequestId")) or required_text({**row, **context}, "trace_id")
    kind = KINDS.get(str(attributes.get("mlflow.spanType") or "").lower(), "other")
    is_call = kind in ("inference", "embedding")
    inputs, outputs = attributes.get("mlflow.spanInputs"), attributes.get("mlflow.spanOutputs")
    status = mapping(row.get("status")) or {"code": row.get("status_code"), "message": row.get("status_message")}
    failed = "ERROR" in str(status.get("code") or "").upper()
    parent = text_of(first(row, "parent_span_id", "parent_id"))
    named = mapping(inputs)
    return ExportedSpan(
        trace=_trace_hex(own_trace),
        span=_span_hex(required_text({**row, **context}, "span_id")),
        parent=_span_hex(parent) if parent else None,
        kind=kind,
        name=text_of(row.get("name")),
        started_at=required_time(first(row, "start_time_unix_nano", "start_time"), "start_time_unix_nano"),
        ended_at=time_of(first(row, "end_time_unix_nano", "end_time"), "end_time_unix_nano"),
        fields={
            "session": text_of(metadata.get("mlflow.trace.session")),
            "user": text_of(metadata.get("mlflow.trace.user")),
            "error_type": "error" if failed else None,
            **(_call(attributes, inputs, outputs) if is_call else {}),
        },
        tags={name: value for name, value in texts(metadata).items() if not name.startswith("mlflow.")},
        keys={TRACE_KEY: own_trace} if kind == "inference" else {},
        parameters={name: named[name] for name in _PARAMETERS if name in named} if is_call else {},
        called={"name": row.get("name"), "arguments": inputs, "result": outputs} if kind == "tool" else {},
        documents=read_documents(outputs) if kind == "retrieval" else [],
        note=text_of(status.get("message")),
    )


def _call(attributes: Mapping[str, Any], inputs: Any, outputs: Any) -> dict[str, Any]:
    answer = read_answer(outputs)
    cost = attributes.get("mlflow.llm.cost")
    linked = listing(attributes.get("mlflow.linkedPrompts"))
    prompt = mapping(linked[0]) if linked else {}
    asked = mapping(inputs)
    return {
        **answer.facts,
        **read_usage(attributes.get("mlflow.chat.tokenUsage")),
        "provider": text_of(first(attributes, "mlflow.llm.provider", "mlflow.message.format")),
        "model": text_of(asked.get("model")) or text_of(first(attributes, "model", "mlflow.llm.model", "model_name")),
        "response_model": answer.facts.get("response_model") or text_of(attributes.get("mlflow.llm.model")),
        "prompt_name": text_of(prompt.get("name")),
        "prompt_version": text_of(prompt.get("version")),
        "input_messages": read_messages(inputs, "user"),
        "output": answer.messages,
        "cost": amount(first(mapping(cost), "total_cost", "total")) if isinstance(cost, Mapping) else amount(cost),
    }


def _assessment(row: Mapping[str, Any], trace: str) -> ExportedReport | None:
    """Feedback; an expectation says what is right, not how good the answer was, and is kept as text."""
    said = mapping(row.get("feedback")) or mapping(row.get("expectation"))
    value = said.get("value", mapping(said.get("serialized_value")).get("value"))
    if value is None:
        return None
    source = mapping(row.get("source"))
    number = float(value) if isinstance(value, bool) else amount(value) if not isinstance(value, str) else None
    is_expectation = not row.get("feedback")
    span = text_of(row.get("span_id"))
    about: dict[str, Any] = {"span": (_trace_hex(trace), _span_hex(span))} if span else {"key": (TRACE_KEY, trace)}
    name = required_text(row, "assessment_name", "name")
    word = None if number is not None else text_of(value) or str(value)
    return ExportedReport(
        id=text_of(row.get("assessment_id")) or f"{trace} {span} {name} {row.get('create_time')}",
        name=f"expectation.{name}" if is_expectation else name,
        value=number,
        text=word or text_of(row.get("rationale")),
        occurred_at=time_of(first(row, "create_time", "last_update_time", "create_time_ms"), "create_time"),
        metadata=texts(
            {
                "mlflow_source": source.get("source_type"),
                "rationale": row.get("rationale") if word else None,
                **mapping(row.get("metadata")),
            }
        ),
        **about,
    )


def _trace_hex(text: str) -> str:
    return hex_of_base64(text.rpartition("/")[2].removeprefix("tr-"))


def _span_hex(text: str) -> str:
    plain = hex_of_base64(text.removeprefix("0x"))
    if not plain:
        raise RowError("span_id: it is empty")
    return plain
