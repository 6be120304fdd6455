"""Langfuse exports: traces, observations and scores, from the API (camelCase), the blob storage export (snake_case) or the UI.

A trace becomes the root of its observations, so that its session and user reach every generation, in whichever order they come.
"""

from collections.abc import Mapping
from typing import Any

from penstock.records.interaction import Exposure
from penstock.replay.chat_content import read_answer, read_messages
from penstock.replay.export_values import (
    amount,
    first,
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

TOOL = "langfuse"
TRACE_KEY = "langfuse_trace"


def translate(row: Mapping[str, Any]) -> Exported:
    """One row of an export: a score, an observation, or a trace with or without its observations."""
    row = {_snake(name): value for name, value in row.items()}
    if "name" in row and ("value" in row or "string_value" in row) and "start_time" not in row:
        return Exported(reports=[_score(row)])
    if "start_time" in row:
        return Exported(spans=[_observation(row)])
    return _trace(row)


def _trace(row: Mapping[str, Any]) -> Exported:
    trace = required_text(row, "id")
    observations = [mapping(item) for item in listing(row.get("observations")) if not isinstance(item, str)]
    scores = [mapping(item) for item in listing(row.get("scores")) if not isinstance(item, str)]
    started_at = required_time(first(row, "timestamp", "created_at"), "timestamp")
    root = ExportedSpan(
        trace=trace,
        span=_root(trace),
        kind="other",
        name=text_of(row.get("name")),
        started_at=started_at,
        fields={**_who(row), "exposure": _exposure(row)},
        tags={**_tags(row), **texts(mapping(row.get("metadata")))},
    )
    inner = [_observation({"trace_id": trace, **{_snake(name): value for name, value in item.items()}}) for item in observations]
    reports = [_score({"trace_id": trace, **{_snake(name): value for name, value in item.items()}}) for item in scores]
    return Exported(spans=[root, *inner], reports=reports)


def _observation(row: Mapping[str, Any]) -> ExportedSpan:
    trace, span = required_text(row, "trace_id"), required_text(row, "id")
    kind = KINDS.get(str(row.get("type") or "").lower(), "other")
    started_at = required_time(row.get("start_time"), "start_time")
    described = kind in ("inference", "embedding")
    return ExportedSpan(
        trace=trace,
        span=span,
        # Without a parent it hangs on its trace, whose row may come later, or never.
        parent=text_of(row.get("parent_observation_id")) or _root(trace),
        kind=kind,
        name=text_of(row.get("name")),
        started_at=started_at,
        ended_at=time_of(row.get("end_time"), "end_time"),
        fields={**_who(row), "exposure": _exposure(row), **_failure(row), **(_call(row, span, started_at) if described else {})},
        tags=_tags(row),
        keys={TRACE_KEY: trace} if kind == "inference" else {},
        parameters=mapping(row.get("model_parameters")) if described else {},
        called=_called(row) if kind == "tool" else {},
        documents=read_documents(row.get("output")) if kind == "retrieval" else [],
        note=text_of(row.get("status_message")),
    )


def _call(row: Mapping[str, Any], span: str, started_at: Any) -> dict[str, Any]:
    answer = read_answer(row.get("output"))
    first_token_at = time_of(row.get("completion_start_time"), "completion_start_time")
    costs = mapping(row.get("cost_details"))
    model = first(row, "model", "provided_model_name", "model_name")
    return {
        **answer.facts,
        **_usage(row),
        "id": span,
        "model": model,
        "response_model": answer.facts.get("response_model") or model,
        "prompt_name": row.get("prompt_name"),
        "prompt_version": text_of(row.get("prompt_version")),
        "input_messages": read_messages(row.get("input"), "user"),
        "output": answer.messages,
        "finish_reason": answer.facts.get("finish_reason") or text_of(mapping(row.get("metadata")).get("finish_reason")),
        "first_token": (first_token_at - started_at).total_seconds() if first_token_at and first_token_at >= started_at else None,
        "cost": amount(costs.get("total")) or amount(first(row, "total_cost", "calculated_total_cost")) or None,
    }


def _usage(row: Mapping[str, Any]) -> dict[str, Any]:
    """Langfuse counts `input_cached_tokens` and the like beside `input`; where the total says otherwise they are within it."""
    usage = {
        _snake(name): amount(value) for name, value in (mapping(row.get("usage_details")) or mapping(row.get("usage"))).items()
    }
    counts = {name: int(value) for name, value in usage.items() if value is not None and value >= 0}
    if not counts:
        counts = {
            name: int(value)
            for name, value in (("input", amount(row.get("prompt_tokens"))), ("output", amount(row.get("completion_tokens"))))
            if value is not None
        }
    found: dict[str, Any] = {}
    plain = {side: counts.get(side) for side in ("input", "output")}
    whole = counts.get("total") is not None and sum(value or 0 for value in plain.values()) == counts["total"]
    for side in ("input", "output"):
        beside = [value for name, value in counts.items() if name.startswith(f"{side}_") or (side == "input" and "cache" in name)]
        beside = [] if whole else list(beside)
        if plain[side] is not None or beside:
            found[f"{side}_tokens"] = (plain[side] or 0) + sum(beside)
    of_cache = {name: value for name, value in counts.items() if "cache" in name}
    written = [value for name, value in of_cache.items() if "creation" in name or "write" in name]
    read = [value for name, value in of_cache.items() if "creation" not in name and "write" not in name]
    reasoning = [value for name, value in counts.items() if "reasoning" in name]
    named = {"cached_tokens": read, "cache_write_tokens": written, "reasoning_tokens": reasoning}
    return {**found, **{name: sum(values) if values else None for name, values in named.items()}}


def _score(row: Mapping[str, Any]) -> ExportedReport:
    trace, observation, session = (text_of(row.get(name)) for name in ("trace_id", "observation_id", "session_id"))
    value, word = amount(row.get("value")), text_of(row.get("string_value"))
    if isinstance(row.get("value"), bool):
        value = float(row["value"])
    if value is None and word is None and isinstance(row.get("value"), str):
        word = row["value"]
    kind = str(row.get("data_type") or "").upper()
    about: dict[str, Any] = {"session": session}
    if trace is not None:
        about = {"span": (trace, observation)} if observation else {"key": (TRACE_KEY, trace)}
    comment = text_of(row.get("comment"))
    metadata = texts({"langfuse_source": row.get("source"), "comment": comment if word else None, **mapping(row.get("metadata"))})
    return ExportedReport(
        id=text_of(row.get("id")) or repr((trace, observation, session, row.get("name"))),
        name=required_text(row, "name"),
        value=None if kind == "CATEGORICAL" and word else value,
        text=word if kind in ("CATEGORICAL", "TEXT", "CORRECTION") and word else comment,
        occurred_at=time_of(first(row, "timestamp", "created_at"), "timestamp"),
        metadata=metadata,
        **about,
    )


def _who(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"session": text_of(row.get("session_id")), "user": text_of(row.get("user_id"))}


def _exposure(row: Mapping[str, Any]) -> str | None:
    """Langfuse's own evaluators and experiments run in environments named langfuse-...; they are no users."""
    environment = text_of(row.get("environment")) or ""
    if not environment.startswith("langfuse-"):
        return None
    return Exposure.JUDGE if "judge" in environment or "eval" in environment else Exposure.SIMULATED


def _tags(row: Mapping[str, Any]) -> dict[str, str]:
    named = texts({name: row.get(name) for name in ("environment", "release", "version")})
    tags = [tag for tag in listing(row.get("tags")) if isinstance(tag, str)]
    return {**named, **({"tags": ", ".join(tags)} if tags else {})}


def _failure(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"error_type": "error"} if str(row.get("level") or "").upper() == "ERROR" else {}


def _called(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": row.get("name"), "arguments": structure(row.get("input")), "result": structure(row.get("output"))}


def _root(trace: str) -> str:
    return f"trace {trace}"


def _snake(name: str) -> str:
    """camelCase and Title Case as snake_case."""
    spaced = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name.strip().replace(" ", "_"))
    return spaced.replace("__", "_").lstrip("_")
