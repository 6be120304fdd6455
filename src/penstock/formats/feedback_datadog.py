"""Datadog's evaluations: POST /api/intake/llm-obs/v2/eval-metric. A span is named by decimal ids, a tag is a business key."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from penstock.errors import BadInputError
from penstock.formats.foreign_report import (
    Ecosystem,
    Received,
    Report,
    all_reasons,
    as_list,
    as_object,
    flat,
    read_as,
    say,
    span_target,
)
from penstock.formats.report_time import read_time
from penstock.records.feedback import TargetKind


class SpanJoin(Struct, frozen=True, kw_only=True):
    """A span."""

    span_id: str
    trace_id: str


class TagJoin(Struct, frozen=True, kw_only=True):
    """A tag that the span carries."""

    key: str
    value: str


class JoinOn(Struct, frozen=True, kw_only=True):
    """What the evaluation is about."""

    span: SpanJoin | None = None
    tag: TagJoin | None = None


class EvaluationMetric(Struct, frozen=True, kw_only=True):
    """The fields that are read."""

    label: str
    join_on: JoinOn
    timestamp_ms: int | None = None
    metric_type: str | None = None
    score_value: float | None = None
    categorical_value: str | None = None
    boolean_value: bool | None = None
    ml_app: str | None = None
    assessment: str | None = None
    reasoning: str | None = None
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = None


def translate_metric(item: Any) -> list[Report]:
    """The report that one evaluation is."""
    given = read_as(item, EvaluationMetric)
    kind, target_id, target_key = _target(given.join_on)
    values = [value for value in (given.boolean_value, given.score_value, given.categorical_value) if value is not None]
    if len(values) != 1:
        raise BadInputError("An evaluation has one of score_value, categorical_value and boolean_value.")
    said = say(values[0], given.reasoning)
    extra = {"ml_app": given.ml_app, "assessment": given.assessment, "tags": ",".join(given.tags or []) or None}
    return [
        Report(
            target_kind=kind,
            target_id=target_id,
            target_key=target_key,
            name=given.label,
            value=said.value,
            text=said.text,
            occurred_at=read_time(given.timestamp_ms) if given.timestamp_ms else None,
            source="datadog",
            metadata={**flat(given.metadata), **flat(extra), **said.metadata},
        )
    ]


def _target(join: JoinOn) -> tuple[TargetKind, str, str | None]:
    if join.tag is not None and join.span is None:
        return TargetKind.KEY, join.tag.value, join.tag.key
    if join.span is None or join.tag is not None:
        raise BadInputError("join_on has either a span or a tag.")
    kind, target_id = span_target(_as_hex(join.span.span_id, 16), _as_hex(join.span.trace_id, 32))
    return kind, target_id, None


def _as_hex(identifier: str, digits: int) -> str:
    """Ids of OpenTelemetry's spans come as decimal numbers; one that is hexadecimal already stays as it is."""
    if identifier.isascii() and identifier.isdigit():
        return f"{int(identifier[:50]):0{digits}x}"
    return identifier


def _metrics(content: Any, _path: Mapping[str, str]) -> list[Any]:
    data = as_object(as_object(content, "An evaluation request").get("data"), "`data`")
    return as_list(as_object(data.get("attributes"), "`attributes`").get("metrics"), "metrics")


def answer_metrics(received: Received) -> tuple[int, Any]:
    """202 with the metrics and their ids; 400 where any was refused, although the others are kept."""
    if received.rejected:
        kept = f" The other {len(received.accepted)} are kept." if received.accepted else ""
        return 400, refuse_metrics(400, all_reasons(received, "metrics[{}]") + kept)
    metrics = received.content["data"]["attributes"]["metrics"]
    named = [{**metrics[index], "id": ids[0]} for index, ids in received.accepted.items()]
    return 202, {"data": {"type": "evaluation_metric", "attributes": {"metrics": named}}}


def refuse_metrics(status: int, message: str) -> Any:
    """A refusal as Datadog writes it."""
    return {"errors": [{"status": str(status), "title": "Evaluation refused", "detail": message}]}


DATADOG_METRICS = Ecosystem(
    name="datadog", items=_metrics, translate=translate_metric, answer=answer_metrics, refusal=refuse_metrics
)
